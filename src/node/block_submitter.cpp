#include "node/block_submitter.h"

#include "node/submit_rules.h"
#include "node/submit_session.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace adit::node {
namespace {

constexpr int kTickMs = 250;  // retries are due by the injected clock
constexpr std::size_t kVerdicts = 5;
constexpr std::size_t kStates = 4;

}  // namespace

class BlockSubmitter::Core {
 public:
    Core(SubmitterSettings settings, metrics::Registry& registry, const base::Clock& clock,
         base::Logger& log);
    ~Core();

    void set_listener(SubmitListener listener) { listener_ = std::move(listener); }
    void start();
    void stop();
    void submit(std::shared_ptr<const job::BlockCandidate> candidate, bool look_first);
    std::vector<SubmitReport> reports() const;
    std::size_t pending() const;

 private:
    struct PerNode {
        bool busy = false;
        std::int64_t due_ms = 0;
    };
    struct Entry {
        SubmitReport report;
        std::vector<PerNode> nodes;
        bool look_first = false;
        bool dropped = false;  // not in entries_ any more; a worker may still be at it
        std::once_flag encode;
        std::string params;  // of submitblock: the whole block in hex
    };
    using EntryRef = std::shared_ptr<Entry>;
    struct Worker {
        std::unique_ptr<RpcMetrics> metrics;
        std::unique_ptr<RpcClient> client;
        std::array<metrics::Counter*, kVerdicts> verdicts{};
        std::thread thread;
    };

    void run(std::size_t node);
    EntryRef next_due(std::size_t node, std::int64_t now_ms);
    bool work(std::size_t node, const EntryRef& entry);
    void conclude(std::size_t node, const EntryRef& entry, NodeOutcome outcome);
    void finish(const EntryRef& entry, SubmitState state);
    static void release(Entry& entry);
    void make_room();
    void tell(const SubmitReport& report);

    const SubmitterSettings settings_;
    const base::Clock& clock_;
    base::Logger& log_;
    SubmitListener listener_;
    std::mutex listener_mutex_;  // one listener call at a time
    metrics::Gauge& pending_gauge_;
    metrics::Counter& dropped_;
    std::array<metrics::Counter*, kStates> states_{};

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<EntryRef> entries_;  // pending and the last finished ones, oldest first
    bool stopping_ = false;
    std::vector<Worker> workers_;
};

BlockSubmitter::Core::Core(SubmitterSettings settings, metrics::Registry& registry,
                           const base::Clock& clock, base::Logger& log)
    : settings_(std::move(settings)),
      clock_(clock),
      log_(log),
      pending_gauge_(registry.gauge("adit_submit_pending", "Found blocks without a final state.")),
      dropped_(registry.counter("adit_submit_dropped_total",
                                "Found blocks that a full queue pushed out.")) {
    for (std::size_t i = 0; i < kStates; ++i) {
        states_[i] =
            &registry.counter("adit_submit_final_total", "Found blocks by final state.",
                              {{"state", std::string(name_of(static_cast<SubmitState>(i)))}});
    }
    for (const auto& node : settings_.nodes) {
        auto& worker = workers_.emplace_back();
        const auto name = node.label();
        worker.metrics = std::make_unique<RpcMetrics>(registry, name);
        worker.client = std::make_unique<RpcClient>(
            node, RpcLimits{.timeout_ms = settings_.timeout_ms}, worker.metrics.get());
        for (std::size_t i = 0; i < kVerdicts; ++i) {
            worker.verdicts[i] = &registry.counter(
                "adit_submit_outcomes_total", "What nodes made of found blocks.",
                {{"node", name}, {"outcome", std::string(name_of(static_cast<NodeVerdict>(i)))}});
        }
    }
}

BlockSubmitter::Core::~Core() {
    stop();
    pending_gauge_.add(-static_cast<double>(pending()));
}

void BlockSubmitter::Core::start() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = false;
    }
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        if (workers_[i].thread.joinable()) continue;
        workers_[i].client->reset();
        workers_[i].thread = std::thread([this, i] { run(i); });
    }
}

