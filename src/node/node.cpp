#include "node/node.h"

#include "node/json.h"

namespace adit::node {
namespace {

constexpr std::size_t kPastTips = 64;
constexpr std::size_t kInvalidated = 16;
constexpr int kProofAttempts = 3;
constexpr int kProofRetryMs = 5'000;

NodeState state_of(RpcErrorKind kind) {
    switch (kind) {
        case RpcErrorKind::unauthorized:
        case RpcErrorKind::forbidden:
            return NodeState::unauthorized;
        case RpcErrorKind::warming_up:
        case RpcErrorKind::not_connected:
        case RpcErrorKind::initial_download:
            return NodeState::syncing;
        case RpcErrorKind::unreachable:
        case RpcErrorKind::timeout:
        case RpcErrorKind::cancelled:
        case RpcErrorKind::http_status:
        case RpcErrorKind::malformed:
        case RpcErrorKind::too_large:
        case RpcErrorKind::rpc:
            break;
    }
    return NodeState::unreachable;
}

}  // namespace

std::string_view name_of(NodeState state) {
    switch (state) {
        case NodeState::unknown:
            return "unknown";
        case NodeState::up:
            return "up";
        case NodeState::syncing:
            return "syncing";
        case NodeState::wrong_chain:
            return "wrong chain";
        case NodeState::unauthorized:
            return "unauthorized";
        case NodeState::unreachable:
            return "unreachable";
    }
    return "?";
}

Node::Node(NodeSettings settings, chain::Network network, ProbeSettings probe, RpcMetrics& metrics,
           const base::Clock& clock, base::Logger& log, Listener on_change)
    : settings_(std::move(settings)),
      name_(settings_.label()),
      network_(network),
      probe_(probe),
      clock_(clock),
      log_(log),
      on_change_(std::move(on_change)),
      client_(settings_, {.timeout_ms = probe.timeout_ms}, &metrics) {
    status_.name = name_;
    status_.url = settings_.rpc;
}

Node::~Node() {
    stop();
}

void Node::start() {
    if (thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = false;
    }
    client_.reset();
    thread_ = std::thread([this] { run(); });
}

void Node::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    if (!thread_.joinable()) return;
    wake_.notify_all();
    client_.cancel();
    thread_.join();
}

void Node::kick() {
    const std::lock_guard lock(mutex_);
    kicked_ = true;
    wake_.notify_all();
}

void Node::judge(const chain::Hash256& hash) {
    const std::lock_guard lock(mutex_);
    if (judged_ == hash) return;
    judged_ = hash;
    kicked_ = kicked_ || !hash.is_zero();
    wake_.notify_all();
}

void Node::prove_height(const chain::Hash256& hash) {
    const std::lock_guard lock(mutex_);
    if (unproven_ == hash) return;
    unproven_ = hash;
    kicked_ = kicked_ || !hash.is_zero();
    wake_.notify_all();
}

NodeStatus Node::status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

int Node::pause_ms() const {
    const bool hopeless =
        status_.state == NodeState::wrong_chain || status_.state == NodeState::unauthorized;
    return hopeless ? probe_.slow_interval_ms : probe_.interval_ms;
}

void Node::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        kicked_ = false;
        status_.probe_started_ms = clock_.steady_ms();
        lock.unlock();
        probe();
        lock.lock();
        wake_.wait_for(lock, std::chrono::milliseconds(pause_ms()),
                       [this] { return stopping_ || kicked_; });
    }
}

void Node::probe() {
    const auto started_ns = clock_.steady_ns();
    const auto info = ask_chain_info(client_, network_, probe_.timeout_ms);
    const auto latency_ms = static_cast<double>(clock_.steady_ns() - started_ns) / 1e6;
    if (!info) return on_error(info.error());
    on_info(*info, latency_ms);
    prove();
}

// After the probe, so that a block that takes long does not look like a node that hangs.
void Node::prove() {
    auto next = status();
    chain::Hash256 wanted;
    {
        const std::lock_guard lock(mutex_);
        wanted = unproven_;
    }
    if (wanted.is_zero() || next.state != NodeState::up || next.proven == wanted) return;
    const auto now_ms = clock_.steady_ms();
    if (proof_of_ != wanted) {
        proof_of_ = wanted;
        proof_attempts_ = 0;
    } else if (proof_attempts_ >= kProofAttempts || now_ms - proof_ms_ < kProofRetryMs) {
        return;
    }
    ++proof_attempts_;
    proof_ms_ = now_ms;
    const auto height = ask_proven_height(client_, network_, wanted, probe_.timeout_ms);
    if (!height) {
        log_.debug("node", fmt::format("no proof of a height: {}", height.error().message),
                   {{"node", name_}});
        return;
    }
    next.proven = wanted;
    next.proven_height = *height;
    publish(std::move(next));
}

