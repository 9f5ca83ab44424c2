#include "manager/pool_manager.h"

#include "manager/pool_manager_parts.h"
#include "node/chain_progress.h"

namespace adit::manager {
namespace {

// Most that the end of the pool waits for nodes that have not yet answered for a block.
constexpr std::int64_t kBlockWaitMs = 3'000;

}  // namespace

std::optional<metrics::ChainProgress> PoolManager::Parts::chain_progress(
    std::stop_token stop) const {
    std::vector<node::NodeSettings> settings;
    {
        const std::lock_guard lock(node_mutex);
        settings = node_settings(config);
    }
    return node::chain_progress(settings, config.pool.chain, std::move(stop));
}

PoolState PoolManager::Parts::state() const {
    const auto now = phase.load();
    if (now != PoolState::running) return now;
    const auto report = health->report();
    const bool probed = std::ranges::none_of(
        report.parts, [](const PartHealth& part) { return part.state == HealthState::unknown; });
    return probed && report.state != HealthState::healthy ? PoolState::degraded
                                                          : PoolState::running;
}

Outcome<void> PoolManager::Parts::require_running() const {
    const auto now = phase.load();
    if (is_serving(now)) return {};
    return std::unexpected(OperationRefusal{
        RefusalKind::wrong_state, fmt::format("the pool is {}, not running", name_of(now))});
}

PoolSummary PoolManager::Parts::summary() const {
    PoolSummary summary;
    if (!running) return summary;
    const auto now = server->snapshot();
    summary.uptime_ms = clock.steady_ms() - started_ms;
    summary.height = jobs->height();
    summary.network_difficulty = jobs->network_difficulty();
    summary.connections = now.connections;
    summary.miners = now.authorized;
    summary.hashrate_1m = sampler->hashrate(60);
    summary.hashrate_10m = sampler->hashrate(600);
    summary.accepted = now.accepted;
    for (const auto count : now.refused)
        summary.refused += count;
    summary.blocks_found = blocks->found();
    summary.blocks_accepted = blocks->accepted();
    {
        const std::lock_guard lock(node_mutex);
        const auto status = nodes.pool->status();
        summary.node = status.active;
        summary.templates_stale = status.templates_stale;
        summary.nodes = status.nodes.size();
        for (const auto& node : status.nodes)
            summary.nodes_up += node.state == node::NodeState::up;
    }
    summary.log_available = log->state() == store::LogState::running;
    summary.tally_error = tally->error();
    summary.shares_in_log = log->shares_recorded();
    if (payouts) summary.payouts = payouts->view();
    return summary;
}

void PoolManager::Parts::keep_scan_position() {
    if (nodes.scan) scanned->save(nodes.scan->position());
}

bool PoolManager::Parts::stop(std::int64_t limit_ms) {
    if (running) logger.info("pool", "stopping: answering the shares under way");
    running = false;
    if (phase != PoolState::failed) phase = PoolState::stopping;
    const auto deadline_ms = clock.steady_ms() + limit_ms;
    if (workflows) workflows->request_stop();
    if (server) {
        server->stop_accepting();
        answered = server->drain(
            std::chrono::steady_clock::time_point(std::chrono::milliseconds(deadline_ms)));
    }
    // Commands and payouts under way come to an end soon: facts are waited for no more. Miners were
    // answered first, since a command may wait for a wallet.
    if (facts) facts->stop();
    if (payouts) payouts->stop();
    if (control) control->stop();
    if (workflows) workflows->stop();
    if (metrics) metrics->stop();
    if (web) web->stop();
    if (health) health->stop();
    sampler.reset();
    if (settler) settler->stop();
    if (snapshots) snapshots->stop();
    {
        const std::lock_guard lock(node_mutex);
        nodes.stop_sources();
        keep_scan_position();
        nodes.await_answers(clock, std::min(deadline_ms, clock.steady_ms() + kBlockWaitMs));
        nodes.stop();
    }
    if (blocks) blocks->stop();
    if (log) log->close();
    if (tally) tally->stop();
    nodes = {};
    if (phase != PoolState::failed) phase = PoolState::stopped;
    return answered;
}

PoolManager::PoolManager(Config config, const base::Clock& clock, metrics::Registry& registry,
                         base::Logger& logger)
    : parts_(std::make_unique<Parts>(*this, std::move(config), clock, registry, logger)) {}

PoolManager::~PoolManager() {
    stop();
}

std::expected<void, std::string> PoolManager::start() {
    parts_->phase = PoolState::starting;
    auto started = parts_->start();
    if (!started) {
        parts_->phase = PoolState::failed;
        parts_->stop(1'000);
    }
    return started;
}

bool PoolManager::stop(std::int64_t limit_ms) {
    return parts_->stop(limit_ms);
}

PoolState PoolManager::state() const {
    return parts_->state();
}

PoolSummary PoolManager::summary() const {
    return parts_->summary();
}

std::string PoolManager::http_address() const {
    return parts_->web ? parts_->web->address().text() : std::string();
}

std::vector<std::string> PoolManager::addresses() const {
    std::vector<std::string> addresses;
    for (const auto& address : parts_->server->addresses())
        addresses.push_back(address.text());
    return addresses;
}

}  // namespace adit::manager
