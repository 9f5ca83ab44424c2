#include "cli/run_command.h"

#include "cli/serve.h"
#include "cli/signals.h"
#include "manager/preflight.h"

#include <CLI/CLI.hpp>

namespace adit::cli {

void print_faults(const std::vector<manager::ConfigFault>& faults) {
    for (const auto& fault : faults)
        std::fprintf(stderr, "%s\n", fault.text().c_str());
    std::fprintf(stderr, "%zu fault%s in the configuration\n", faults.size(),
                 faults.size() == 1 ? "" : "s");
}

int run(const std::string& config_file) {
    const auto config = manager::load_config(config_file);
    if (!config) {
        print_faults(config.error());
        return kBadConfig;
    }
    block_signals();
    const base::SystemClock clock;
    Terminal terminal(stderr, is_interactive(stderr));
    const auto logger = make_logger(terminal, config->log.level, config->log.format);
    metrics::Registry registry;
    manager::PoolManager pool(*config, clock, registry, *logger);
    logger->info("pool", "starting",
                 {{"version", ADIT_VERSION},
                  {"chain", chain::params(config->pool.chain).name},
                  {"address", config->pool.address},
                  {"data_dir", config->pool.data_dir}});
    if (const auto started = pool.start(); !started) {
        logger->error("pool", started.error());
        return kCannotStart;
    }
    Serving serving{pool, terminal, *logger, clock, {}, {}, 0};
    serving.read_config = [&] { return manager::load_config(config_file); };
    return serve(serving);
}

int check(const std::string& config_file, std::FILE* out) {
    const auto config = manager::load_config(config_file);
    if (!config) {
        print_faults(config.error());
        return kBadConfig;
    }
    fmt::print(out, "{}: no fault in the file\n", config_file);
    int faults = 0;
    for (const auto& finding : manager::preflight(*config)) {
        if (finding.fault) {
            if (!finding.warning) ++faults;
            fmt::print(out, "{}  {}\n       {}\n", finding.warning ? "WARN " : "FAULT",
                       finding.subject, finding.fault->text());
        } else {
            fmt::print(out, "ok     {}: {}\n", finding.subject, finding.result);
        }
    }
    fmt::print(out, "{}\n", faults == 0 ? "the pool can start" : "the pool cannot start like this");
    return faults == 0 ? 0 : 1;
}

void add_run_command(CLI::App& app, int* exit_code) {
    auto* command = app.add_subcommand("run", "Run the pool");
    auto file = std::make_shared<std::string>();
    command->add_option("--config,-c", *file, "The configuration file (docs/configuration.md)")
        ->required()
        ->type_name("FILE");
    command->footer(
        "Examples:\n"
        "  adit run --config /etc/adit.toml\n\n"
        "Signals: SIGINT and SIGTERM answer every accepted share and stop; SIGHUP reads the\n"
        "configuration again and says what needs a restart.\n"
        "Exit codes: 0 stopped, 1 cannot start, 2 faults in the configuration, 3 stopped but some\n"
        "accepted shares were not answered.");
    command->callback([file, exit_code] { *exit_code = run(*file); });
}

void add_check_command(CLI::App& app, int* exit_code) {
    auto* command = app.add_subcommand(
        "check",
        "Check a configuration: the file, the nodes, the ports, the data directory, the wallet");
    auto file = std::make_shared<std::string>();
    command->add_option("--config,-c", *file, "The configuration file")
        ->required()
        ->type_name("FILE");
    command->footer(
        "Examples:\n"
        "  adit check --config /etc/adit.toml\n\n"
        "Every fault is told with file and line, what is wrong, and what to write instead. A\n"
        "warning (WARN) keeps nothing from starting. Of the wallet that pays, every call is tried\n"
        "and nothing is sent.\n"
        "Exit codes: 0 all fine, 1 something that was tried failed, 2 faults in the file.");
    command->callback([file, exit_code] { *exit_code = check(*file, stdout); });
}

}  // namespace adit::cli
