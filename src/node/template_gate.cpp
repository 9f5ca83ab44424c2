#include "node/template_gate.h"

namespace adit::node {
namespace {

constexpr std::int32_t kRetargetInterval = 2016;
constexpr std::uint32_t kHeaderOnlyVersion = 0x20000000;

bool fees_have_risen(const job::BlockTemplate& now, const job::BlockTemplate& before, int percent) {
    const auto rise = now.coinbase_value_sat - before.coinbase_value_sat;
    return rise > 0 && rise * 100 >= before.fees_sat() * percent;
}

// Into `into`, when both are the same block and both say its work.
void keep_smaller_work(Tip& into, const Tip& other) {
    if (into.hash != other.hash || other.chainwork == base::U256{}) return;
    if (into.chainwork > other.chainwork) into.chainwork = other.chainwork;
}

std::uint32_t seconds_later(std::uint32_t time, std::int64_t elapsed_ms) {
    const auto later = std::int64_t{time} + std::max<std::int64_t>(elapsed_ms, 0) / 1000;
    return static_cast<std::uint32_t>(std::min<std::int64_t>(later, UINT32_MAX));
}

}  // namespace

std::string_view name_of(DeliveryReason reason) {
    switch (reason) {
        case DeliveryReason::none:
            return "none";
        case DeliveryReason::new_tip:
            return "new_tip";
        case DeliveryReason::completed:
            return "completed";
        case DeliveryReason::other_node:
            return "other_node";
        case DeliveryReason::better_fees:
            return "better_fees";
        case DeliveryReason::refresh:
            return "refresh";
    }
    return "?";
}

bool TemplateGate::may_follow(const Tip& tip, bool last_invalidated) const {
    if (!last_ || tip.hash == last_->tip.hash) return true;
    if (tip.known() && tip.header.previous == last_->tip.hash) return true;
    return !last_->tip.beats(tip) || last_invalidated;
}

DeliveryReason TemplateGate::judge(const Offer& offer, bool last_invalidated,
                                   std::int64_t now_ms) const {
    if (!may_follow(offer.tip, last_invalidated)) return DeliveryReason::none;
    if (!last_ || offer.tip.hash != last_->tip.hash) return DeliveryReason::new_tip;
    const auto& before = *last_->content;
    if (!before.complete && offer.content->complete) return DeliveryReason::completed;
    if (offer.content->node != before.node) return DeliveryReason::other_node;
    if (refresh_due(now_ms)) return DeliveryReason::refresh;
    const auto elapsed_ms = now_ms - last_ms_;
    if (elapsed_ms >= settings_.fee_gap_ms &&
        fees_have_risen(*offer.content, before, settings_.min_fee_rise_percent)) {
        return DeliveryReason::better_fees;
    }
    return DeliveryReason::none;
}

void TemplateGate::delivered(Offer offer, std::int64_t now_ms) {
    if (last_) keep_smaller_work(offer.tip, last_->tip);
    last_ = std::move(offer);
    last_ms_ = now_ms;
}

void TemplateGate::heard(const Tip& tip) {
    if (last_) keep_smaller_work(last_->tip, tip);
}

job::TemplateRef template_from_header(const Tip& tip, const Offer& last, std::int64_t now_ms) {
    const auto& before = *last.content;
    const auto& network = chain::params(before.network);
    const auto height = tip.height + 1;
    if (network.bits_need_template || height % kRetargetInterval == 0 || tip.median_time == 0 ||
        tip.header.previous != last.tip.hash || tip.height != last.tip.height + 1) {
        return nullptr;
    }
    auto made = std::make_shared<job::BlockTemplate>();
    made->network = before.network;
    made->height = height;
    made->previous = tip.hash;
    made->version = kHeaderOnlyVersion;
    made->bits = tip.header.bits;
    made->min_time = tip.median_time + 1;
    made->current_time =
        std::max(made->min_time, seconds_later(before.current_time, now_ms - last.made_ms));
    made->coinbase_value_sat = chain::block_subsidy_sat(network, height);
    made->segwit = before.segwit;
    made->weight_limit = before.weight_limit;
    made->complete = false;
    made->node = before.node;
    return made;
}

job::TemplateRef with_present_time(const Offer& offer, std::int64_t now_ms) {
    auto copy = std::make_shared<job::BlockTemplate>(*offer.content);
    copy->current_time = seconds_later(copy->current_time, now_ms - offer.made_ms);
    return copy;
}

std::string contradiction(const job::BlockTemplate& content, const Tip& tip) {
    if (content.height != tip.height + 1) {
        return fmt::format(
            "the node contradicts itself: its best block {} has height {}, but its "
            "template on it has height {}",
            tip.hash.rpc_hex(), tip.height, content.height);
    }
    if (tip.median_time != 0 && content.min_time <= tip.median_time) {
        return "the node contradicts itself: mintime of its template is not after mediantime";
    }
    if (!chain::params(content.network).bits_need_template &&
        content.height % kRetargetInterval != 0 && content.bits != tip.header.bits) {
        return "the node contradicts itself: its template changes the difficulty at a height where "
               "it cannot change";
    }
    return {};
}

}  // namespace adit::node
