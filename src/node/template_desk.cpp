#include "node/template_desk.h"

namespace adit::node {
namespace {

constexpr int kPollRetryMs = 1'000;  // after a failed or suspiciously quick long poll
constexpr int kQuickPollMs = 50;
constexpr int kTrialIntervalMs = 5'000;  // for a node whose template failed and that is not active
constexpr int kPendingLimitMs = 5'000;   // for a template on a tip that its node does not show

bool is_responsive(const NodeStatus& status, int hang_ms, std::int64_t now_ms) {
    return status.probe_started_ms == 0 || now_ms - status.probe_started_ms < hang_ms;
}

std::string slow_text(const NodePoolSettings& settings) {
    return fmt::format("getblocktemplate takes longer than {} ms", settings.slow_template_ms);
}

}  // namespace

TemplateDesk::TemplateDesk(const NodePoolSettings& settings, DeskHands& hands)
    : settings_(settings),
      hands_(hands),
      chooser_(settings.nodes.size(), {.lag_grace_ms = settings.lag_grace_ms,
                                       .return_after_ms = settings.return_after_ms,
                                       .first_wait_ms = settings.hang_ms}),
      gate_({.refresh_ms = settings.refresh_ms,
             .min_fee_rise_percent = settings.min_fee_rise_percent,
             .fee_gap_ms = settings.fee_gap_ms}),
      heights_(settings.nodes.size()),
      members_(settings.nodes.size()) {}

void TemplateDesk::on_template(std::size_t node, bool long_poll, TemplateFetcher::Result result,
                               std::int64_t now_ms) {
    Member& member = members_[node];
    const bool slow = !long_poll && fetch_is_slow(node, now_ms);
    (long_poll ? member.polling : member.fetching) = false;
    if (result && slow && active_ != static_cast<int>(node)) {
        // Left because of this; it is used again when it answers a trial in time.
        return fail(node, slow_text(settings_), now_ms);
    }
    if (result) {
        // Without a new block an answer at once means that the node does not wait as it should.
        const bool same_tip = (*result)->previous == member.previous;
        if (long_poll && same_tip && now_ms - member.poll_started_ms < kQuickPollMs) {
            member.poll_not_before_ms = now_ms + kPollRetryMs;
        }
        member.previous = (*result)->previous;
        member.longpoll_id = (*result)->longpoll_id;
        member.fetched_ms = now_ms;
        member.pending = std::move(*result);
        member.pending_ms = now_ms;
        return;
    }
    const auto& failure = result.error();
    if (failure.kind == RpcErrorKind::cancelled) return;
    if (long_poll) {
        member.poll_not_before_ms = now_ms + kPollRetryMs;
        // A long poll may end for want of news; a node that is gone shows when it is probed.
        if (failure.kind != RpcErrorKind::timeout) hands_.kick(node);
        if (failure.kind != RpcErrorKind::malformed) return;
    }
    fail(node, failure.message, now_ms);
}

void TemplateDesk::fail(std::size_t node, std::string message, std::int64_t now_ms) {
    Member& member = members_[node];
    const bool active = active_ == static_cast<int>(node);
    member.fetch_not_before_ms = now_ms + (active ? settings_.template_retry_ms : kTrialIntervalMs);
    member.pending.reset();
    if (member.template_error != message) hands_.template_failed(node, message);
    member.template_error = std::move(message);
    hands_.kick(node);
}

void TemplateDesk::step(const std::vector<NodeStatus>& nodes, std::int64_t now_ms) {
    weigh(nodes);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].state == NodeState::up) gate_.heard(nodes[i].tip);
        if (members_[i].pending) settle_pending(i, nodes[i], now_ms);
    }
    choose(nodes, now_ms);
    if (active_ != ActiveChooser::kNone) {
        const auto active = static_cast<std::size_t>(active_);
        follow_tip(active, nodes[active], now_ms);
    }
    for (std::size_t i = 0; i < nodes.size(); ++i)
        ask(i, nodes[i], now_ms);
    refresh(now_ms);
}

void TemplateDesk::on_refused_template(const RefusedTemplate& fault,
                                       const std::vector<NodeStatus>& nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].name != fault.maker) continue;
        if (fault.wrong_height) return heights_.refute(fault.previous, fault.height - 1);
        members_[i].refused_previous = fault.previous;
        members_[i].refusal =
            fmt::format("{} refused a block on its template: {}", fault.refused_by, fault.reason);
    }
}

