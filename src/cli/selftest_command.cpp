#include "cli/selftest_command.h"

#include "cli/pool_call.h"
#include "cli/signals.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kStageFailed = 3;
constexpr int kNotTried = 4;
constexpr std::int64_t kLookMs = 250;  // between two looks at the run

struct SelftestOptions {
    std::string user;
    std::uint32_t shares = 3;
    bool block = false;
    std::int64_t limit_s = 0;  // 0: the pool's own
};

std::string scalar_text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
    return value.dump();
}

int verdict_of(const Json& report) {
    if (report.at("failed").get<bool>()) return kStageFailed;
    return report.at("complete").get<bool>() ? kPoolDone : kNotTried;
}

std::string summary_text(const Json& report) {
    const auto seconds = report.at("ms").get<double>() / 1'000;
    switch (verdict_of(report)) {
        case kPoolDone:
            return fmt::format("everything that was asked for was done, in {:.1f} s\n", seconds);
        case kStageFailed:
            return fmt::format("failed, after {:.1f} s\n", seconds);
        default:
            return fmt::format("nothing failed, but not all could be tried; {:.1f} s\n", seconds);
    }
}

// Follows a run to its end; prints what is new at every look, unless as JSON.
int follow(const GroupOptions& common, Json report) {
    const auto run = Json{{"run", report.at("run")}}.dump();
    std::size_t printed = 0;
    while (true) {
        const auto& stages = report.at("stages");
        for (; !common.json && printed < stages.size(); ++printed)
            fmt::print("{}", stage_text(stages[printed].dump()));
        std::fflush(stdout);
        if (report.at("finished").get<bool>()) break;
        const bool stop = wait_for_signal(kLookMs) == Signal::stop;
        const auto answer = ask_running_pool(
            common.config_file, stop ? "manager.workflow.cancel" : "manager.workflow.report", run);
        if (!answer) return answer.error();
        report = Json::parse(*answer);
    }
    fmt::print("{}", common.json ? report.dump() + "\n" : summary_text(report));
    return verdict_of(report);
}

int selftest(const GroupOptions& common, const SelftestOptions& options) {
    block_signals();
    Json params{{"shares", options.shares}, {"block", options.block}};
    if (!options.user.empty()) params["user"] = options.user;
    if (options.limit_s != 0) params["limit_s"] = options.limit_s;
    const auto answer =
        ask_running_pool(common.config_file, "manager.workflow",
                         params.dump(-1, ' ', true, Json::error_handler_t::replace));
    if (!answer) return answer.error();
    return follow(common, Json::parse(*answer));
}

template <class Parent>
void add(Parent* parent, const char* name, int* exit_code) {
    const auto [app, common] = add_command(
        parent, name, "Mine on the running pool and follow the shares to the ledger",
        fmt::format(
            "Examples:\n"
            "  adit {0} --config /etc/adit.toml\n"
            "  adit {0} -c /etc/adit.toml --shares 10 --user bc1q....probe --json\n"
            "  adit {0} -c regtest.toml --block     a block, too, until it is paid\n\n"
            "A miner connects to a listener over TCP, and what it has accepted is looked for in\n"
            "the log, the tally and the balances. What takes longer than --limit allows is not\n"
            "tried, and the answer says what it would take. The shares are real and count for\n"
            "--user. docs/manager.md lists the stages.\n"
            "Exit codes: 0 all that was asked for was done, 3 a stage failed, 4 none failed and\n"
            "something could not be tried, 1 the pool refused, 2 no pool runs, or wrong options\n"
            "or configuration.",
            std::string_view(name) == "workflow" ? "manager workflow" : name));
    auto options = std::make_shared<SelftestOptions>();
    app->add_option("--user", options->user,
                    "ADDRESS[.worker] to mine for (default: pool.address.adit-selftest)")
        ->type_name("NAME");
    app->add_option("--shares", options->shares, "Shares to be accepted (default: 3)")
        ->check(CLI::Range(1, 10'000));
    app->add_flag("--block", options->block,
                  "Find a block, too, and follow it; mines on until it is mature and paid");
    app->add_option("--limit", options->limit_s,
                    "Most time for all (default: 60, with --block 300)")
        ->type_name("SECONDS")
        ->check(CLI::Range(1, 86'400));
    app->callback([common, options, exit_code] { *exit_code = selftest(*common, *options); });
}

}  // namespace

std::string stage_text(const std::string& json) {
    const auto stage = Json::parse(json);
    std::string text =
        fmt::format("{:<9}  {:<12} {:>9.1f} ms", stage.at("state").get<std::string>(),
                    stage.at("stage").get<std::string>(), stage.at("ms").get<double>());
    const auto& reason = stage.at("reason").get_ref<const std::string&>();
    if (!reason.empty()) text += "  " + reason;
    text += "\n";
    for (const auto& [key, value] : stage.at("evidence").items()) {
        if (!value.is_array()) {
            text += fmt::format("             {} {}\n", key, scalar_text(value));
            continue;
        }
        for (const auto& one : value)
            text += fmt::format("             {} {}\n", key, scalar_text(one));
    }
    return text;
}

void add_selftest_command(CLI::App& app, int* exit_code) {
    add(&app, "selftest", exit_code);
}

void add_workflow_command(CLI::App* group, int* exit_code) {
    add(group, "workflow", exit_code);
}

}  // namespace adit::cli
