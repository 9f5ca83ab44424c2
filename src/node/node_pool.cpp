#include "node/node_pool.h"

#include "node/template_desk.h"
#include "node/zmq_subscriber.h"

namespace adit::node {
namespace {

constexpr std::size_t kMaxFaults = 64;

}  // namespace

class NodePool::Core final : DeskHands {
 public:
    Core(NodePoolSettings settings, metrics::Registry& registry, const base::Clock& clock,
         base::Logger& log);
    ~Core() override { stop(); }

    void set_listener(Listener listener) { listener_ = std::move(listener); }
    void resume(const Offer& last);
    void start();
    void stop();
    PoolStatus status() const;
    std::optional<Offer> last() const;
    void kick_all();
    void on_report(const SubmitReport& report);

 private:
    // One node with everything that talks to it.
    struct Member {
        std::unique_ptr<RpcMetrics> metrics;
        std::unique_ptr<Node> node;
        std::unique_ptr<TemplateFetcher> fetcher;
        std::unique_ptr<TemplateFetcher> poller;
        std::unique_ptr<ZmqSubscriber> zmq;
        metrics::Gauge* up = nullptr;
        metrics::Gauge* active = nullptr;
        metrics::Gauge* height = nullptr;
        metrics::Gauge* latency_ms = nullptr;
        metrics::Gauge* doubted = nullptr;
    };
    struct Arrived {
        std::size_t node;
        bool long_poll;
        TemplateFetcher::Result result;
    };

    Member make_member(const NodeSettings& settings, std::size_t index);
    void arrived(std::size_t node, bool long_poll, TemplateFetcher::Result result);
    void wake();
    void run();
    void publish(std::vector<NodeStatus> nodes);
    void show(const PoolStatus& status);
    void show_stopped();

    // DeskHands: called on the pool's thread, by the desk.
    void fetch(std::size_t node) override;
    void long_poll(std::size_t node, const std::string& id) override;
    void end_long_poll(std::size_t node) override;
    void kick(std::size_t node) override;
    void judge(std::size_t node, const chain::Hash256& hash) override;
    void prove_height(std::size_t node, const chain::Hash256& hash) override;
    void deliver(job::TemplateRef content, DeliveryReason reason) override;
    void switched(int from, int to) override;
    void template_failed(std::size_t node, const std::string& message) override;
    void doubted(std::size_t node, const std::string& reason) override;
    void templates_stale(bool stale) override;

    const NodePoolSettings settings_;
    metrics::Registry& registry_;
    const base::Clock& clock_;
    base::Logger& log_;
    Listener listener_;
    TemplateParser parser_;
    metrics::Counter& failovers_;
    metrics::Counter& template_errors_;
    metrics::Gauge& template_age_s_;
    metrics::Gauge& stale_;
    std::array<metrics::Counter*, kDeliveryReasons> deliveries_{};
    TemplateDesk desk_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<Arrived> inbox_;           // at most two a node: one fetch, one long poll
    std::vector<RefusedTemplate> faults_;  // at most kMaxFaults
    bool woken_ = false;
    bool stopping_ = false;
    PoolStatus status_;
    std::optional<Offer> last_;  // the desk's, for other threads