// What every node says against what all of them say and what is proven.
void TemplateDesk::weigh(const std::vector<NodeStatus>& nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].proven_height >= 0) heights_.prove(nodes[i].proven, nodes[i].proven_height);
        if (nodes[i].state != NodeState::up || !nodes[i].tip.known()) continue;
        heights_.heard(i, nodes[i].tip);
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const auto& tip = nodes[i].tip;
        if (nodes[i].state != NodeState::up || !tip.known()) continue;
        hands_.prove_height(i, heights_.wants_proof(tip.hash) ? tip.hash : chain::Hash256{});
        auto doubt = doubt_about(members_[i], nodes[i]);
        // Said once, though the block and its height change with every block.
        if (doubt.empty() != members_[i].doubt.empty()) hands_.doubted(i, doubt);
        members_[i].doubt = std::move(doubt);
    }
}

std::string TemplateDesk::doubt_about(Member& member, const NodeStatus& status) {
    if (auto wrong = heights_.contradiction(status.tip); !wrong.empty()) return wrong;
    if (member.refusal.empty() || status.tip.hash == member.refused_previous) return member.refusal;
    if (status.tip.header.previous == member.refused_previous) {
        member.refused_previous = status.tip.hash;
    } else {
        member.refusal.clear();
    }
    return member.refusal;
}

void TemplateDesk::choose(const std::vector<NodeStatus>& nodes, std::int64_t now_ms) {
    std::vector<NodeView> views(nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        views[i] = {.state = nodes[i].state,
                    .tip = nodes[i].tip,
                    .responsive = is_responsive(nodes[i], settings_.hang_ms, now_ms),
                    .templates_ok = members_[i].template_error.empty() &&
                                    members_[i].doubt.empty() && !fetch_is_slow(i, now_ms)};
    }
    const int chosen = chooser_.choose(views, now_ms);
    if (chosen == active_) return;
    if (active_ != ActiveChooser::kNone) {
        const auto left = static_cast<std::size_t>(active_);
        hands_.end_long_poll(left);
        if (fetch_is_slow(left, now_ms)) fail(left, slow_text(settings_), now_ms);
    }
    if (chosen != ActiveChooser::kNone) {
        members_[static_cast<std::size_t>(chosen)].fetched_ms = 0;
    }
    newest_.reset();
    hands_.switched(std::exchange(active_, chosen), chosen);
}

bool TemplateDesk::last_invalidated_by(const NodeStatus& status) const {
    return gate_.last() && std::ranges::find(status.invalidated, gate_.last()->tip.hash) !=
                               status.invalidated.end();
}

// A template that a newer probe has not caught up with. Once is a race between two calls; the same
// again for long is a node that gives no usable templates.
void TemplateDesk::heed_stray(std::size_t node, const NodeStatus& status, std::int64_t now_ms) {
    Member& member = members_[node];
    const auto previous = std::exchange(member.pending, nullptr)->previous;
    member.fetched_ms = 0;
    const bool same = member.strayed_ms != 0 && member.strayed_previous == previous &&
                      member.strayed_tip == status.tip.hash;
    if (!same) {
        member.strayed_previous = previous;
        member.strayed_tip = status.tip.hash;
        member.strayed_ms = now_ms;
        return;
    }
    member.fetch_not_before_ms = now_ms + settings_.template_retry_ms;
    if (now_ms - member.strayed_ms < kPendingLimitMs) return;
    fail(node,
         fmt::format("its templates build on {}, but its best block is {}", previous.rpc_hex(),
                     status.tip.hash.rpc_hex()),
         now_ms);
}

void TemplateDesk::settle_pending(std::size_t node, const NodeStatus& status, std::int64_t now_ms) {
    Member& member = members_[node];
    const bool active = active_ == static_cast<int>(node);
    if (member.pending->previous != status.tip.hash) {
        // Either the node has moved on since, or its next probe will show the new tip.
        const auto asked_ms = status.answered_ms - static_cast<std::int64_t>(status.latency_ms);
        const bool seen_since = asked_ms > member.pending_ms;
        if (seen_since) {
            heed_stray(node, status, now_ms);
        } else if (now_ms - member.pending_ms > kPendingLimitMs) {
            member.pending.reset();
            member.fetched_ms = 0;
        } else if (now_ms == member.pending_ms) {
            hands_.kick(node);
        }
        return;
    }
    member.strayed_ms = 0;
    if (auto wrong = contradiction(*member.pending, status.tip); !wrong.empty()) {
        return fail(node, std::move(wrong), now_ms);
    }
    member.template_error.clear();
    if (!active) return member.pending.reset();
    newest_ = Offer{std::exchange(member.pending, nullptr), status.tip, member.pending_ms};
    offer(*newest_, status, now_ms);
}

