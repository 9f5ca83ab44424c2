// How a pool is built from its configuration, in order.
#include "chain/address.h"
#include "manager/component_probes.h"
#include "manager/control_handlers.h"
#include "manager/manager_json.h"
#include "manager/own_listener.h"
#include "manager/payout_json.h"
#include "manager/payout_side.h"
#include "manager/pool_manager_parts.h"
#include "manager/recovered_job.h"
#include "manager/workflow_side.h"
#include "net/file_limit.h"

namespace adit::manager {
namespace {

// Most that a fact waits for log and ledger.
constexpr std::int64_t kFactWaitMs = 10'000;
// How long a start waits for the ledger before it leaves the reward rules for later.
constexpr std::int64_t kCatchUpMs = 1'000;

}  // namespace

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
        .operations = operations_of(manager)};
    auto opened =
        ControlSocket::open(dir->root(), control_handlers(std::move(desk)), {}, clock, logger);
    if (!opened) return std::unexpected(opened.error());
    control = std::move(*opened);
    return {};
}

std::expected<void, std::string> PoolManager::Parts::serve_web() {
    if (config.http.listen.empty()) return {};
    auto opened = WebSide::open(config, dir->root(),
                                {operations_of(manager), [this] { return manager.health(); },
                                 [this] { return summary_json(summary()); }, *slices, *facts},
                                registry, clock, logger);
    if (!opened) return std::unexpected(std::move(opened.error()));
    web = std::move(*opened);
    metrics->set_listener([side = web.get()](const metrics::AlertEvent& event) {
        side->publish("alert", alert_json(event));
    });
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
    admission = std::make_unique<AdmissionDesk>(*server, clock, logger);
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
    sampler = std::make_unique<Sampler>(
        [this] {
            admission->tick();
            return server->accepted_difficulty();
        },
        [this] {
            const std::lock_guard lock(node_mutex);
            keep_scan_position();
        },
        dir->root() / "metrics.prom", registry, clock, logger);
    try {
        metrics = std::make_unique<MetricsDesk>(
            metrics_settings(config),
            [this](std::stop_token stop) { return chain_progress(std::move(stop)); }, files,
            registry, clock, logger);
    } catch (const std::invalid_argument& error) {
        return std::unexpected(error.what());
    }
    started_ms = clock.steady_ms();
    running = true;
    make_workflow_desk();
    if (const auto taken = take_commands(); !taken) return taken;
    if (const auto serving = serve_web(); !serving) return serving;
    health = std::make_unique<HealthMonitor>(probes(), HealthSettings{}, registry, clock, logger);
    phase = PoolState::running;
    health->start();
    metrics->start();
    return {};
}

void PoolManager::Parts::make_workflow_desk() {
    WorkflowSources sources{
        .files = files,
        .log_dir = dir->log_dir(),
        .log = *log,
        .ledger = *slices,
        .tally = *tally,
        .payouts = payouts.get(),
        .why_no_payouts = why_no_payouts(config),
        .why_closed =
            [this] {
                const auto most = server->budget().counts(clock.steady_ms()).max;
                return admission->places_left() == 0 ? connections_used_up(most) : std::string();
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
        workflow_work(std::move(sources), own_listeners(config, server->addresses()), config.pool,
                      clock),
        clock);
}

std::vector<std::unique_ptr<Probe>> PoolManager::Parts::probes() {
    std::vector<std::unique_ptr<Probe>> all;
    all.push_back(stratum_probe(
        own_listeners(config, server->addresses()), [this] { return admission->places_left(); },
        clock));
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
    if (web) all.push_back(auth_probe(web->accounts()));
    return all;
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

}  // namespace adit::manager