    std::vector<Member> members_;
    std::thread thread_;
};

NodePool::Core::Core(NodePoolSettings settings, metrics::Registry& registry,
                     const base::Clock& clock, base::Logger& log)
    : settings_(std::move(settings)),
      registry_(registry),
      clock_(clock),
      log_(log),
      parser_(settings_.network),
      failovers_(registry.counter("adit_node_failovers_total",
                                  "Changes of the node that templates come from.")),
      template_errors_(registry.counter("adit_template_errors_total",
                                        "getblocktemplate calls without a usable template.")),
      template_age_s_(registry.gauge("adit_template_age_seconds",
                                     "Since a node made the template that is mined on.")),
      stale_(registry.gauge("adit_template_stale",
                            "1 while there is no template that may still be mined on.")),
      desk_(settings_, *this) {
    for (std::size_t i = 0; i < kDeliveryReasons; ++i) {
        deliveries_[i] = &registry.counter(
            "adit_template_deliveries_total", "Templates handed to the pool, by reason.",
            {{"reason", std::string(name_of(static_cast<DeliveryReason>(i)))}});
    }
    for (std::size_t i = 0; i < settings_.nodes.size(); ++i) {
        members_.push_back(make_member(settings_.nodes[i], i));
        status_.nodes.push_back(members_.back().node->status());
    }
    status_.templates_stale = true;
}

NodePool::Core::Member NodePool::Core::make_member(const NodeSettings& settings,
                                                   std::size_t index) {
    const auto name = settings.label();
    const metrics::Labels labels{{"node", name}};
    Member member;
    member.metrics = std::make_unique<RpcMetrics>(registry_, name);
    member.node = std::make_unique<Node>(settings, settings_.network, settings_.probe,
                                         *member.metrics, clock_, log_, [this] { wake(); });
    const auto fetcher = [&](bool long_poll) {
        return std::make_unique<TemplateFetcher>(
            settings, settings_.network, parser_, *member.metrics,
            [this, index, long_poll](TemplateFetcher::Result result) {
                arrived(index, long_poll, std::move(result));
            });
    };
    member.fetcher = fetcher(false);
    member.poller = fetcher(true);
    if (!settings.zmq_hashblock.empty()) {
        auto* const node = member.node.get();
        member.zmq =
            std::make_unique<ZmqSubscriber>(settings.zmq_hashblock, name, registry_, log_,
                                            [node](const chain::Hash256&) { node->kick(); });
    }
    member.up = &registry_.gauge("adit_node_up", "1 while the node can be used.", labels);
    member.active =
        &registry_.gauge("adit_node_active", "1 while templates come from this node.", labels);
    member.height = &registry_.gauge("adit_node_height", "The node's best block.", labels);
    member.latency_ms = &registry_.gauge("adit_node_latency_milliseconds",
                                         "How long the last getblockchaininfo took.", labels);
    member.doubted =
        &registry_.gauge("adit_node_doubted",
                         "1 while what the node says is contradicted and not believed.", labels);
    return member;
}

void NodePool::Core::resume(const Offer& last) {
    if (thread_.joinable() || last.content->network != settings_.network) return;
    desk_.resume(last);
    const std::lock_guard lock(mutex_);
    last_ = last;
    status_.height = last.content->height;
    status_.templates_stale = false;
}

void NodePool::Core::start() {
    if (thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = false;
        inbox_.clear();
    }
    for (auto& member : members_) {
        member.fetcher->start();
        member.poller->start();
        member.node->start();
        if (member.zmq) member.zmq->start();
    }
    thread_ = std::thread([this] { run(); });
}

void NodePool::Core::stop() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    thread_.join();
    for (auto& member : members_) {
        if (member.zmq) member.zmq->stop();
        member.fetcher->stop();
        member.poller->stop();
        member.node->stop();
    }
    show_stopped();
}

// Nobody asks these nodes any more, and after a reload some of them may be gone for good.
void NodePool::Core::show_stopped() {
    for (auto& member : members_) {
        member.up->set(0);
        member.active->set(0);
        member.doubted->set(0);
    }
}

void NodePool::Core::wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    wake_.notify_all();
}

void NodePool::Core::kick_all() {
    for (auto& member : members_)
        member.node->kick();
}

void NodePool::Core::arrived(std::size_t node, bool long_poll, TemplateFetcher::Result result) {
    const std::lock_guard lock(mutex_);
    inbox_.push_back({node, long_poll, std::move(result)});
    wake_.notify_all();
}

void NodePool::Core::on_report(const SubmitReport& report) {
    auto fault = refused_template_of(report);
    if (!fault) return;
    const std::lock_guard lock(mutex_);
    // The same is said again at the next attempt to submit the block.
    if (faults_.size() >= kMaxFaults) return;
    faults_.push_back(std::move(*fault));
    woken_ = true;
    wake_.notify_all();
}

void NodePool::Core::run() {
    while (true) {
        std::vector<Arrived> inbox;
        std::vector<RefusedTemplate> faults;
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, std::chrono::milliseconds(kTickMs),
                           [this] { return stopping_ || woken_ || !inbox_.empty(); });
            if (stopping_) return;
            woken_ = false;
            inbox.swap(inbox_);
            faults.swap(faults_);
        }
        const auto now_ms = clock_.steady_ms();
        for (auto& one : inbox) {
            desk_.on_template(one.node, one.long_poll, std::move(one.result), now_ms);
        }
        std::vector<NodeStatus> nodes;
        for (const auto& member : members_)
            nodes.push_back(member.node->status());
        for (const auto& fault : faults)
            desk_.on_refused_template(fault, nodes);
        desk_.step(nodes, now_ms);
        publish(std::move(nodes));
    }
}

void NodePool::Core::publish(std::vector<NodeStatus> nodes) {
    PoolStatus next;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        nodes[i].active = desk_.active() == static_cast<int>(i);
        nodes[i].lagging = desk_.lagging(i);
        nodes[i].template_error = desk_.template_error(i);
        nodes[i].doubt = desk_.doubt(i);
        if (nodes[i].active) next.active = nodes[i].name;
    }
    next.nodes = std::move(nodes);
    next.templates_stale = desk_.stale() || !desk_.last();
    if (desk_.last()) next.height = desk_.last()->content->height;
    next.failovers = failovers_.value();
    show(next);
    const std::lock_guard lock(mutex_);
    last_ = desk_.last();
    status_ = std::move(next);
}

