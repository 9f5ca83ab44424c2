#include "manager/workflow_miner.h"

#include "miner/cpu_miner.h"
#include "miner/stratum_client.h"
#include "net/address.h"

#include <condition_variable>
#include <mutex>

namespace adit::manager {
namespace {

// Asked for, so that a processor finds shares; the pool keeps to difficulty.min.
constexpr double kSuggestedDifficulty = 1e-4;
// So many refusals in one order, and it is given up.
constexpr std::size_t kMostRefused = 16;
constexpr int kUnavailable = 20;  // Stratum's code when storage is gone, among others

miner::ConnectionSettings connection_of(const WorkflowMinerSettings& settings) {
    auto endpoint = net::Endpoint::parse(settings.listener).value_or(net::Endpoint{});
    if (endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
    if (endpoint.host == "::") endpoint.host = "::1";
    miner::ConnectionSettings connection;
    connection.pool = {endpoint.host, endpoint.port, settings.tls};
    connection.client.user = settings.user;
    connection.client.agent = "adit-selftest/" ADIT_VERSION;
    connection.client.suggest_difficulty = kSuggestedDifficulty;
    // The listener is this pool's own: its certificate is for the outside.
    connection.verify_tls = false;
    if (settings.proxy_protocol) connection.preamble = "PROXY UNKNOWN\r\n";
    return connection;
}

class StratumWorkflowMiner final : public WorkflowMiner {
 public:
    StratumWorkflowMiner(const WorkflowMinerSettings& settings, const base::Clock& clock)
        : clock_(clock), listener_(settings.listener), client_(connection_of(settings), events()) {}
    ~StratumWorkflowMiner() override { stop(); }

    std::string listener() const override { return listener_; }

    Stored<void> connect(const CallLimits& limits) override {
        cpu_.emplace(miner::CpuMinerSettings{}, clock_,
                     [this](miner::Share share) { on_share(std::move(share)); });
        client_.start();
        std::unique_lock lock(mutex_);
        wait(lock, limits, [this] { return connected_ || !lost_.empty(); });
        return reached(connected_, "the listener to take a connection");
    }

    Stored<void> authorize(const CallLimits& limits) override {
        std::unique_lock lock(mutex_);
        wait(lock, limits, [this] { return ready_ || !lost_.empty(); });
        return reached(ready_, "the pool to take the name");
    }

    Stored<WorkAtHand> work(const CallLimits& limits) override {
        std::unique_lock lock(mutex_);
        wait(lock, limits, [this] { return job_ != nullptr || !lost_.empty(); });
        if (!job_) {
            const auto got = reached(false, "work; does a node give the pool any?");
            return std::unexpected(got.error());
        }
        return WorkAtHand{job_->id, job_->difficulty.value(),
                          chain::hashes_of(chain::work_of(job_->share_target)),
                          chain::hashes_of(chain::work_of(job_->network_target))};
    }

    MineResult mine(const MineOrder& order, const CallLimits& limits) override {
        std::unique_lock lock(mutex_);
        order_ = order;
        result_.problem.clear();  // what was answered since the last order stays
        is_mining_ = true;
        const auto hashes = cpu_->hashes();
        const auto begun_ns = clock_.steady_ns();
        if (job_) cpu_->set_job(job_);
        const auto is_done = [this] { return counted() >= order_.shares; };
        wait(lock, limits, [&] { return is_done() || !result_.problem.empty(); });
        is_mining_ = false;
        cpu_->clear_job();
        result_.hashes = cpu_->hashes() - hashes;
        result_.seconds = static_cast<double>(clock_.steady_ns() - begun_ns) * 1e-9;
        if (is_done()) {
            wait(lock, limits, [this] { return under_way_ == 0; });
            result_.problem.clear();
        } else if (result_.problem.empty() && !lost_.empty() && is_late(limits)) {
            result_.problem = "the connection was lost: " + lost_;
        }
        result_.done = is_done();
        result_.unanswered = under_way_;
        return std::exchange(result_, {});
    }

    void stop() override {
        if (cpu_) cpu_->stop();
        client_.stop();
    }

 private:
    miner::ClientEvents events() {
        miner::ClientEvents events;
        events.on_connected = [this] { change([&] { connected_ = true; }); };
        events.on_ready = [this](bool) {
            change([&] {
                ready_ = true;
                lost_.clear();
            });
        };
        events.on_job = [this](const miner::PoolJobRef& job) {
            change([&] { job_ = job; });
            const std::lock_guard lock(mutex_);
            if (is_mining_) cpu_->set_job(job);
        };
        events.on_reply = [this](const miner::ShareReply& reply) { change([&] { take(reply); }); };
        events.on_lost = [this](std::string_view why, std::uint32_t) {
            change([&] {
                if (lost_.empty()) lost_ = why;
            });
        };
        events.on_refused = [this](miner::ProtocolError error, std::string_view detail) {
            change([&] {
                lost_ = fmt::format("{}{}{}", miner::describe(error), detail.empty() ? "" : ": ",
                                    detail);
            });
        };
        return events;
    }

    template <class Change>
    void change(Change what) {
        const std::lock_guard lock(mutex_);
        what();
        changed_.notify_all();
    }

    // On the hashing thread. No more than what is ordered goes out; and a block's tip is used up by
    // the first, since another beside it would only make a fork.
    void on_share(miner::Share share) {
        {
            const std::lock_guard lock(mutex_);
            if (!is_mining_ || counted() + under_way_ >= order_.shares) return;
            if (order_.blocks_only && !share.block) return;
            if (share.block && last_tip_ == share.job->previous) return;
            if (share.block) last_tip_ = share.job->previous;
            ++under_way_;
        }
        if (client_.submit(std::move(share))) return;
        change([&] { --under_way_; });
    }

    // With the mutex held: what was accepted of what is ordered.
    std::size_t counted() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            result_.accepted,
            [this](const MinedShare& share) { return share.block || !order_.blocks_only; }));
    }

