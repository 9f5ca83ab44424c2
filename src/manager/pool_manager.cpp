#include "manager/pool_manager.h"

#include "chain/address.h"
#include "manager/component_probes.h"
#include "manager/control_handlers.h"
#include "manager/payout_json.h"
#include "manager/payout_side.h"
#include "manager/pool_parts.h"
#include "manager/recovered_job.h"
#include "manager/scan_position.h"
#include "manager/workflow_side.h"
#include "net/file_limit.h"
#include "node/chain_progress.h"

namespace adit::manager {
namespace {

// Most that the end of the pool waits for nodes that have not yet answered for a block.
constexpr std::int64_t kBlockWaitMs = 3'000;
// Most that a fact waits for log and ledger.
constexpr std::int64_t kFactWaitMs = 10'000;
// How long a start waits for the ledger before it leaves the reward rules for later.
constexpr std::int64_t kCatchUpMs = 1'000;
// Most that an operation takes when nobody names a time.
constexpr std::int64_t kCommandMs = 30'000;

}  // namespace

// Members in the order they are built; destruction is the reverse.
struct PoolManager::Parts {
    Parts(Config pool_config, const base::Clock& pool_clock, metrics::Registry& pool_registry,
          base::Logger& pool_logger)
        : config(std::move(pool_config)),
          clock(pool_clock),
          registry(pool_registry),
          logger(pool_logger) {}

    Config config;
    const base::Clock& clock;
    metrics::Registry& registry;
    base::Logger& logger;

    base::Bytes payout_script;
    store::PosixFileSystem files;
    std::optional<store::DataDir> dir;
    std::unique_ptr<store::ExtranonceStore> extranonce_store;
    std::unique_ptr<StoredExtranonces> extranonces;
    std::unique_ptr<store::CandidateStore> candidates;
    std::unique_ptr<store::FileShareLog> log;
    std::unique_ptr<store::SqlLedger> slices;
    std::unique_ptr<store::TallyThread> tally;
    std::unique_ptr<store::LogFactSink> facts;
    std::unique_ptr<Settler> settler;
    std::string wallet_node;              // its name stays, whatever a reload does
    std::unique_ptr<PayoutDesk> payouts;  // null: no wallet pays
    std::atomic<std::int64_t> threshold_sat{0};
    std::atomic<std::size_t> most_connections{0};
    std::unique_ptr<BlockDesk> blocks;
    std::unique_ptr<stratum::Server> server;
    std::unique_ptr<JobDesk> jobs;
    std::unique_ptr<SnapshotDesk> snapshots;  // only when coinbases pay the miners
    mutable std::mutex node_mutex;            // guards nodes and scanned against reload()
    std::optional<ScanPosition> scanned;
    NodeSide nodes;
    std::unique_ptr<Sampler> sampler;
    std::unique_ptr<HealthMonitor> health;
    std::unique_ptr<MetricsDesk> metrics;
    std::int64_t started_ms = 0;
    std::atomic<bool> running{false};
    std::atomic<PoolState> phase{PoolState::stopped};  // never degraded: see state()
    bool answered = true;
    std::unique_ptr<WorkflowDesk> workflows;
    std::unique_ptr<ControlSocket> control;