void NodePool::Core::show(const PoolStatus& status) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const auto& node = status.nodes[i];
        members_[i].up->set(node.state == NodeState::up ? 1 : 0);
        members_[i].active->set(node.active ? 1 : 0);
        members_[i].height->set(node.tip.height);
        members_[i].latency_ms->set(node.latency_ms);
        members_[i].doubted->set(node.doubt.empty() ? 0 : 1);
    }
    stale_.set(status.templates_stale ? 1 : 0);
    if (desk_.last()) {
        template_age_s_.set(static_cast<double>(clock_.steady_ms() - desk_.last()->made_ms) / 1e3);
    }
}

PoolStatus NodePool::Core::status() const {
    const std::lock_guard lock(mutex_);
    auto status = status_;
    if (last_) status.template_age_ms = clock_.steady_ms() - last_->made_ms;
    return status;
}

std::optional<Offer> NodePool::Core::last() const {
    const std::lock_guard lock(mutex_);
    return last_;
}

void NodePool::Core::fetch(std::size_t node) {
    members_[node].fetcher->request({}, settings_.template_timeout_ms);
}

void NodePool::Core::long_poll(std::size_t node, const std::string& id) {
    members_[node].poller->request(id, settings_.longpoll_timeout_ms);
}

void NodePool::Core::end_long_poll(std::size_t node) {
    members_[node].poller->abandon();
}

void NodePool::Core::kick(std::size_t node) {
    members_[node].node->kick();
}

void NodePool::Core::judge(std::size_t node, const chain::Hash256& hash) {
    members_[node].node->judge(hash);
}

void NodePool::Core::prove_height(std::size_t node, const chain::Hash256& hash) {
    members_[node].node->prove_height(hash);
}

void NodePool::Core::deliver(job::TemplateRef content, DeliveryReason reason) {
    deliveries_[static_cast<std::size_t>(reason)]->add();
    log_.debug("node", "template",
               {{"reason", name_of(reason)},
                {"height", content->height},
                {"transactions", content->transactions.size()},
                {"node", content->node}});
    if (listener_) listener_(std::move(content));
}

void NodePool::Core::switched(int from, int to) {
    const auto name = [this](int index) {
        return index == ActiveChooser::kNone
                   ? std::string("none")
                   : members_[static_cast<std::size_t>(index)].node->name();
    };
    if (from != ActiveChooser::kNone) failovers_.add();
    if (to == ActiveChooser::kNone) {
        log_.error("node", "no node can be used; miners keep the last template",
                   {{"was", name(from)}});
    } else {
        log_.info("node", "templates come from another node",
                  {{"node", name(to)}, {"was", name(from)}});
    }
}

void NodePool::Core::template_failed(std::size_t node, const std::string& message) {
    template_errors_.add();
    log_.warning("node", fmt::format("no usable template: {}", message),
                 {{"node", members_[node].node->name()}});
}

void NodePool::Core::doubted(std::size_t node, const std::string& reason) {
    const auto& name = members_[node].node->name();
    if (reason.empty()) {
        log_.info("node", "the node's answers agree again", {{"node", name}});
    } else {
        log_.error(
            "node",
            fmt::format("the node is not believed and not used while another is there: {}", reason),
            {{"node", name}});
    }
}

void NodePool::Core::templates_stale(bool stale) {
    if (stale) {
        log_.error("node", "the last template is too old to be mined on; waiting for a node",
                   {{"node_gone_ms", settings_.node_gone_ms}});
    } else {
        log_.info("node", "templates are fresh again");
    }
}

NodePool::NodePool(NodePoolSettings settings, metrics::Registry& registry, const base::Clock& clock,
                   base::Logger& log)
    : core_(std::make_unique<Core>(std::move(settings), registry, clock, log)) {}
NodePool::~NodePool() = default;
void NodePool::set_listener(Listener listener) {
    core_->set_listener(std::move(listener));
}
void NodePool::resume(const std::optional<Offer>& last) {
    if (last) core_->resume(*last);
}
void NodePool::start() {
    core_->start();
}
void NodePool::stop() {
    core_->stop();
}
PoolStatus NodePool::status() const {
    return core_->status();
}
std::optional<Offer> NodePool::last() const {
    return core_->last();
}
void NodePool::kick() {
    core_->kick_all();
}
void NodePool::on_report(const SubmitReport& report) {
    core_->on_report(report);
}

}  // namespace adit::node
