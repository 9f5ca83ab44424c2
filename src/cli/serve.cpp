#include "cli/serve.h"

#include "cli/signals.h"

namespace adit::cli {
namespace {

constexpr std::int64_t kRedrawMs = 500;
constexpr std::int64_t kReportMs = 60'000;  // between status lines of the log
constexpr std::int64_t kStopMs = 4'000;

std::string joined(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, ", "));
}

void reload(const Serving& serving) {
    if (!serving.read_config) {
        serving.logger.info("pool", "SIGHUP: there is no configuration file to read again");
        return;
    }
    const auto wanted = serving.read_config();
    if (!wanted) {
        for (const auto& fault : wanted.error())
            serving.logger.error("config", fault.text());
        serving.logger.error("config", "nothing was changed");
        return;
    }
    const auto report = serving.pool.reload(*wanted);
    serving.logger.info(
        "config", "reloaded",
        {{"changed", joined(report.changed)}, {"needs_restart", joined(report.needs_restart)}});
    for (const auto& problem : report.problems)
        serving.logger.warning("config", problem);
}

void report(base::Logger& logger, const manager::PoolSummary& summary) {
    logger.info("pool", "status",
                {{"hashrate_1m", fmt::format("{:.0f}", summary.hashrate_1m)},
                 {"hashrate_10m", fmt::format("{:.0f}", summary.hashrate_10m)},
                 {"miners", summary.miners},
                 {"accepted", summary.accepted},
                 {"refused", summary.refused},
                 {"blocks_found", summary.blocks_found},
                 {"blocks_accepted", summary.blocks_accepted},
                 {"paid_btc", summary.payouts ? summary.payouts->paid.btc() : "none"},
                 {"height", summary.height},
                 {"node", summary.node}});
}

}  // namespace

std::string status_text(const manager::PoolSummary& summary) {
    std::string text = fmt::format("{}  {} miners  {} shares", human(summary.hashrate_1m, "H/s"),
                                   summary.miners, summary.accepted);
    if (const auto all = summary.accepted + summary.refused; summary.refused != 0) {
        text += fmt::format(" ({:.2f} % refused)", 100.0 * static_cast<double>(summary.refused) /
                                                       static_cast<double>(all));
    }
    text += fmt::format("  {} blocks ({} accepted)", summary.blocks_found, summary.blocks_accepted);
    if (summary.height != 0) {
        text += fmt::format("  height {}  difficulty {}", summary.height,
                            human(summary.network_difficulty, ""));
    }
    if (summary.payouts) {
        text += fmt::format("  {} BTC paid", summary.payouts->paid.btc());
        if (!summary.payouts->under_way.is_zero()) {
            text += fmt::format(" (+{} under way)", summary.payouts->under_way.btc());
        }
        if (summary.payouts->status.hold != ledger::PayoutHold::none) text += "  PAYOUTS HELD";
    }
    if (summary.nodes_up == 0) text += "  NO NODE";
    if (summary.templates_stale) text += "  TEMPLATES STALE";
    if (!summary.log_available) text += "  STORAGE UNAVAILABLE";
    if (!summary.tally_error.empty()) text += "  TALLY STOPPED";
    return text + "  up " + human_duration(summary.uptime_ms / 1000);
}

std::unique_ptr<base::Logger> make_logger(Terminal& terminal, base::LogLevel level,
                                          base::LogFormat format) {
    return std::make_unique<base::Logger>(
        level, format, [&terminal](std::string_view line) { terminal.print(line); });
}

int serve(const Serving& serving) {
    const auto started_ms = serving.clock.steady_ms();
    auto reported_ms = started_ms;
    while (true) {
        const auto signal = wait_for_signal(kRedrawMs);
        if (signal == Signal::stop) break;
        if (signal == Signal::reload) reload(serving);
        const auto now_ms = serving.clock.steady_ms();
        const auto summary = serving.pool.summary();
        serving.terminal.set_status(status_text(summary));
        if (!serving.terminal.interactive() && now_ms - reported_ms >= kReportMs) {
            reported_ms = now_ms;
            report(serving.logger, summary);
        }
        if (serving.stop_after_s != 0 && now_ms - started_ms >= serving.stop_after_s * 1000) break;
    }
    report(serving.logger, serving.pool.summary());
    serving.terminal.clear_status();
    if (serving.before_stop) serving.before_stop();
    const bool answered = serving.pool.stop(kStopMs);
    serving.logger.info("pool", answered ? "stopped; every accepted share was answered"
                                         : "stopped; some accepted shares were not answered");
    return answered ? kServed : kNotAllAnswered;
}

}  // namespace adit::cli