void BlockSubmitter::Core::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    for (auto& worker : workers_) {
        if (worker.thread.joinable()) worker.client->cancel();
    }
    for (auto& worker : workers_) {
        if (worker.thread.joinable()) worker.thread.join();
    }
}

void BlockSubmitter::Core::submit(std::shared_ptr<const job::BlockCandidate> candidate,
                                  bool look_first) {
    const std::lock_guard lock(mutex_);
    for (const auto& known : entries_) {
        if (known->report.candidate->hash == candidate->hash) return;
    }
    make_room();
    auto entry = std::make_shared<Entry>();
    entry->look_first = look_first;
    entry->report.candidate = std::move(candidate);
    entry->report.submitted_ms = clock_.steady_ms();
    entry->nodes.resize(workers_.size());
    for (const auto& node : settings_.nodes) {
        entry->report.nodes.push_back({.node = node.label(), .reason = {}});
    }
    entries_.push_back(std::move(entry));
    pending_gauge_.add(1);
    wake_.notify_all();
}

// At the bound the oldest pending block gives way (it is on disk and will be resumed at the next
// start); finished blocks beyond their bound are forgotten.
void BlockSubmitter::Core::make_room() {
    std::size_t pending = 0, finished = 0;
    for (const auto& entry : entries_) {
        ++(entry->report.state == SubmitState::pending ? pending : finished);
    }
    if (pending >= settings_.max_pending) {
        const auto oldest = std::ranges::find_if(entries_, [](const EntryRef& entry) {
            return entry->report.state == SubmitState::pending;
        });
        log_.error("node", "too many blocks wait for the nodes; the oldest is not tried any more",
                   {{"block", (*oldest)->report.candidate->hash.rpc_hex()}});
        (*oldest)->dropped = true;
        entries_.erase(oldest);
        dropped_.add();
        pending_gauge_.add(-1);
    }
    for (auto at = entries_.begin(); at != entries_.end() && finished > settings_.max_finished;) {
        if ((*at)->report.state == SubmitState::pending) {
            ++at;
        } else {
            at = entries_.erase(at);
            --finished;
        }
    }
}

void BlockSubmitter::Core::finish(const EntryRef& entry, SubmitState state) {
    entry->report.state = state;
    states_[static_cast<std::size_t>(state)]->add();
    if (!entry->dropped) pending_gauge_.add(-1);
}

// New blocks before repeated ones. A node that has not been sent a block yet gets it even after
// another has accepted it.
BlockSubmitter::Core::EntryRef BlockSubmitter::Core::next_due(std::size_t node,
                                                              std::int64_t now_ms) {
    EntryRef repeated;
    for (const auto& entry : entries_) {
        const auto& mine = entry->nodes[node];
        const bool first = entry->report.nodes[node].attempts == 0;
        const bool pending = entry->report.state == SubmitState::pending;
        if (mine.busy || (!pending && !first) || mine.due_ms > now_ms) continue;
        if (first) return entry;
        if (!repeated) repeated = entry;
    }
    return repeated;
}

void BlockSubmitter::Core::run(std::size_t node) {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto entry = next_due(node, clock_.steady_ms());
        if (!entry) {
            wake_.wait_for(lock, std::chrono::milliseconds(kTickMs));
            continue;
        }
        entry->nodes[node].busy = true;
        lock.unlock();
        const bool done = work(node, entry);
        lock.lock();
        entry->nodes[node].busy = false;
        if (!done) return;
        release(*entry);
    }
}

// The hex of a block is twice its size; it goes when no node will be sent it any more.
void BlockSubmitter::Core::release(Entry& entry) {
    if (entry.report.state == SubmitState::pending) return;
    for (std::size_t i = 0; i < entry.nodes.size(); ++i) {
        if (entry.nodes[i].busy || entry.report.nodes[i].attempts == 0) return;
    }
    entry.params = {};
}

