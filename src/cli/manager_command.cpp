#include "cli/manager_command.h"

#include "cli/books_text.h"
#include "cli/pool_call.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

using Json = nlohmann::json;

constexpr int kPoolDegraded = 3;
constexpr int kPoolUnhealthy = 4;

int health(const GroupOptions& common, bool cached) {
    const auto answer =
        ask_running_pool(common.config_file, "manager.health", Json{{"cached", cached}}.dump());
    if (!answer) return answer.error();
    fmt::print("{}", common.json ? *answer + "\n" : health_text(*answer));
    const auto status = Json::parse(*answer).at("status").get<std::string>();
    if (status == "healthy") return kPoolDone;
    return status == "degraded" ? kPoolDegraded : kPoolUnhealthy;
}

void add_health(CLI::App* group, int* exit_code) {
    const auto [app, common] = add_command(
        group, "health", "Probe every part of the running pool",
        "Examples:\n"
        "  adit manager health --config /etc/adit.toml\n"
        "  adit manager health --config /etc/adit.toml --json | jq .status\n"
        "  adit manager health --config /etc/adit.toml --cached    for a check every second\n\n"
        "Each part does a small real piece of its work: the log writes, the ledger folds and\n"
        "sums, nodes answer a call, listeners take a connection, the payer steps.\n"
        "docs/manager.md has the rules.\n"
        "Exit codes: 0 healthy, 3 degraded, 4 unhealthy, 1 the pool refused, 2 no pool runs, or\n"
        "wrong options or configuration.");
    auto cached = std::make_shared<bool>(false);
    app->add_flag("--cached", *cached, "What the last probes found, without probing");
    app->callback([common, cached, exit_code] { *exit_code = health(*common, *cached); });
}

}  // namespace

std::string health_text(const std::string& text) {
    const auto json = Json::parse(text);
    using enum TextTable::Align;
    TextTable table({{"part", left},
                     {"status", left},
                     {"last ms", right},
                     {"p50 ms", right},
                     {"p99 ms", right},
                     {"probes", right},
                     {"failed", right},
                     {"queue", right}});
    std::string advice;
    for (const auto& part : json.at("parts")) {
        const auto ms = [&](const char* key) {
            return fmt::format("{:.1f}", part.at(key).get<double>());
        };
        const auto& queue = part.at("queue_depth");
        table.add({part.at("part"), part.at("status"), ms("last_ms"), ms("p50_ms"), ms("p99_ms"),
                   std::to_string(part.at("probes").get<std::uint64_t>()),
                   std::to_string(part.at("failures").get<std::uint64_t>()),
                   queue.is_null() ? "-" : std::to_string(queue.get<std::uint64_t>())});
        const auto& recommendation = part.at("recommendation").get_ref<const std::string&>();
        if (recommendation.empty()) continue;
        advice += fmt::format("{}: {}\n", part.at("part").get<std::string>(), recommendation);
    }
    return fmt::format("the pool is {}\n{}{}", json.at("status").get<std::string>(), table.text(),
                       advice);
}

void add_manager_command(CLI::App& app, int* exit_code) {
    auto* group = app.add_subcommand("manager", "What the pool manager of a running pool does");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n"
        "  adit manager health --config /etc/adit.toml    is every part well?\n\n"
        "adit manager SUBCOMMAND --help says more.");
    add_health(group, exit_code);
}

}  // namespace adit::cli
