// The decisions of the node pool, one step at a time: which node is active, what to ask of whom,
// and what reaches the miners. Knows no threads, sockets or clocks; the pool feeds it what happened
// and carries out what it orders. Not thread-safe: the pool's own thread.
#pragma once

#include "node/active_chooser.h"
#include "node/height_book.h"
#include "node/node_pool.h"
#include "node/submit_rules.h"
#include "node/template_fetcher.h"
#include "node/template_gate.h"

#include <functional>
#include <string>
#include <vector>

namespace adit::node {

// What the desk orders. Implemented by NodePool, and by tests.
class DeskHands {
 public:
    virtual ~DeskHands() = default;
    virtual void fetch(std::size_t node) = 0;  // getblocktemplate, at once
    virtual void long_poll(std::size_t node, const std::string& id) = 0;
    virtual void end_long_poll(std::size_t node) = 0;
    virtual void kick(std::size_t node) = 0;  // probe now
    virtual void judge(std::size_t node, const chain::Hash256& hash) = 0;
    virtual void prove_height(std::size_t node, const chain::Hash256& hash) = 0;  // zero: none
    virtual void deliver(job::TemplateRef content, DeliveryReason reason) = 0;
    virtual void switched(int from, int to) = 0;  // ActiveChooser::kNone: none
    virtual void template_failed(std::size_t node, const std::string& message) = 0;
    // The node is not believed any more, for this reason, or again (empty).
    virtual void doubted(std::size_t node, const std::string& reason) = 0;
    virtual void templates_stale(bool stale) = 0;
};

class TemplateDesk {
 public:
    TemplateDesk(const NodePoolSettings& settings, DeskHands& hands);

    // What another desk delivered last; before the first step().
    void resume(Offer last) { gate_.resume(std::move(last)); }
    // The answer to fetch() or long_poll().
    void on_template(std::size_t node, bool long_poll, TemplateFetcher::Result result,
                     std::int64_t now_ms);
    // A found block was refused because of the template it was made from.
    void on_refused_template(const RefusedTemplate& fault, const std::vector<NodeStatus>& nodes);
    // Everything that follows from the nodes' states at this time. Called after every change and at
    // least twenty times a second.
    void step(const std::vector<NodeStatus>& nodes, std::int64_t now_ms);

    int active() const { return active_; }
    bool lagging(std::size_t node) const { return chooser_.lagging(node); }
    const std::string& template_error(std::size_t node) const {
        return members_[node].template_error;
    }
    // Why what the node says is not believed; empty: nothing speaks against it.
    const std::string& doubt(std::size_t node) const { return members_[node].doubt; }
    const std::optional<Offer>& last() const { return gate_.last(); }
    bool stale() const { return stale_; }

 private:
    struct Member {
        bool fetching = false;
        bool polling = false;
        std::int64_t fetch_started_ms = 0;
        std::int64_t fetch_not_before_ms = 0;
        std::int64_t poll_not_before_ms = 0;
        std::int64_t poll_started_ms = 0;
        std::int64_t fetched_ms = 0;
        std::string longpoll_id;
        chain::Hash256 previous;  // of its last template
        std::string template_error;
        job::TemplateRef pending;  // not yet compared with the node's tip
        std::int64_t pending_ms = 0;
        // A template on another block than the node's best one, and since when it is so.
        chain::Hash256 strayed_previous, strayed_tip;
        std::int64_t strayed_ms = 0;
        // A block on its template was refused; holds while its best block is this one or follows
        // it.
        chain::Hash256 refused_previous;
        std::string refusal;
        std::string doubt;
    };

    void weigh(const std::vector<NodeStatus>& nodes);
    std::string doubt_about(Member& member, const NodeStatus& status);

    void choose(const std::vector<NodeStatus>& nodes, std::int64_t now_ms);
    void heed_stray(std::size_t node, const NodeStatus& status, std::int64_t now_ms);
    void settle_pending(std::size_t node, const NodeStatus& status, std::int64_t now_ms);
    void follow_tip(std::size_t node, const NodeStatus& status, std::int64_t now_ms);
    void start_fetch(std::size_t node, std::int64_t now_ms);
    bool fetch_is_slow(std::size_t node, std::int64_t now_ms) const;
    void ask(std::size_t node, const NodeStatus& status, std::int64_t now_ms);
    void refresh(std::int64_t now_ms);
    void offer(const Offer& offer, const NodeStatus& status, std::int64_t now_ms);
    void deliver(Offer offer, DeliveryReason reason, std::int64_t now_ms);
    void fail(std::size_t node, std::string message, std::int64_t now_ms);
    bool last_invalidated_by(const NodeStatus& status) const;

    const NodePoolSettings settings_;
    DeskHands& hands_;
    ActiveChooser chooser_;
    TemplateGate gate_;
    HeightBook heights_;
    std::vector<Member> members_;
    std::optional<Offer> newest_;  // the newest full template of the active node
    int active_ = ActiveChooser::kNone;
    bool stale_ = false;
};

}  // namespace adit::node