    void take(const miner::ShareReply& reply) {
        if (under_way_ > 0) --under_way_;
        switch (reply.outcome) {
            case miner::ShareOutcome::accepted:
            case miner::ShareOutcome::known:
                result_.accepted.push_back(mined(reply.share));
                return;
            case miner::ShareOutcome::lost:
                return;
            case miner::ShareOutcome::rejected:
                break;
        }
        result_.refused.push_back(fmt::format("{} (code {})", reply.reason, reply.code));
        if (reply.code == kUnavailable || result_.refused.size() >= kMostRefused) {
            result_.problem = "the pool refuses shares: " + result_.refused.back();
        }
    }

    static MinedShare mined(const miner::Share& share) {
        MinedShare mined;
        mined.hash = share.hash;
        for (const auto byte : share.job->extranonce1)
            mined.choice.extranonce1 = mined.choice.extranonce1 << 8 | byte;
        std::ranges::copy_n(share.extranonce2.begin(),
                            static_cast<std::ptrdiff_t>(std::min(share.extranonce2.size(),
                                                                 mined.choice.extranonce2.size())),
                            mined.choice.extranonce2.begin());
        mined.choice.ntime = share.ntime;
        mined.choice.nonce = share.nonce;
        mined.choice.version = share.version;
        mined.difficulty = share.job->difficulty;
        mined.block = share.block;
        return mined;
    }

    bool is_late(const CallLimits& limits) const {
        return limits.stop.stop_requested() || clock_.steady_ms() >= limits.deadline_ms;
    }

    template <class Done>
    void wait(std::unique_lock<std::mutex>& lock, const CallLimits& limits, Done done) {
        constexpr std::int64_t kMostMs = 3'600'000;
        const auto left_ms =
            std::clamp<std::int64_t>(limits.deadline_ms - clock_.steady_ms(), 0, kMostMs);
        changed_.wait_for(lock, limits.stop, std::chrono::milliseconds(left_ms), done);
    }

    // With the mutex held.
    Stored<void> reached(bool done, std::string_view waited_for) const {
        if (done && lost_.empty()) return {};
        if (!lost_.empty()) return std::unexpected(lost_);
        return std::unexpected(
            fmt::format("the time allowed was over, or the run was stopped, "
                        "while it waited for {}",
                        waited_for));
    }

    const base::Clock& clock_;
    const std::string listener_;

    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool connected_ = false;
    bool ready_ = false;
    std::string lost_;  // why the connection ended; empty: it stands, or is being made
    miner::PoolJobRef job_;
    bool is_mining_ = false;
    MineOrder order_;
    MineResult result_;
    std::uint64_t under_way_ = 0;             // submitted, not answered
    std::optional<chain::Hash256> last_tip_;  // that a block was found on

    std::optional<miner::CpuMiner> cpu_;
    miner::StratumClient client_;  // last: its thread calls everything above
};

}  // namespace

std::unique_ptr<WorkflowMiner> stratum_workflow_miner(const WorkflowMinerSettings& settings,
                                                      const base::Clock& clock) {
    return std::make_unique<StratumWorkflowMiner>(settings, clock);
}

}  // namespace adit::manager
