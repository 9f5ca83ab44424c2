#include "cli/audit_command.h"

#include "cli/books_command.h"
#include "cli/run_command.h"
#include "cli/terminal.h"
#include "node/chain_audit.h"
#include "store/log_audit.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

// What became of the comparison with the chain.
struct ChainResult {
    bool wanted = false;
    bool compared = false;
    std::string node;  // that was asked
    node::ChainAuditCount count;
    std::vector<std::string> trouble;  // why a node could not be asked
};

int impossible(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return kAuditImpossible;
}

std::string chain_text(const ChainResult& chain) {
    if (!chain.wanted) return "the chain was not asked\n";
    if (chain.compared) {
        return fmt::format("{} blocks and {} payouts compared with the chain of node {}\n",
                           chain.count.blocks, chain.count.payouts, chain.node);
    }
    std::string text = "the chain could not be compared:\n";
    for (const auto& trouble : chain.trouble)
        text += fmt::format("  {}\n", trouble);
    return text;
}

void print_text(const ledger::AuditReport& report, const ChainResult& chain, std::FILE* out) {
    fmt::print(out,
               "{} shares in {} batches hashed again ({} uncredited), {} jobs, {} accounts, {} "
               "workers, {} blocks, {} facts; {} rows of the ledger compared\n",
               report.shares, report.batches, report.uncredited, report.jobs, report.accounts,
               report.workers, report.blocks, report.facts, report.rows_compared);
    fmt::print(out, "{}", chain_text(chain));
    if (report.clean()) {
        fmt::print(out, "no difference\n");
    } else {
        fmt::print(out, "{} difference{}; the first: {}\n", report.differences,
                   report.differences == 1 ? "" : "s", report.first->text());
    }
}

void print_json(const ledger::AuditReport& report, const ChainResult& chain, std::FILE* out) {
    nlohmann::ordered_json json{
        {"shares", report.shares},
        {"batches", report.batches},
        {"uncredited", report.uncredited},
        {"jobs", report.jobs},
        {"accounts", report.accounts},
        {"workers", report.workers},
        {"blocks", report.blocks},
        {"facts", report.facts},
        {"rows_compared", report.rows_compared},
        {"compared_at", report.compared_at ? nlohmann::ordered_json(*report.compared_at)
                                           : nlohmann::ordered_json(nullptr)},
        {"end", report.end},
        {"differences", report.differences}};
    auto& asked = json["chain"];
    asked = {{"compared", chain.compared}};
    if (chain.compared) {
        asked["node"] = chain.node;
        asked["blocks"] = chain.count.blocks;
        asked["payouts"] = chain.count.payouts;
    } else if (chain.wanted) {
        asked["trouble"] = chain.trouble;
    }
    if (report.first) {
        json["first"] = {{"position", report.first->position},
                         {"what", report.first->what},
                         {"expected", report.first->expected},
                         {"found", report.first->found}};
    }
    fmt::print(out, "{}\n",
               json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
}

// Asks the nodes in the order of the configuration, until one answers.
ChainResult compare_chain(const manager::Config& config, store::LogAudit& audit) {
    ChainResult result;
    result.wanted = true;
    for (const auto& configured : config.nodes) {
        node::RpcClient client({configured.name,
                                configured.rpc,
                                configured.cookie_file,
                                configured.user,
                                configured.password,
                                {}});
        node::ChainAuditSettings settings;
        settings.node = configured.name;
        settings.network = config.pool.chain;
        settings.payout_confirmations = static_cast<std::int32_t>(config.payout.confirmations);
        std::vector<ledger::AuditDifference> differences;
        const auto count = node::compare_with_chain(
            client, settings, audit.books(), [&](ledger::AuditDifference difference) {
                differences.push_back(std::move(difference));
            });
        if (!count) {
            result.trouble.push_back(fmt::format("node {}: {}", configured.name, count.error()));
            continue;
        }
        for (auto& difference : differences)
            audit.differ(std::move(difference));
        result.compared = true;
        result.node = configured.name;
        result.count = *count;
        return result;
    }
    if (result.trouble.empty()) result.trouble.emplace_back("no [[node]] is configured");
    return result;
}

}  // namespace

int audit(const AuditOptions& options, std::FILE* out) {
    const auto config = manager::load_config(options.config_file);
    if (!config) {
        print_faults(config.error());
        return kAuditImpossible;
    }
    const std::filesystem::path root = config->pool.data_dir;
    if (!std::filesystem::exists(root / "log")) {
        return impossible(fmt::format("{} holds no share log; has the pool run with this data_dir?",
                                      root.string()));
    }
    const auto ledger = open_books(*config);
    if (!ledger) return impossible(ledger.error());
    store::PosixFileSystem files;
    Terminal terminal(stderr, is_interactive(stderr));
    store::LogAuditSettings settings;
    settings.log_dir = root / "log";
    settings.progress = [&](share::LogPosition at, share::LogPosition end) {
        terminal.set_status(fmt::format("audited {} of {}", human(static_cast<double>(at), "B"),
                                        human(static_cast<double>(end), "B")));
    };
    store::LogAudit audit(files, settings, ledger->get());
    const auto done = audit.run();
    terminal.clear_status();
    if (!done) return impossible(done.error());
    const auto chain = options.chain ? compare_chain(*config, audit) : ChainResult{};
    options.json ? print_json(audit.report(), chain, out) : print_text(audit.report(), chain, out);
    if (!audit.report().clean()) return kAuditDiffers;
    return chain.wanted && !chain.compared ? kAuditImpossible : kAuditClean;
}

void add_audit_command(CLI::App& app, int* exit_code) {
    auto* command = app.add_subcommand(
        "audit", "Hash every share of the log again and recompute the whole ledger");
    auto options = std::make_shared<AuditOptions>();
    command->add_option("--config,-c", options->config_file, "The pool's configuration file")
        ->required()
        ->type_name("FILE");
    command->add_flag("--json", options->json, "One JSON object instead of text");
    command->add_flag("!--no-chain", options->chain,
                      "Do not ask the nodes whether blocks and payouts are in the chain");
    command->footer(
        "Examples:\n"
        "  adit audit --config /etc/adit.toml\n"
        "  adit audit --config /etc/adit.toml --json --no-chain\n\n"
        "The pool may be running: the audit reads what was in the log when it began, compares "
        "the\nledger where it stands meanwhile, and changes nothing. Nodes are asked in the order "
        "of the\nconfiguration, until one answers.\n"
        "Exit codes: 0 no difference, 1 a difference (the first is named), 2 nothing to audit, or\n"
        "the chain could not be compared.");
    command->callback([options, exit_code] { *exit_code = audit(*options, stdout); });
}

}  // namespace adit::cli