void TemplateDesk::offer(const Offer& offer, const NodeStatus& status, std::int64_t now_ms) {
    const auto reason = gate_.judge(offer, last_invalidated_by(status), now_ms);
    if (reason != DeliveryReason::none) deliver(offer, reason, now_ms);
}

void TemplateDesk::deliver(Offer offer, DeliveryReason reason, std::int64_t now_ms) {
    auto content = offer.made_ms == now_ms ? offer.content : with_present_time(offer, now_ms);
    gate_.delivered(std::move(offer), now_ms);
    if (std::exchange(stale_, false)) hands_.templates_stale(false);
    hands_.deliver(std::move(content), reason);
}

void TemplateDesk::follow_tip(std::size_t node, const NodeStatus& status, std::int64_t now_ms) {
    const auto& last = gate_.last();
    if (!last || status.state != NodeState::up || !status.tip.known()) return;
    const bool invalidated = last_invalidated_by(status);
    if (!gate_.may_follow(status.tip, invalidated)) {
        hands_.judge(node, last->tip.hash);
        return;
    }
    hands_.judge(node, {});
    if (status.tip.hash != last->tip.hash && newest_ && newest_->tip.hash == status.tip.hash) {
        // Fetched while it was not yet allowed to follow this tip.
        return offer(*newest_, status, now_ms);
    }
    if (status.tip.hash == last->tip.hash) return;
    auto content = template_from_header(status.tip, *last, now_ms);
    if (!content) return;
    auto named = std::make_shared<job::BlockTemplate>(*content);
    named->node = status.name;
    deliver({std::move(named), status.tip, now_ms}, DeliveryReason::new_tip, now_ms);
}

void TemplateDesk::start_fetch(std::size_t node, std::int64_t now_ms) {
    members_[node].fetching = true;
    members_[node].fetch_started_ms = now_ms;
    hands_.fetch(node);
}

bool TemplateDesk::fetch_is_slow(std::size_t node, std::int64_t now_ms) const {
    const Member& member = members_[node];
    return member.fetching && now_ms - member.fetch_started_ms >= settings_.slow_template_ms;
}

void TemplateDesk::ask(std::size_t node, const NodeStatus& status, std::int64_t now_ms) {
    Member& member = members_[node];
    if (status.state != NodeState::up) return;
    if (active_ != static_cast<int>(node)) {
        const bool trial = !member.template_error.empty() && !member.fetching &&
                           now_ms >= member.fetch_not_before_ms;
        if (!trial) return;
        member.fetch_not_before_ms = now_ms + kTrialIntervalMs;
        return start_fetch(node, now_ms);
    }
    const bool on_tip = newest_ && newest_->tip.hash == status.tip.hash;
    const bool due = member.fetched_ms == 0 || !member.template_error.empty() ||
                     now_ms - member.fetched_ms >= settings_.template_poll_ms ||
                     (!on_tip && !member.pending);
    if (due && !member.fetching && now_ms >= member.fetch_not_before_ms) {
        start_fetch(node, now_ms);
    }
    if (!member.polling && !member.longpoll_id.empty() && member.template_error.empty() &&
        now_ms >= member.poll_not_before_ms) {
        member.polling = true;
        member.poll_started_ms = now_ms;
        hands_.long_poll(node, member.longpoll_id);
    }
}

void TemplateDesk::refresh(std::int64_t now_ms) {
    if (!gate_.refresh_due(now_ms)) return;
    const bool newer = newest_ && newest_->tip.hash == gate_.last()->tip.hash;
    const Offer source = newer ? *newest_ : *gate_.last();
    if (now_ms - source.made_ms > settings_.node_gone_ms) {
        if (!std::exchange(stale_, true)) hands_.templates_stale(true);
        return;
    }
    auto content = with_present_time(source, now_ms);
    gate_.delivered(source, now_ms);
    hands_.deliver(std::move(content), DeliveryReason::refresh);
}

}  // namespace adit::node
