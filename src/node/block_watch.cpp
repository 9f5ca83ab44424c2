#include "node/block_watch.h"

#include "node/block_coinbase.h"
#include "node/block_view.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace adit::node {
namespace {

constexpr int kTickMs = 250;
constexpr int kMostFactsAtOnce = 4;  // more than the rules ever give for one view

using ledger::BlockState;
using ledger::NodeView;
using share::BlockFact;

// Newest first.
bool comes_before(const WatchedBlock& a, const WatchedBlock& b) {
    return std::pair(b.height, b.hash) < std::pair(a.height, a.hash);
}

bool needs_no_asking(const WatchedBlock& block, std::int32_t vouched_height) {
    const bool may_rest = block.state == BlockState::mature || block.state == BlockState::orphaned;
    return may_rest && block.height <= vouched_height;
}

bool vouches(BlockState state, std::span<const NodeView> views) {
    bool any = false;
    for (const auto& view : views) {
        if (view.usable() && !view.supports()) return false;
        any = any || view.supports();
    }
    return any && state == BlockState::mature;
}

}  // namespace

class BlockWatch::Core {
 public:
    Core(BlockWatchSettings settings, BlockBooks& books, metrics::Registry& registry,
         const base::Clock& clock, base::Logger& log)
        : settings_(std::move(settings)),
          books_(books),
          clock_(clock),
          log_(log),
          asked_(registry.counter("adit_block_watch_asked_total",
                                  "Times that the nodes were asked about an own block.")),
          failures_(registry.counter("adit_block_watch_failures_total",
                                     "Decisions about own blocks that had to wait because the "
                                     "books or a coinbase could not be read.")) {
        for (const auto& node : settings_.nodes) {
            auto& source = sources_.emplace_back();
            source.metrics = std::make_unique<RpcMetrics>(registry, node.label());
            source.client = std::make_unique<RpcClient>(
                node, RpcLimits{.timeout_ms = settings_.timeout_ms}, source.metrics.get());
            source.tip.node = node.label();
        }
    }
    ~Core() { stop(); }

