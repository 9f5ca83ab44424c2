#include "cli/audit_command.h"

#include "cli/run_command.h"
#include "cli/terminal.h"
#include "store/data_dir.h"
#include "store/log_audit.h"
#include "store/sql_ledger.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

int impossible(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return kAuditImpossible;
}

void print_text(const ledger::AuditReport& report, std::FILE* out) {
    fmt::print(out,
               "{} shares in {} batches hashed again ({} uncredited), {} jobs, {} accounts, {} "
               "workers, {} blocks; {} rows of the ledger compared\n",
               report.shares, report.batches, report.uncredited, report.jobs, report.accounts,
               report.workers, report.blocks, report.rows_compared);
    if (report.clean()) {
        fmt::print(out, "no difference\n");
    } else {
        fmt::print(out, "{} difference{}; the first: {}\n", report.differences,
                   report.differences == 1 ? "" : "s", report.first->text());
    }
}

void print_json(const ledger::AuditReport& report, std::FILE* out) {
    nlohmann::ordered_json json{
        {"shares", report.shares},          {"batches", report.batches},
        {"uncredited", report.uncredited},  {"jobs", report.jobs},
        {"accounts", report.accounts},      {"workers", report.workers},
        {"blocks", report.blocks},          {"rows_compared", report.rows_compared},
        {"differences", report.differences}};
    if (report.first) {
        json["first"] = {{"position", report.first->position},
                         {"what", report.first->what},
                         {"expected", report.first->expected},
                         {"found", report.first->found}};
    }
    fmt::print(out, "{}\n",
               json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace

int audit(const std::string& config_file, bool json, std::FILE* out) {
    const auto config = manager::load_config(config_file);
    if (!config) {
        print_faults(config.error());
        return kAuditImpossible;
    }
    const std::filesystem::path root = config->pool.data_dir;
    if (!std::filesystem::exists(root / "log")) {
        return impossible(fmt::format("{} holds no share log; has the pool run with this data_dir?",
                                      root.string()));
    }
    // The lock keeps a pool from writing while its books are read.
    const auto dir = store::DataDir::open(root);
    if (!dir) return impossible(dir.error() + "; stop that pool first, or audit a copy");
    std::unique_ptr<store::SqlLedger> ledger;
    if (std::filesystem::exists(dir->ledger_file())) {
        store::SqlLedgerSettings settings;
        settings.database = dir->ledger_file().string();
        auto opened = store::SqlLedger::open(settings);
        if (!opened) return impossible(opened.error());
        ledger = std::move(*opened);
    }
    store::PosixFileSystem files;
    Terminal terminal(stderr, is_interactive(stderr));
    const auto report =
        store::audit_log(files, dir->log_dir(), ledger.get(), {}, [&](share::LogPosition position) {
            terminal.set_status(
                fmt::format("audited {}", human(static_cast<double>(position), "B")));
        });
    terminal.clear_status();
    if (!report) return impossible(report.error());
    json ? print_json(*report, out) : print_text(*report, out);
    return report->clean() ? kAuditClean : kAuditDiffers;
}

void add_audit_command(CLI::App& app, int* exit_code) {
    auto* command =
        app.add_subcommand("audit", "Hash every share of the log again and recompute all totals");
    auto file = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    command->add_option("--config,-c", *file, "The pool's configuration file")
        ->required()
        ->type_name("FILE");
    command->add_flag("--json", *json, "One JSON object instead of text");
    command->footer(
        "Examples:\n"
        "  adit audit --config /etc/adit.toml\n"
        "  adit audit --config /etc/adit.toml --json\n\n"
        "The pool must not be running on the data directory; a copy of it can be audited any "
        "time.\n"
        "Exit codes: 0 no difference, 1 a difference (the first is named), 2 nothing to audit.");
    command->callback([file, json, exit_code] { *exit_code = audit(*file, *json, stdout); });
}

}  // namespace adit::cli