    std::expected<void, std::string> start();
    std::expected<void, std::string> open_store();
    std::expected<void, std::string> open_payouts();
    std::expected<void, std::string> listen();
    std::expected<void, std::string> take_commands();
    void make_snapshot_desk();
    std::expected<void, std::string> check_files() const;
    NodeSide connect();
    // After the nodes or what is live of [payout] have changed.
    std::expected<void, std::string> renew_payouts();
    std::vector<std::unique_ptr<Probe>> probes();
    void make_workflow_desk();
    std::optional<metrics::ChainProgress> chain_progress() const;
    PoolState state() const;
    // A refusal unless the pool runs.
    Outcome<void> require_running() const;
    PoolSummary summary() const;
    // With node_mutex held.
    void keep_scan_position();
    bool stop(std::int64_t limit_ms);
};

std::expected<void, std::string> PoolManager::Parts::check_files() const {
    const auto needed = files_needed(config);
    const auto limit = net::raise_file_limit(needed);
    if (limit.now >= needed) return {};
    return std::unexpected(fmt::format(
        "limits.miners = {} needs {} open files, but the system allows {}; lower limits.miners to "
        "{} or raise the limit (ulimit -n, or LimitNOFILE= of the service)",
        config.limits.miners, needed, limit.now,
        limit.now > needed - static_cast<std::uint64_t>(config.limits.miners)
            ? limit.now - (needed - static_cast<std::uint64_t>(config.limits.miners))
            : 0));
}

std::expected<void, std::string> PoolManager::Parts::open_store() {
    auto opened = store::DataDir::open(config.pool.data_dir);
    if (!opened) return std::unexpected(opened.error());
    dir.emplace(std::move(*opened));
    auto extranonce = store::ExtranonceStore::open(files, dir->extranonce_file());
    if (!extranonce) return std::unexpected(extranonce.error());
    extranonce_store = std::move(*extranonce);
    extranonces = std::make_unique<StoredExtranonces>(*extranonce_store, registry, logger);
    auto blocks_folder = store::CandidateStore::open(files, dir->blocks_dir(), clock);
    if (!blocks_folder) return std::unexpected(blocks_folder.error().text());
    candidates = std::move(*blocks_folder);
    auto share_log =
        store::FileShareLog::open(files, log_settings(config, *dir), clock, registry, logger);
    if (!share_log) return std::unexpected(share_log.error().text());
    log = std::move(*share_log);
    const auto ledger_settings = sql_ledger_settings(config, *dir, log->slice_s());
    auto ledger = store::SqlLedger::open(ledger_settings);
    if (!ledger) return std::unexpected(ledger.error());
    slices = std::move(*ledger);
    store::TallySettings tally_settings;
    tally_settings.log_dir = dir->log_dir();
    tally = std::make_unique<store::TallyThread>(files, tally_settings, *log, *slices, clock,
                                                 registry, logger);
    if (auto started = tally->start(); !started) return started;
    facts = std::make_unique<store::LogFactSink>(*log, *tally, clock, kFactWaitMs);
    settler =
        std::make_unique<Settler>(watch_settings(config), *slices, *facts, registry, clock, logger);
    // Before the first share, unless the ledger has much to catch up with: then the miners go
    // first.
    if (!tally->wait_folded(log->durable_position(), kCatchUpMs)) {
        settler->want_rules(rules_of(config));
    } else if (const auto ruled = settler->set_rules(rules_of(config)); !ruled) {
        logger.warning("ledger", "the reward rules could not be written down yet",
                       {{"why", ruled.error()}});
    }
    return {};
}

std::expected<void, std::string> PoolManager::Parts::open_payouts() {
    wallet_node = manager::wallet_node(config).name;
    threshold_sat = config.payout.threshold_sat;
    auto& impossible = registry.gauge("adit_payouts_impossible",
                                      "1 when a wallet should pay and pool.address forbids it.");
    if (const auto fault = payout_address_fault(config)) {
        impossible.set(1);
        logger.error("payout", *fault,
                     {{"instead",
                       "an address of the wallet that begins with bc1, or "
                       "payout.mode = \"none\""}});
    }
    if (!why_no_payouts(config).empty()) return {};
    auto service = wallet_payouts(config, wallet_node, *slices, *facts, registry, clock, logger);
    if (!service) return std::unexpected(service.error());
    payouts = std::make_unique<PayoutDesk>(std::move(*service), PayoutDeskSettings{}, *slices,
                                           registry, clock, logger);
    return {};
}

std::expected<void, std::string> PoolManager::Parts::take_commands() {
    ControlDesk desk{
        .payouts = payouts.get(),
        .why_no_payouts = why_no_payouts(config),
        .reader = *slices,
        .sink = *facts,
        .clock = clock,
        .logger = logger,
        .network = config.pool.chain,
        .threshold_sat = [this] { return threshold_sat.load(); },
        .knows_account = [this](std::string_view name) { return knows_account(*slices, name); },
        .pool_status = [this] { return summary_json(summary()); },
        .health = [this](bool probe, std::stop_token stop) -> Outcome<HealthReport> {
            if (const auto runs = require_running(); !runs) return std::unexpected(runs.error());
            if (!probe) return health->report();
            return health->check({clock.steady_ms() + kCommandMs, std::move(stop)});
        },
        .metrics = [this](const MetricsQuery& query) -> Outcome<MetricsReport> {
            if (const auto runs = require_running(); !runs) return std::unexpected(runs.error());
            return metrics->report(query);
        },
        .workflows = workflows.get()};
    auto opened =
        ControlSocket::open(dir->root(), control_handlers(std::move(desk)), {}, clock, logger);
    if (!opened) return std::unexpected(opened.error());
    control = std::move(*opened);
    return {};
}

std::expected<void, std::string> PoolManager::Parts::listen() {
    blocks = std::make_unique<BlockDesk>(*candidates, *log, registry, clock, logger);
    auto recorded = store::recorded_blocks(files, dir->log_dir(), *log, *slices);
    if (!recorded) {
        logger.error("block", "it cannot be told which blocks are in the books",
                     {{"why", recorded.error()}});
    }
    if (const auto opened =
            blocks->open(recorded ? std::optional(std::move(*recorded)) : std::nullopt);
        !opened) {
        return opened;
    }
    server = std::make_unique<stratum::Server>(server_settings(config), *log, *blocks, *extranonces,
                                               clock, registry, logger);
    jobs = std::make_unique<JobDesk>(job_settings(config, payout_script), log->next_job_id(), *log,
                                     *server, registry, clock, logger);
    if (config.payout.mode == share::PayoutMode::coinbase && !pays_finders(config)) {
        make_snapshot_desk();
    }
    try {
        server->start();
    } catch (const std::runtime_error& error) {
        return std::unexpected(error.what());
    }
    for (const auto& address : server->addresses()) {
        logger.info("stratum", "listening", {{"address", address.text()}});
    }
    return {};
}

void PoolManager::Parts::make_snapshot_desk() {
    snapshots = std::make_unique<SnapshotDesk>(
        snapshot_settings(config),
        SnapshotDesk::Parts{
            *slices, *facts,
            [this] { return tally->wait_folded(log->durable_position(), kCatchUpMs); },
            [this](const chain::Hash256& hash) { return blocks->knows(hash); },
            [this] { settler->kick(); },
            [this](job::PayoutSnapshotRef snapshot) { jobs->set_snapshot(std::move(snapshot)); }},
        registry, clock, logger);
}

NodeSide PoolManager::Parts::connect() {
    NodeSide side;
    const auto settings = node_settings(config);
    node::SubmitterSettings submitter;
    submitter.network = config.pool.chain;
    submitter.nodes = settings;
    side.submitter = std::make_shared<node::BlockSubmitter>(submitter, registry, clock, logger);
    side.pool = std::make_unique<node::NodePool>(pool_settings(config), registry, clock, logger);
    if (nodes.pool) side.pool->resume(nodes.pool->last());
    side.submitter->set_listener([this, pool = side.pool.get()](const node::SubmitReport& report) {
        blocks->on_report(report);
        pool->on_report(report);
        // Work on the block just accepted should begin now, not with the next probe.
        if (report.state == node::SubmitState::accepted) {
            pool->kick();
            settler->kick();
        }
    });
    node::ChainScanSettings scan;
    scan.network = config.pool.chain;
    scan.nodes = settings;
    scan.payout_script = payout_script;
    scan.signature = config.pool.signature;
    scan.resume_height = scanned->height();
    side.scan = std::make_unique<node::ChainScan>(
        scan, [this](const chain::Hash256& hash) { return blocks->knows(hash); },
        [this](const chain::Transaction& coinbase) { return pays_by_snapshot(coinbase, *slices); },
        [this](const node::OwnBlock& block) {
            blocks->recover(block, recovered_job(block, jobs->take_id(), config.pool.chain,
                                                 config.pool.signature, *slices, logger));
        },
        registry, clock, logger);
    side.pool->set_listener([this](job::TemplateRef source) {
        const bool is_new_tip = jobs->on_template(source);
        if (snapshots) snapshots->on_template(*source);
        if (!is_new_tip) return;
        settler->kick();
        if (payouts) payouts->kick();
    });
    side.submitter->start();
    blocks->set_submitter(side.submitter);
    side.scan->start();
    side.pool->start();
    return side;
}

std::expected<void, std::string> PoolManager::Parts::start() {
    const auto script =
        chain::script_of_address(config.pool.address, chain::params(config.pool.chain));
    if (!script) return std::unexpected(std::string(chain::describe(script.error())));
    payout_script = *script;
    if (const auto enough = check_files(); !enough) return enough;
    if (const auto opened = open_store(); !opened) return opened;
    if (const auto opened = open_payouts(); !opened) return opened;
    if (const auto listening = listen(); !listening) return listening;
    {
        const std::lock_guard lock(node_mutex);
        scanned.emplace(files, dir->scan_file(), logger);
        nodes = connect();
    }
    settler->start();
    if (payouts) payouts->start();
    if (snapshots) snapshots->start();
    sampler = std::make_unique<Sampler>([this] { return server->accepted_difficulty(); },
                                        [this] {
                                            const std::lock_guard lock(node_mutex);
                                            keep_scan_position();
                                        },
                                        dir->root() / "metrics.prom", registry, clock, logger);
    try {
        metrics = std::make_unique<MetricsDesk>(
            metrics_settings(config), [this] { return chain_progress(); }, files, registry, clock,
            logger);
    } catch (const std::invalid_argument& error) {
        return std::unexpected(error.what());
    }
    health = std::make_unique<HealthMonitor>(probes(), HealthSettings{}, registry, clock, logger);
    most_connections = static_cast<std::size_t>(config.limits.miners);
    started_ms = clock.steady_ms();
    running = true;
    make_workflow_desk();
    if (const auto taken = take_commands(); !taken) return taken;
    phase = PoolState::running;
    health->start();
    metrics->start();
    return {};
}

void PoolManager::Parts::make_workflow_desk() {
    WorkflowSources sources{.files = files,
                            .log_dir = dir->log_dir(),
                            .log = *log,
                            .ledger = *slices,
                            .tally = *tally,
                            .payouts = payouts.get(),
                            .why_no_payouts = why_no_payouts(config),
                            .why_closed =
                                [this] {
                                    const auto most = most_connections.load();
                                    return server->snapshot().connections < most
                                               ? std::string()
                                               : connections_used_up(most);
                                },
                            .submissions =
                                [this] {
                                    const std::lock_guard lock(node_mutex);
                                    return nodes.submitter->reports();
                                },
                            .tip_height = [this] { return jobs->height() - 1; },
                            .maturity = static_cast<std::int32_t>(config.rewards.maturity),
                            .threshold_sat = [this] { return threshold_sat.load(); }};
    workflows = std::make_unique<WorkflowDesk>(
        workflow_work(std::move(sources), listeners_of(config, *server), config.pool, clock),
        clock);
}

std::vector<std::unique_ptr<Probe>> PoolManager::Parts::probes() {
    std::vector<std::unique_ptr<Probe>> all;
    all.push_back(stratum_probe(
        listeners_of(config, *server),
        [this] { return server->snapshot().connections >= most_connections.load(); }, clock));
    all.push_back(log_probe(*log, dir->log_dir(), clock));
    all.push_back(ledger_probe(*log, *tally, *slices, clock));
    all.push_back(node_probe({[this] {
                                  const std::lock_guard lock(node_mutex);
                                  return node_settings(config);
                              },
                              [this] {
                                  const std::lock_guard lock(node_mutex);
                                  return nodes.pool->status();
                              }},
                             clock));
    if (payouts) all.push_back(payout_probe(*payouts, clock));
    return all;
}

std::optional<metrics::ChainProgress> PoolManager::Parts::chain_progress() const {
    std::vector<node::NodeSettings> settings;
    {
        const std::lock_guard lock(node_mutex);
        settings = node_settings(config);
    }
    return node::chain_progress(settings, config.pool.chain);
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

std::expected<void, std::string> PoolManager::Parts::renew_payouts() {
    threshold_sat = config.payout.threshold_sat;
    if (!payouts) return {};
    auto service = wallet_payouts(config, wallet_node, *slices, *facts, registry, clock, logger);
    if (!service) {
        return std::unexpected(service.error() + "; payouts go on as they were until a restart");
    }
    payouts->replace(std::move(*service));
    return {};
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
    if (health) health->stop();
    if (metrics) metrics->stop();
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
    : parts_(std::make_unique<Parts>(std::move(config), clock, registry, logger)) {}

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
    parts.most_connections = static_cast<std::size_t>(wanted.limits.miners);
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

PoolState PoolManager::state() const {
    return parts_->state();
}

Outcome<HealthReport> PoolManager::coordinate_component_health_check(const CallLimits& limits) {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->health->check(limits);
}

Outcome<MetricsReport> PoolManager::coordinate_real_time_metrics(const MetricsQuery& query) const {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->metrics->report(query);
}

Outcome<WorkflowReport> PoolManager::execute_complete_mining_workflow(
    const WorkflowRequest& request, const CallLimits& limits) {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->workflows->run(request, limits);
}

Outcome<HealthReport> PoolManager::health() const {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->health->report();
}

PoolSummary PoolManager::summary() const {
    return parts_->summary();
}

std::vector<std::string> PoolManager::addresses() const {
    std::vector<std::string> addresses;
    for (const auto& address : parts_->server->addresses())
        addresses.push_back(address.text());
    return addresses;
}

}  // namespace adit::manager