    void start() {
        if (thread_.joinable()) return;
        {
            const std::lock_guard lock(mutex_);
            stopping_ = false;
        }
        for (auto& source : sources_)
            source.client->reset();
        thread_ = std::thread([this] { run(); });
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            wake_.notify_all();
        }
        if (!thread_.joinable()) return;
        for (auto& source : sources_)
            source.client->cancel();
        thread_.join();
    }

    void kick() {
        const std::lock_guard lock(mutex_);
        kicked_ = true;
        wake_.notify_all();
    }

    std::uint64_t rounds() const {
        const std::lock_guard lock(mutex_);
        return rounds_;
    }

 private:
    struct Source {
        std::unique_ptr<RpcMetrics> metrics;
        std::unique_ptr<RpcClient> client;
        NodeView tip;  // what it says of its chain; not answered: why
    };
    // Where a round goes on: behind the last block of the previous chunk.
    struct Cursor {
        std::optional<WatchedBlock> last;
        std::int32_t vouched_height = -1;
    };
    enum class Step { over, more, broken };

    bool stopping() const {
        const std::lock_guard lock(mutex_);
        return stopping_;
    }

    void run() {
        std::int64_t next_ms = clock_.steady_ms();
        std::unique_lock lock(mutex_);
        while (!stopping_) {
            if (!kicked_ && clock_.steady_ms() < next_ms) {
                wake_.wait_for(lock, std::chrono::milliseconds(kTickMs));
                continue;
            }
            // A kick in the middle of a round is answered by the next one.
            if (!cursor_.last) kicked_ = false;
            lock.unlock();
            const auto step = chunk();
            lock.lock();
            const auto now_ms = clock_.steady_ms();
            if (step == Step::more) {
                next_ms = now_ms;
            } else {
                cursor_ = {};
                next_ms =
                    now_ms + (step == Step::over ? settings_.interval_ms : settings_.retry_ms);
            }
            if (step == Step::over) ++rounds_;
        }
    }

    Step chunk() {
        auto blocks = books_.watched_blocks();
        if (!blocks) {
            failures_.add();
            log_.warning("node", "the found blocks cannot be read; they are looked at later",
                         {{"why", blocks.error()}});
            return Step::broken;
        }
        std::ranges::sort(*blocks, comes_before);
        if (!blocks->empty()) ask_tips();
        std::size_t asked = 0;
        for (auto& block : *blocks) {
            if (cursor_.last && !comes_before(*cursor_.last, block)) continue;
            if (needs_no_asking(block, cursor_.vouched_height)) continue;
            if (asked == settings_.chunk_blocks) return Step::more;
            if (stopping()) return Step::broken;
            look_at(block);
            cursor_.last = block;
            ++asked;
        }
        if (stopping()) return Step::broken;
        books_.round_over();
        return Step::over;
    }

    void ask_tips() {
        for (auto& source : sources_) {
            const auto name = source.tip.node;
            const auto info =
                ask_chain_info(*source.client, settings_.network, settings_.timeout_ms);
            source.tip = info ? view_of_chain(name, *info) : view_of_trouble(name, info.error());
        }
    }

    std::vector<NodeView> ask_all(const WatchedBlock& block) {
        std::vector<NodeView> views;
        for (auto& source : sources_) {
            if (source.tip.usable()) {
                auto view = ask_view(*source.client, source.tip, block.hash, block.height,
                                     settings_.timeout_ms);
                if (view) {
                    views.push_back(std::move(*view));
                    continue;
                }
                auto trouble = view_of_trouble(source.tip.node, view.error());
                // Words about one block are about that block; a dead node is dead for all.
                const auto kind = view.error().kind;
                if (kind == RpcErrorKind::rpc || kind == RpcErrorKind::malformed) {
                    views.push_back(std::move(trouble));
                    continue;
                }
                source.tip = std::move(trouble);
            }
            views.push_back(source.tip);
        }
        return views;
    }

    void look_at(WatchedBlock& block) {
        const auto views = ask_all(block);
        if (stopping()) return;
        asked_.add();
        for (int i = 0; i < kMostFactsAtOnce; ++i) {
            auto decision = ledger::decide_block(block.state, views, settings_.rules);
            if (!decision) break;
            SeenFact fact{std::move(*decision), {}};
            if (fact.decision.fact == BlockFact::confirmed) {
                const auto reward = reward_of(block, views);
                if (!reward) return;
                fact.reward = *reward;
                block.reward = *reward;
            }
            const auto after = books_.take(block, fact);
            if (!after) return;
            block.state = *after;
        }
        if (vouches(block.state, views)) {
            cursor_.vouched_height = std::max(cursor_.vouched_height, block.height);
        }
    }

    // What the block's coinbase pays, from a node that has it in its chain. The hash commits to it,
    // so it is asked for once.
    std::optional<chain::Amount> reward_of(const WatchedBlock& block,
                                           std::span<const NodeView> views) {
        if (block.reward.sat() > 0) return block.reward;
        std::string why = "no node has it";
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            if (!views[i].supports()) continue;
            const auto value = ask_reward(sources_[i], block.hash);
            if (value) return *value;
            why = fmt::format("{}: {}", views[i].node, value.error().message);
        }
        if (stopping()) return std::nullopt;
        failures_.add();
        if (complained_.size() < kMostComplaints && complained_.insert(block.hash).second) {
            log_.error("node",
                       "a found block is in the chain, but its coinbase cannot be read; nothing is "
                       "credited before that",
                       {{"block", block.hash.rpc_hex()}, {"why", why}});
        }
        return std::nullopt;
    }

    std::expected<chain::Amount, RpcError> ask_reward(Source& source, const chain::Hash256& hash) {
        const auto header = ask_header(*source.client, hash, settings_.timeout_ms);
        if (!header) return std::unexpected(header.error());
        bool by_id = true;
        const auto coinbase =
            ask_coinbase(*source.client, hash, *header, by_id, settings_.block_timeout_ms);
        if (!coinbase) return std::unexpected(coinbase.error());
        const auto value = value_of(coinbase->transaction);
        if (!value || value->sat() <= 0) {
            return std::unexpected(
                RpcError{RpcErrorKind::malformed, 0, "the coinbase pays no amount"});
        }
        return *value;
    }

    static constexpr std::size_t kMostComplaints = 1'000;

    const BlockWatchSettings settings_;
    BlockBooks& books_;
    const base::Clock& clock_;
    base::Logger& log_;
    metrics::Counter& asked_;
    metrics::Counter& failures_;

    // Of the watch's thread.
    std::vector<Source> sources_;
    Cursor cursor_;
    std::set<chain::Hash256> complained_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    bool kicked_ = false;
    std::uint64_t rounds_ = 0;
    std::thread thread_;
};

BlockWatch::BlockWatch(BlockWatchSettings settings, BlockBooks& books, metrics::Registry& registry,
                       const base::Clock& clock, base::Logger& log)
    : core_(std::make_unique<Core>(std::move(settings), books, registry, clock, log)) {}
BlockWatch::~BlockWatch() = default;
void BlockWatch::start() {
    core_->start();
}
void BlockWatch::stop() {
    core_->stop();
}
void BlockWatch::kick() {
    core_->kick();
}
std::uint64_t BlockWatch::rounds() const {
    return core_->rounds();
}

}  // namespace adit::node
