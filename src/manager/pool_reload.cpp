#include "manager/payout_side.h"
#include "manager/pool_manager_parts.h"

namespace adit::manager {

ReloadReport PoolManager::reload(const Config& wanted) {
    auto& parts = *parts_;
    const auto changes = changes_between(parts.config, wanted);
    ReloadReport report{changes.live, changes.needs_restart, {}};
    const bool nodes_change = parts.config.nodes != wanted.nodes;
    const bool payout_changes =
        parts.config.payout != payout_of(parts.config.payout, wanted.payout);
    {
        const std::lock_guard lock(parts.node_mutex);  // the node probe reads them
        parts.config.nodes = wanted.nodes;
    }
    parts.config.difficulty = wanted.difficulty;
    const auto threads = parts.config.limits.threads;
    parts.config.limits = wanted.limits;
    parts.config.limits.threads = threads;
    parts.config.log.level = wanted.log.level;
    if (const auto enough = parts.check_files(); !enough) report.problems.push_back(enough.error());
    parts.logger.set_level(wanted.log.level);
    parts.server->set_limits(server_limits(parts.config));
    parts.server->reload(session_settings(parts.config));
    for (auto& problem : parts.server->reload_certificates()) {
        report.problems.push_back(std::move(problem));
    }
    if (nodes_change) {
        const std::lock_guard lock(parts.node_mutex);
        // The old submitter goes on until the new one has all blocks: none is ever without.
        parts.nodes.stop_sources();
        parts.keep_scan_position();
        auto next = parts.connect();
        parts.nodes.stop();
        parts.nodes = std::move(next);
        parts.settler->set_nodes(node_settings(parts.config));
        if (parts.snapshots) parts.snapshots->set_nodes(node_settings(parts.config));
    }
    parts.config.payout = payout_of(parts.config.payout, wanted.payout);
    if (nodes_change || payout_changes) {
        if (const auto renewed = parts.renew_payouts(); !renewed) {
            report.problems.push_back(renewed.error());
        }
    }
    parts.config.rewards = rewards_of(parts.config, wanted.rewards);
    if (const auto ruled = parts.settler->set_rules(rules_of(parts.config)); !ruled) {
        report.problems.push_back(ruled.error());
    }
    return report;
}

}  // namespace adit::manager
