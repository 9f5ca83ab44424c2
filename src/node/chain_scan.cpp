#include "node/chain_scan.h"

#include "node/block_coinbase.h"
#include "node/chain_info.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace adit::node {
namespace {

constexpr int kTickMs = 250;
constexpr int kTimeoutMs = 30'000;

}  // namespace

class ChainScan::Core {
 public:
    Core(ChainScanSettings settings, Known known, PaysMiners pays_miners, Found found,
         metrics::Registry& registry, const base::Clock& clock, base::Logger& log)
        : settings_(std::move(settings)),
          known_(std::move(known)),
          pays_miners_(std::move(pays_miners)),
          found_(std::move(found)),
          clock_(clock),
          log_(log),
          blocks_(registry.counter("adit_chain_scan_blocks_total",
                                   "Blocks whose coinbase was looked at.")),
          found_total_(registry.counter("adit_chain_scan_found_total",
                                        "Own blocks in the chain that the pool did not know.")),
          position_(settings_.resume_height) {
        for (const auto& node : settings_.nodes) {
            metrics_.push_back(std::make_unique<RpcMetrics>(registry, node.label()));
            clients_.push_back(
                std::make_unique<RpcClient>(node, RpcLimits{}, metrics_.back().get()));
        }
    }
    ~Core() { stop(); }

    void start() {
        if (thread_.joinable()) return;
        {
            const std::lock_guard lock(mutex_);
            stopping_ = false;
        }
        for (auto& client : clients_)
            client->reset();
        thread_ = std::thread([this] { run(); });
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            wake_.notify_all();
        }
        if (!thread_.joinable()) return;
        for (auto& client : clients_)
            client->cancel();
        thread_.join();
    }

    void kick() {
        const std::lock_guard lock(mutex_);
        kicked_ = true;
        wake_.notify_all();
    }

    std::int32_t position() const {
        const std::lock_guard lock(mutex_);
        return scans_ == 0 ? -1 : position_;
    }
    std::uint64_t scans() const {
        const std::lock_guard lock(mutex_);
        return scans_;
    }

 private:
    struct Seen {
        chain::Hash256 hash, previous;
    };

    void run() {
        std::int64_t next_ms = clock_.steady_ms();
        std::unique_lock lock(mutex_);
        while (!stopping_) {
            if (!kicked_ && clock_.steady_ms() < next_ms) {
                wake_.wait_for(lock, std::chrono::milliseconds(kTickMs));
                continue;
            }
            kicked_ = false;
            lock.unlock();
            const bool complete = scan_any();
            lock.lock();
            next_ms = clock_.steady_ms() + (complete ? settings_.interval_ms : settings_.retry_ms);
        }
    }

    // True when one node's chain was looked through to the end.
    bool scan_any() {
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            const auto info = ask_chain_info(*clients_[i], settings_.network, kTimeoutMs);
            if (!info || !info->right_chain) continue;
            const auto done = scan(*clients_[i], *info, settings_.nodes[i].label());
            if (done) return true;
            if (done.error().kind == RpcErrorKind::cancelled) return false;
            log_.warning("node", fmt::format("looking for own blocks: {}", done.error().message),
                         {{"node", settings_.nodes[i].label()}});
        }
        return false;
    }

    // From the tip back, at least as far as the last complete scan came. What was seen before is
    // stepped over, also when the scan that saw it was broken off.
    std::expected<void, RpcError> scan(RpcClient& client, const ChainInfo& info,
                                       const std::string& node) {
        const auto by_depth = info.blocks - settings_.depth + 1;
        const auto by_memory = position_ >= 0 ? std::min(position_ + 1, by_depth) : by_depth;
        const auto lowest = std::max({by_memory, info.blocks - settings_.max_depth + 1, 1});
        // Whether a node can give a coinbase by its id is found out anew for each node and scan.
        bool by_id = true;
        auto hash = info.best;
        for (auto height = info.blocks; height >= lowest; --height) {
            const auto before = seen_.find(height);
            if (before != seen_.end() && before->second.hash == hash) {
                hash = before->second.previous;
                continue;
            }
            const auto header = ask_header(client, hash, kTimeoutMs);
            if (!header) return std::unexpected(header.error());
            const auto looked = look_at(client, hash, height, *header, node, by_id);
            if (!looked) return looked;
            seen_[height] = {hash, header->previous};
            hash = header->previous;
            if (!pause()) return std::unexpected(RpcError{RpcErrorKind::cancelled, 0, ""});
        }
        seen_.erase(seen_.upper_bound(info.blocks), seen_.end());
        seen_.erase(seen_.begin(), seen_.lower_bound(lowest));
        const std::lock_guard lock(mutex_);
        position_ = info.blocks;
        ++scans_;
        return {};
    }

    std::expected<void, RpcError> look_at(RpcClient& client, const chain::Hash256& hash,
                                          std::int32_t height, const chain::BlockHeader& header,
                                          const std::string& node, bool& by_id) {
        if (known_(hash)) return {};
        auto coinbase = ask_coinbase(client, hash, header, by_id, kTimeoutMs);
        if (!coinbase) return std::unexpected(coinbase.error());
        blocks_.add();
        OwnBlock own{.hash = hash,
                     .height = height,
                     .header = header,
                     .coinbase = std::move(coinbase->raw),
                     .value_sat = 0,
                     .node = node};
        for (const auto& output : coinbase->transaction.outputs) {
            if (output.script == settings_.payout_script) own.value_sat += output.value_sat;
        }
        const auto script = base::as_text(coinbase->transaction.inputs[0].script);
        if (script.find(settings_.signature) == std::string_view::npos) return {};
        if (own.value_sat <= 0) {
            const auto pays = pays_miners_(coinbase->transaction);
            if (!pays) return std::unexpected(RpcError{RpcErrorKind::unreachable, 0, pays.error()});
            if (!*pays) return {};
        }
        found_total_.add();
        log_.warning("node", "found a block of this pool in the chain that the pool did not know",
                     {{"block", hash.rpc_hex()}, {"height", height}, {"node", node}});
        found_(own);
        return {};
    }

    // False when stopping.
    bool pause() {
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, std::chrono::milliseconds(settings_.pause_ms),
                       [this] { return stopping_; });
        return !stopping_;
    }

    const ChainScanSettings settings_;
    Known known_;
    PaysMiners pays_miners_;
    Found found_;
    const base::Clock& clock_;
    base::Logger& log_;
    metrics::Counter& blocks_;
    metrics::Counter& found_total_;
    std::vector<std::unique_ptr<RpcMetrics>> metrics_;
    std::vector<std::unique_ptr<RpcClient>> clients_;

    // Of the scan's thread.
    std::map<std::int32_t, Seen> seen_;  // blocks looked at, by height

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::int32_t position_;  // written only by the scan's thread
    std::uint64_t scans_ = 0;
    bool kicked_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

ChainScan::ChainScan(ChainScanSettings settings, Known known, PaysMiners pays_miners, Found found,
                     metrics::Registry& registry, const base::Clock& clock, base::Logger& log)
    : core_(std::make_unique<Core>(std::move(settings), std::move(known), std::move(pays_miners),
                                   std::move(found), registry, clock, log)) {}
ChainScan::~ChainScan() = default;
void ChainScan::start() {
    core_->start();
}
void ChainScan::stop() {
    core_->stop();
}
void ChainScan::kick() {
    core_->kick();
}
std::int32_t ChainScan::position() const {
    return core_->position();
}
std::uint64_t ChainScan::scans() const {
    return core_->scans();
}

}  // namespace adit::node
