#include "metrics/alert_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace adit::metrics {
namespace {

constexpr std::int64_t kHour = 3'600;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kLongest = 90 * kDay;

// Fires when a counter grew within the last `span_s` seconds.
AlertRule grows(std::string name, std::string counter, std::int64_t span_s, Severity severity,
                std::string summary) {
    AlertRule rule;
    rule.name = std::move(name);
    rule.series = {std::move(counter)};
    rule.measure = Measure::rate;
    rule.span_s = span_s;
    rule.severity = severity;
    rule.summary = std::move(summary);
    return rule;
}

// Fires at a flag that is up, or not.
AlertRule flag(std::string name, std::vector<std::string> gauges, Comparison comparison,
               std::int64_t for_s, Severity severity, std::string summary) {
    AlertRule rule;
    rule.name = std::move(name);
    rule.series = std::move(gauges);
    rule.comparison = comparison;
    rule.fire_at = rule.clear_at = 0.5;
    rule.for_s = for_s;
    rule.clear_for_s = 10;
    rule.severity = severity;
    rule.summary = std::move(summary);
    return rule;
}

AlertRule level(std::string name, std::string series, Comparison comparison, double fire_at,
                double clear_at, std::int64_t for_s, Severity severity, std::string summary) {
    AlertRule rule;
    rule.name = std::move(name);
    rule.series = {std::move(series)};
    rule.comparison = comparison;
    rule.fire_at = fire_at;
    rule.clear_at = clear_at;
    rule.for_s = for_s;
    rule.clear_for_s = 30;
    rule.severity = severity;
    rule.summary = std::move(summary);
    return rule;
}

void add_work(std::vector<AlertRule>& rules) {
    rules.push_back(flag("template_stale", {"adit_template_stale"}, Comparison::above, 30,
                         Severity::critical,
                         "There is no template that may still be mined on. See which node is down "
                         "(adit_node_up) and start it, or add another under [[node]]."));
    rules.push_back(level("template_old", "adit_template_age_seconds", Comparison::above, 180, 90,
                          10, Severity::warning,
                          "The template that is mined on is {value} s old. The node answers "
                          "slowly or not at all: look at adit_node_latency_milliseconds and at "
                          "the node's own log."));
    rules.push_back(grows("jobs_failing", "adit_job_failures_total", 300, Severity::critical,
                          "No job could be made from a template. The pool's log says why; miners "
                          "stay on the last job."));
    rules.push_back(flag("node_down", {"adit_node_up"}, Comparison::below, 30, Severity::warning,
                         "A node cannot be used: {series}. Start it, or see why its RPC does not "
                         "answer; with no other node miners keep the last job for a bounded "
                         "time."));
    rules.push_back(flag("node_doubted", {"adit_node_doubted"}, Comparison::above, 60,
                         Severity::warning,
                         "What a node says is contradicted by the others: {series}. See which one "
                         "is on the wrong chain or behind."));
    rules.push_back(grows("templates_failing", "adit_template_errors_total", 300, Severity::info,
                          "A node gave no usable template ({value} a second). The pool's log "
                          "names the node and its answer."));
}

void add_log(std::vector<AlertRule>& rules) {
    rules.push_back(flag("log_unavailable", {"adit_log_available"}, Comparison::below, 5,
                         Severity::critical,
                         "The share log takes no shares, so every share is refused. Free space on "
                         "the disk of the data directory, or replace a disk that fails; the pool "
                         "goes on by itself."));
    rules.push_back(grows("log_io_failures", "adit_log_io_failures_total", kHour,
                          Severity::critical,
                          "Writing the share log failed. Look into the kernel's log for errors of "
                          "the disk and replace it when there are any."));
    rules.push_back(grows("storage_refusals",
                          "adit_stratum_shares_refused_total{reason=\"storage_unavailable\"}", 120,
                          Severity::critical,
                          "Shares are refused because commits stall ({value} a second): the disk "
                          "is full, failing or too slow."));
    rules.push_back(level("commits_slow", "adit_log_commit_ms:p99", Comparison::above, 500, 200, 60,
                          Severity::warning,
                          "One commit of the share log in a hundred takes {value} ms or more. "
                          "Something else uses the disk, or it is failing; miners wait for their "
                          "answers."));
    rules.push_back(level("answers_slow", "adit_stratum_share_ack_ms:p99", Comparison::above, 1'000,
                          500, 60, Severity::warning,
                          "One share in a hundred waits {value} ms or more for its answer. See "
                          "whether the disk (adit_log_commit_ms) or the processor "
                          "(adit_process_cpu_ratio) is the cause."));
}

void add_money(std::vector<AlertRule>& rules) {
    rules.push_back(level("tally_behind", "adit_tally_lag_bytes", Comparison::above, 64e6, 16e6,
                          120, Severity::warning,
                          "{value} bytes of the share log are not in the ledger yet. Shares are "
                          "safe; see whether the database is slow or locked."));
    rules.push_back(grows("tally_failing", "adit_tally_failures_total", 300, Severity::warning,
                          "The ledger cannot be written. Shares are safe and counted later; see "
                          "whether the database runs and its disk has space."));
    auto imbalance = level("ledger_imbalance", "adit_ledger_imbalance_satoshis",
                           Comparison::differs, 0, 0, 0, Severity::critical,
                           "All accounts together are {value} satoshis off zero: the ledger is "
                           "broken. Stop payouts, keep the data directory, run `adit audit`.");
    imbalance.clear_for_s = 0;
    rules.push_back(std::move(imbalance));
    rules.push_back(level("ledger_overdrawn", "adit_ledger_overdrawn_satoshis", Comparison::below,
                          0, 0, 60, Severity::warning,
                          "Accounts are overdrawn by {value} satoshis: a reversal took back what "
                          "had been paid. Later rewards make up for it; nothing is to be done."));
    rules.push_back(grows("settler_failing", "adit_settler_failures_total", 600, Severity::warning,
                          "What became of found blocks could not be written down. See whether the "
                          "ledger's database and the share log work."));
    rules.push_back(grows("facts_refused", "adit_block_facts_refused_total", kDay,
                          Severity::critical,
                          "The ledger refused a fact about a block. Run `adit audit` and look for "
                          "the refusal in the pool's log."));
    std::vector<std::string> holds;
    for (const char* reason :
         {"wallet_unreachable", "wallet_not_ready", "wallet_locked", "wallet_short",
          "unknown_spend", "daily_cap", "ledger_unreachable", "ledger_broken", "refused"})
        holds.push_back(fmt::format("adit_payout_hold{{reason=\"{}\"}}", reason));
    rules.push_back(flag("payouts_held", std::move(holds), Comparison::above, 600,
                         Severity::warning,
                         "No payout begins: {series}. `adit payout status` says what to do."));
    rules.push_back(flag("payout_alerts", {"adit_payout_alerts"}, Comparison::above, 60,
                         Severity::warning, "{value} payouts need a person: `adit payout list`."));
    rules.push_back(flag("unknown_spends", {"adit_payout_unknown_spends"}, Comparison::above, 0,
                         Severity::critical,
                         "The wallet spent what the ledger does not know. Find out who did it, "
                         "then `adit payout explain`."));
    rules.push_back(flag("payouts_impossible", {"adit_payouts_impossible"}, Comparison::above, 0,
                         Severity::critical,
                         "pool.address forbids payouts from the wallet. Set an address of the "
                         "wallet that begins with bc1, or payout.mode = \"none\"."));
}

void add_blocks(std::vector<AlertRule>& rules) {
    rules.push_back(grows("block_refused", "adit_blocks_refused_total", kHour, Severity::critical,
                          "A found block was refused by every node, or lost to another. "
                          "`adit blocks` names it and the reason."));
    rules.push_back(grows("block_orphaned", "adit_block_facts_total{fact=\"orphaned\"}", kHour,
                          Severity::warning,
                          "A found block is no longer in the best chain; its reward was reversed. "
                          "Nothing is to be done, but frequent ones ask for better connected "
                          "nodes."));
    rules.push_back(grows("block_not_saved", "adit_blocks_save_failures_total", kHour,
                          Severity::critical,
                          "A found block could not be written to disk. It was sent to the nodes; "
                          "free space or replace the disk."));
    rules.push_back(grows("block_dropped", "adit_submit_dropped_total", kHour, Severity::critical,
                          "A found block was pushed out of the queue to the nodes. Reconnect a "
                          "node; the block is in data_dir/blocks."));
    rules.push_back(level("blocks_unreserved", "adit_blocks_reserved", Comparison::below, 1, 1, 300,
                          Severity::warning,
                          "No space is reserved for found blocks. Free space on the disk of the "
                          "data directory."));
}

void add_miners(std::vector<AlertRule>& rules) {
    AlertRule rejects;
    rejects.name = "reject_rate";
    rejects.series = {"adit_stratum_shares_refused_total"};
    rejects.of = {"adit_stratum_shares_refused_total", "adit_stratum_shares_accepted_total"};
    rejects.measure = Measure::rate;
    rejects.span_s = 600;
    rejects.fire_at = 0.05;
    rejects.clear_at = 0.03;
    rejects.for_s = 120;
    rejects.clear_for_s = 300;
    rejects.summary =
        "{value} of all shares are refused. adit_stratum_shares_refused_total says why: stale "
        "ones mean slow jobs or a slow network, low difficulty or duplicates a broken miner.";
    rules.push_back(std::move(rejects));

    AlertRule drop;
    drop.name = "hashrate_drop";
    drop.series = drop.of = {"adit_stratum_accepted_difficulty"};
    drop.measure = Measure::rate;
    drop.span_s = 900;
    drop.of_span_s = kDay;
    drop.comparison = Comparison::below;
    drop.fire_at = 0.5;
    drop.clear_at = 0.7;
    drop.for_s = 300;
    drop.clear_for_s = 300;
    drop.summary =
        "The hash rate of the last quarter of an hour is {value} times the last day's. See "
        "whether miners can reach the pool and whether one large miner left.";
    rules.push_back(std::move(drop));

    rules.push_back(grows("miners_refused", "adit_net_refused_total{reason=\"max_connections\"}",
                          300, Severity::warning,
                          "Miners are turned away because the pool is full: raise "
                          "limits.miners."));
    rules.push_back(grows("descriptors_gone", "adit_net_descriptor_pauses_total", 300,
                          Severity::critical,
                          "No file descriptor was left for a connection: raise LimitNOFILE of the "
                          "service, or `ulimit -n`."));
}

void add_machine(std::vector<AlertRule>& rules) {
    AlertRule part;
    part.name = "part_unhealthy";
    part.series = {"adit_health_part"};
    part.fire_at = part.clear_at = 1.5;
    part.for_s = 25;
    part.clear_for_s = 10;
    part.severity = Severity::critical;
    part.summary =
        "A part of the pool fails its probes: {series}. `adit manager health` names the cause and "
        "the remedy.";
    rules.push_back(std::move(part));
    rules.push_back(level("disk_low", "adit_disk_free_ratio", Comparison::below, 0.10, 0.12, 60,
                          Severity::warning,
                          "Only {value} of a disk is free: {series}. Free space, or archive "
                          "sealed segments of the log."));
    rules.push_back(level("disk_full_soon", "adit_disk_free_ratio", Comparison::below, 0.03, 0.04,
                          30, Severity::critical,
                          "Only {value} of a disk is free: {series}. When it is full every share "
                          "is refused: free space now."));
    AlertRule files;
    files.name = "descriptors_low";
    files.series = {"adit_process_open_files"};
    files.of = {"adit_process_max_files"};
    files.fire_at = 0.85;
    files.clear_at = 0.75;
    files.for_s = 30;
    files.clear_for_s = 60;
    files.summary =
        "{value} of all file descriptors are in use. Raise LimitNOFILE of the service, or `ulimit "
        "-n`, above limits.miners + 256 and restart.";
    rules.push_back(std::move(files));
    rules.push_back(level("memory_low", "adit_machine_memory_available_ratio", Comparison::below,
                          0.05, 0.08, 60, Severity::warning,
                          "Only {value} of the machine's memory is available. See what takes it, "
                          "before the kernel ends the pool."));
    rules.push_back(grows("history_not_saved", "adit_history_save_failures_total", 600,
                          Severity::info,
                          "The history of metrics cannot be written; charts and alerts begin anew "
                          "after a restart. See whether the data directory's disk is full."));
}

}  // namespace