std::expected<Tip, RpcError> Node::tip_of(const ChainInfo& info) {
    Tip tip{.hash = info.best,
            .height = info.blocks,
            .chainwork = info.chainwork,
            .median_time = info.median_time,
            .header = {}};
    const auto known = status().tip;
    if (known.known() && known.hash == info.best) {
        tip.header = known.header;
        return tip;
    }
    const auto header = ask_header(client_, info.best, probe_.timeout_ms);
    if (!header) return std::unexpected(header.error());
    tip.header = *header;
    past_tips_.push_back(tip.hash);
    if (past_tips_.size() > kPastTips) past_tips_.pop_front();
    return tip;
}

// A node never leaves a chain for one with less work, unless it has found a block of it invalid or
// its operator has. A block that it merely has not downloaded yet does not count.
bool Node::has_invalidated(const chain::Hash256& hash) {
    if (std::ranges::find(past_tips_, hash) != past_tips_.end()) {
        const auto reply = client_.call(
            "getblockheader", fmt::format(R"(["{}",true])", hash.rpc_hex()), probe_.timeout_ms);
        if (reply && json_int(reply->result(), "confirmations").value_or(1) < 1) return true;
    }
    const auto tips = client_.call("getchaintips", "[]", probe_.timeout_ms);
    if (!tips || !tips->result().is_array()) return false;
    for (const Json tip : simdjson::dom::array(tips->result())) {
        if (json_hash(tip, "hash") == hash && json_text(tip, "status") == "invalid") return true;
    }
    return false;
}

void Node::on_info(const ChainInfo& info, double latency_ms) {
    NodeStatus next = status();
    const auto now_ms = clock_.steady_ms();
    next.answered_ms = now_ms;
    next.latency_ms = latency_ms;
    next.headers = info.headers;
    next.initial_download = info.initial_download;
    if (!info.right_chain) {
        next.state = NodeState::wrong_chain;
        next.error = fmt::format(
            "the node is on chain \"{}\", but the pool is configured for "
            "\"{}\"; it is not used. Correct pool.chain or the node's address",
            info.chain, chain::params(network_).rpc_name);
        next.error_ms = now_ms;
        return publish(std::move(next));
    }
    const auto tip = tip_of(info);
    if (!tip) return on_error(tip.error());
    next.tip = *tip;
    next.state = info.synced ? NodeState::up : NodeState::syncing;
    next.error.clear();
    if (!info.synced) {
        next.error =
            fmt::format("the node is synchronising: {} of {} blocks", info.blocks, info.headers);
        next.error_ms = now_ms;
    }
    chain::Hash256 judged;
    {
        const std::lock_guard lock(mutex_);
        judged = judged_;
    }
    if (!judged.is_zero() &&
        std::ranges::find(next.invalidated, judged) == next.invalidated.end() &&
        has_invalidated(judged)) {
        if (next.invalidated.size() >= kInvalidated)
            next.invalidated.erase(next.invalidated.begin());
        next.invalidated.push_back(judged);
    }
    publish(std::move(next));
}

void Node::on_error(const RpcError& error) {
    if (error.kind == RpcErrorKind::cancelled) return;
    NodeStatus next = status();
    next.state = state_of(error.kind);
    next.error = error.message;
    next.error_ms = clock_.steady_ms();
    ++next.failures;
    publish(std::move(next));
}

void Node::publish(NodeStatus next) {
    next.probe_started_ms = 0;
    bool state_changed = false, tip_changed = false;
    {
        const std::lock_guard lock(mutex_);
        state_changed = status_.state != next.state;
        tip_changed = status_.tip.hash != next.tip.hash ||
                      status_.invalidated.size() != next.invalidated.size() ||
                      status_.proven != next.proven;
        if (next.state != NodeState::up)
            next.up_since_ms = 0;
        else if (next.up_since_ms == 0)
            next.up_since_ms = clock_.steady_ms();
        status_ = next;
    }
    if (state_changed) {
        const bool well = next.state == NodeState::up;
        if (well) {
            log_.info("node", "node is up", {{"node", name_}, {"height", next.tip.height}});
        } else {
            log_.warning("node", fmt::format("node is {}: {}", name_of(next.state), next.error),
                         {{"node", name_}});
        }
    }
    if (state_changed || tip_changed) on_change_();
}

}  // namespace adit::node