// False when stopping.
bool BlockSubmitter::Core::work(std::size_t node, const EntryRef& entry) {
    const auto& candidate = *entry->report.candidate;
    std::call_once(entry->encode,
                   [&] { entry->params = "[\"" + base::to_hex(candidate.block) + "\"]"; });
    NodeOutcome outcome;
    {
        const std::lock_guard lock(mutex_);
        outcome = entry->report.nodes[node];
    }
    const SubmitTask task{.hash = candidate.hash,
                          .height = candidate.height,
                          .params = &entry->params,
                          .look_first = entry->look_first || outcome.attempts > 0};
    if (!attempt_submit(*workers_[node].client, settings_.network, task, settings_.timeout_ms,
                        outcome)) {
        return false;
    }
    conclude(node, entry, std::move(outcome));
    return true;
}

void BlockSubmitter::Core::conclude(std::size_t node, const EntryRef& entry, NodeOutcome outcome) {
    workers_[node].verdicts[static_cast<std::size_t>(outcome.verdict)]->add();
    const std::lock_guard in_order(listener_mutex_);
    SubmitReport after;
    bool decided = false;
    {
        const std::lock_guard lock(mutex_);
        auto& report = entry->report;
        const auto now_ms = clock_.steady_ms();
        entry->nodes[node].due_ms =
            now_ms +
            retry_delay_ms(outcome.attempts, settings_.retry_first_ms, settings_.retry_max_ms);
        const bool holds =
            outcome.verdict == NodeVerdict::holds || outcome.verdict == NodeVerdict::in_best_chain;
        if (holds && report.first_answer_ms == 0) report.first_answer_ms = now_ms;
        report.nodes[node] = std::move(outcome);
        for (const auto& one : report.nodes) {
            report.confirmations = std::max(report.confirmations, one.confirmations);
        }
        if (report.state == SubmitState::pending) {
            const auto state =
                decide(report.nodes, report.candidate->height, settings_.give_up_depth);
            decided = state != SubmitState::pending;
            if (decided) finish(entry, state);
        }
        after = report;
    }
    const auto& said = after.nodes[node];
    const auto hash = after.candidate->hash.rpc_hex();
    if (said.verdict == NodeVerdict::refused || said.verdict == NodeVerdict::unreachable) {
        log_.warning("node", "block not taken",
                     {{"block", hash},
                      {"node", said.node},
                      {"outcome", name_of(said.verdict)},
                      {"reason", said.reason},
                      {"attempt", said.attempts}});
    } else {
        log_.info("node", "block submitted",
                  {{"block", hash},
                   {"node", said.node},
                   {"outcome", name_of(said.verdict)},
                   {"height", after.candidate->height}});
    }
    if (decided) {
        // First the node's verdict as of before the decision, then the decision.
        auto before = after;
        before.state = SubmitState::pending;
        tell(before);
        log_.info("node", fmt::format("block is {}", name_of(after.state)),
                  {{"block", hash}, {"height", after.candidate->height}});
    }
    tell(after);
}

void BlockSubmitter::Core::tell(const SubmitReport& report) {
    if (listener_) listener_(report);
}

std::vector<SubmitReport> BlockSubmitter::Core::reports() const {
    const std::lock_guard lock(mutex_);
    std::vector<SubmitReport> reports;
    for (const auto& entry : entries_)
        reports.push_back(entry->report);
    return reports;
}

std::size_t BlockSubmitter::Core::pending() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(entries_, [](const EntryRef& entry) {
        return entry->report.state == SubmitState::pending;
    }));
}

BlockSubmitter::BlockSubmitter(SubmitterSettings settings, metrics::Registry& registry,
                               const base::Clock& clock, base::Logger& log)
    : core_(std::make_unique<Core>(std::move(settings), registry, clock, log)) {}
BlockSubmitter::~BlockSubmitter() = default;
void BlockSubmitter::set_listener(SubmitListener listener) {
    core_->set_listener(std::move(listener));
}
void BlockSubmitter::start() {
    core_->start();
}
void BlockSubmitter::stop() {
    core_->stop();
}
void BlockSubmitter::submit(std::shared_ptr<const job::BlockCandidate> candidate) {
    core_->submit(std::move(candidate), false);
}
void BlockSubmitter::resume(std::shared_ptr<const job::BlockCandidate> candidate) {
    core_->submit(std::move(candidate), true);
}
std::vector<SubmitReport> BlockSubmitter::reports() const {
    return core_->reports();
}
std::size_t BlockSubmitter::pending() const {
    return core_->pending();
}

}  // namespace adit::node