std::string_view name_of(Severity severity) {
    switch (severity) {
        case Severity::info:
            return "info";
        case Severity::warning:
            return "warning";
        case Severity::critical:
            return "critical";
    }
    return "unknown";
}

std::string_view name_of(Measure measure) {
    switch (measure) {
        case Measure::value:
            return "value";
        case Measure::mean:
            return "mean";
        case Measure::rate:
            return "rate";
    }
    return "unknown";
}

std::string_view name_of(Comparison comparison) {
    switch (comparison) {
        case Comparison::above:
            return "above";
        case Comparison::below:
            return "below";
        case Comparison::differs:
            return "differs";
        case Comparison::absent:
            return "absent";
    }
    return "unknown";
}

std::expected<void, std::string> check_rule(const AlertRule& rule) {
    const auto wrong = [&](std::string_view why) {
        return std::unexpected(fmt::format("alert rule {}: {}", rule.name, why));
    };
    constexpr std::size_t kMaxSelectors = 32;
    constexpr std::size_t kMaxText = 1'000;
    constexpr std::size_t kMaxName = 64;
    const auto is_name = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    if (rule.name.empty() || rule.name.size() > kMaxName ||
        !std::ranges::all_of(rule.name, is_name)) {
        return wrong("a name has 1 to 64 lower-case letters, digits and underscores");
    }
    if (rule.series.empty()) return wrong("name the series that it watches");
    if (rule.series.size() > kMaxSelectors || rule.of.size() > kMaxSelectors)
        return wrong("at most 32 series can be named");
    if (rule.summary.empty() || rule.summary.size() > kMaxText)
        return wrong("the summary has 1 to 1,000 bytes and says what to do");
    if (!std::isfinite(rule.fire_at) || !std::isfinite(rule.clear_at))
        return wrong("thresholds are numbers");
    for (const auto seconds : {rule.for_s, rule.clear_for_s, rule.repeat_s, rule.of_span_s}) {
        if (seconds < 0 || seconds > kLongest) return wrong("times are 0 s to 90 days");
    }
    if (rule.measure != Measure::value && (rule.span_s < 1 || rule.span_s > kLongest))
        return wrong("a mean or rate needs a span of 1 s to 90 days");
    if (rule.comparison == Comparison::above && rule.clear_at > rule.fire_at)
        return wrong("it clears at or below the value at which it fires");
    if (rule.comparison == Comparison::below && rule.clear_at < rule.fire_at)
        return wrong("it clears at or above the value at which it fires");
    if (rule.comparison == Comparison::differs && rule.clear_at != rule.fire_at)
        return wrong("it clears at the value from which it must not differ");
    return {};
}

std::vector<AlertRule> default_rules() {
    std::vector<AlertRule> rules;
    add_work(rules);
    add_log(rules);
    add_money(rules);
    add_blocks(rules);
    add_miners(rules);
    add_machine(rules);
    return rules;
}

}  // namespace adit::metrics
