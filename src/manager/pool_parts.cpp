#include "manager/pool_parts.h"

#include "base/wait.h"
#include "manager/config_service.h"

#include <cmath>

namespace adit::manager {
namespace {

constexpr std::uint64_t kOtherFiles = 256;  // log, ledger, nodes, listeners, libraries
constexpr std::size_t kMostShards = 16;
// Jobs are refreshed this much before refresh_s has passed, so that miners hear of one in time and
// no connection needs a keep-alive of its own.
constexpr int kRefreshLeadMs = 1'000;
// Own blocks are looked at this often, besides at every new tip: a block that was just found is not
// in the ledger yet when its tip arrives.
constexpr int kBlockWatchMs = 5'000;

}  // namespace

bool pays_finders(const Config& config) {
    return config.payout.mode == share::PayoutMode::coinbase &&
           config.rewards.scheme == share::RewardScheme::solo;
}

job::JobMakerSettings job_settings(const Config& config, base::Bytes payout_script) {
    job::JobMakerSettings settings{std::move(payout_script), config.pool.signature};
    if (pays_finders(config)) settings.finder_fee_ppm = config.rewards.fee_ppm;
    return settings;
}

std::shared_ptr<const stratum::SessionSettings> session_settings(const Config& config) {
    auto settings = std::make_shared<stratum::SessionSettings>();
    settings->network = config.pool.chain;
    settings->difficulty_start = config.difficulty.start;
    settings->difficulty_min = config.difficulty.min;
    settings->difficulty_max = config.difficulty.max;
    settings->share_interval_s = config.difficulty.share_interval_s;
    settings->transactions = config.job.get_transactions;
    settings->workers_per_connection =
        static_cast<std::size_t>(config.limits.workers_per_connection);
    settings->one_address = pays_finders(config);
    settings->handshake_timeout_ms = config.limits.handshake_s * 1000;
    settings->idle_timeout_ms = config.limits.idle_s * 1000;
    return settings;
}

stratum::ServerLimits server_limits(const Config& config) {
    stratum::ServerLimits limits;
    limits.miners = static_cast<std::uint32_t>(config.limits.miners);
    limits.per_ip = static_cast<std::uint32_t>(config.limits.per_ip);
    limits.handshakes_per_s = static_cast<std::uint32_t>(config.limits.handshakes_per_s);
    limits.ban_ms = config.limits.ban_s * 1000;
    return limits;
}

stratum::ServerSettings server_settings(const Config& config) {
    stratum::ServerSettings settings;
    for (const auto& listen : config.stratum) {
        settings.listen.push_back(
            {listen.listen, listen.tls_certificate, listen.tls_key, listen.proxy_protocol});
    }
    settings.shards = shard_count(config, std::thread::hardware_concurrency());
    settings.limits = server_limits(config);
    settings.session = session_settings(config);
    return settings;
}

store::ShareLogSettings log_settings(const Config& config, const store::DataDir& dir) {
    store::ShareLogSettings settings;
    settings.dir = dir.log_dir();
    settings.segment_bytes = static_cast<std::uint64_t>(config.share.segment_mib) << 20;
    settings.queue_shares = static_cast<std::size_t>(config.share.queue);
    settings.batch_shares = std::min(settings.batch_shares, settings.queue_shares);
    settings.gather_us = config.share.gather_us;
    settings.stall_ms = config.share.stall_ms;
    return settings;
}

store::SqlLedgerSettings sql_ledger_settings(const Config& config, const store::DataDir& dir,
                                             std::uint32_t slice_s) {
    store::SqlLedgerSettings settings;
    settings.database = store::ledger_database(config.store.ledger, dir.root());
    settings.slice_s = slice_s;
    return settings;
}

node::BlockWatchSettings watch_settings(const Config& config) {
    node::BlockWatchSettings settings;
    settings.network = config.pool.chain;
    settings.nodes = node_settings(config);
    settings.interval_ms = kBlockWatchMs;
    settings.rules.maturity = static_cast<std::int32_t>(config.rewards.maturity);
    return settings;
}

SnapshotSettings snapshot_settings(const Config& config) {
    SnapshotSettings settings;
    settings.network = config.pool.chain;
    settings.nodes = node_settings(config);
    settings.max_outputs = static_cast<std::uint32_t>(config.payout.coinbase_outputs);
    settings.dust = chain::Amount::of(config.payout.coinbase_dust_sat);
    return settings;
}

MetricsSettings metrics_settings(const Config& config) {
    MetricsSettings settings;
    settings.pool_name = config.pool.name;
    settings.data_dir = config.pool.data_dir;
    settings.rules = alert_rules(config.alert);
    for (std::size_t i = 0; i < config.alert.webhooks.size(); ++i) {
        const auto& webhook = config.alert.webhooks[i];
        settings.webhooks.push_back({fmt::format("{}-{}", webhook.format, i + 1), webhook.url,
                                     *net::parse_webhook_format(webhook.format), webhook.secret});
    }
    return settings;
}

share::RulesRecord rules_of(const Config& config) {
    share::RulesRecord rules;
    rules.scheme = config.rewards.scheme;
    rules.mode = config.payout.mode;
    rules.pplns_factor_milli = config.rewards.pplns_factor_milli;
    rules.fee_ppm = config.rewards.fee_ppm;
    rules.fee_account = config.rewards.fee_account;
    return rules;
}

RewardsConfig rewards_of(const Config& running, const RewardsConfig& wanted) {
    auto rewards = wanted;
    rewards.maturity = running.rewards.maturity;
    if (running.payout.mode == share::PayoutMode::coinbase) {
        rewards.scheme = running.rewards.scheme;
        if (pays_finders(running)) rewards.fee_ppm = running.rewards.fee_ppm;
    }
    return rewards;
}

std::vector<node::NodeSettings> node_settings(const Config& config) {
    std::vector<node::NodeSettings> nodes;
    for (const auto& node : config.nodes) {
        nodes.push_back(
            {node.name, node.rpc, node.cookie_file, node.user, node.password, node.zmq_hashblock});
    }
    return nodes;
}

node::NodePoolSettings pool_settings(const Config& config) {
    node::NodePoolSettings settings;
    settings.network = config.pool.chain;
    settings.nodes = node_settings(config);
    settings.refresh_ms = std::max(kRefreshLeadMs / 2,
                                   static_cast<int>(config.job.refresh_s * 1000) - kRefreshLeadMs);
    // Rounded up: a fraction of a percent is not "any rise".
    settings.min_fee_rise_percent = static_cast<int>(std::ceil(config.job.min_fee_rise_percent));
    return settings;
}

std::size_t shard_count(const Config& config, unsigned cores) {
    if (config.limits.threads != 0) return static_cast<std::size_t>(config.limits.threads);
    return std::clamp<std::size_t>(cores == 0 ? 1 : cores - 1, 1, kMostShards);
}

ledger::Stored<bool> knows_account(store::SqlLedger& ledger, std::string_view name) {
    const auto balance = ledger.balance_of(name);
    if (!balance) return std::unexpected(balance.error());
    if (!balance->is_zero()) return true;
    const auto accounts = ledger.accounts();
    if (!accounts) return std::unexpected(accounts.error());
    return std::ranges::any_of(*accounts, [&](const auto& one) { return one.name == name; });
}

std::uint64_t files_needed(const Config& config) {
    return static_cast<std::uint64_t>(config.limits.miners) + kOtherFiles;
}

StoredExtranonces::StoredExtranonces(store::ExtranonceStore& store, metrics::Registry& registry,
                                     base::Logger& logger)
    : store_(store),
      failures_(registry.counter("adit_extranonce_failures_total",
                                 "Reservations of extranonces that could not be made durable")),
      logger_(logger) {}

std::optional<stratum::ExtranonceSource::Range> StoredExtranonces::reserve(std::uint64_t count) {
    const auto range = store_.reserve(count);
    if (!range) {
        failures_.add();
        logger_.error("stratum", "no extranonces for new miners: the data directory refuses writes",
                      {{"why", range.error().text()}});
        return std::nullopt;
    }
    return Range{range->begin, range->end};
}

bool is_answered(const node::SubmitReport& report) {
    if (report.state != node::SubmitState::pending || report.first_answer_ms != 0) return true;
    return std::ranges::none_of(report.nodes, [](const node::NodeOutcome& outcome) {
        return outcome.verdict == node::NodeVerdict::waiting;
    });
}

void NodeSide::stop_sources() {
    if (pool) pool->stop();
    if (scan) scan->stop();
}

bool NodeSide::await_answers(const base::Clock& clock, std::int64_t deadline_ms) const {
    if (!submitter) return true;
    return base::wait_until(clock, deadline_ms, [this] {
        return std::ranges::all_of(submitter->reports(), is_answered);
    });
}

void NodeSide::stop() {
    stop_sources();
    if (submitter) submitter->stop();
}

}  // namespace adit::manager
