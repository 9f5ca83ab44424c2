// Decides which templates reach the miners: never back to a chain with less work, and on the same
// chain only when there is a reason. Pure: time (steady ms) is passed in. Not thread-safe.
#pragma once

#include "job/template.h"
#include "node/chain_info.h"

#include <optional>

namespace adit::node {

// A template and the block it builds on.
struct Offer {
    job::TemplateRef content;
    Tip tip;
    std::int64_t made_ms = 0;  // steady, when the node answered with it
};

enum class DeliveryReason {
    none,  // do not deliver
    new_tip,
    completed,   // the full template after one made from a header
    other_node,  // the same tip, but from another node than before
    better_fees,
    refresh,
};
inline constexpr std::size_t kDeliveryReasons = 6;
std::string_view name_of(DeliveryReason reason);

class TemplateGate {
 public:
    struct Settings {
        int refresh_ms = 30'000;
        int min_fee_rise_percent = 5;
        int fee_gap_ms = 5'000;
    };
    explicit TemplateGate(Settings settings) : settings_(settings) {}

    // Whether work may move to this tip: it is the last one's, builds directly on it, has at least
    // its work, or the node has invalidated the last one.
    bool may_follow(const Tip& tip, bool last_invalidated) const;
    DeliveryReason judge(const Offer& offer, bool last_invalidated, std::int64_t now_ms) const;
    void delivered(Offer offer, std::int64_t now_ms);
    // A node's best block. The work of a block is only said, not proven: where two nodes differ
    // about the last delivery's block, the smaller counts, so that a lie does not hold work back.
    void heard(const Tip& tip);
    // Takes over another gate's last delivery; a refresh is due at once.
    void resume(Offer offer) { last_ = std::move(offer); }

    // The last delivery; nullopt before the first.
    const std::optional<Offer>& last() const { return last_; }
    bool refresh_due(std::int64_t now_ms) const {
        return last_ && (last_ms_ == kNever || now_ms - last_ms_ >= settings_.refresh_ms);
    }

 private:
    static constexpr std::int64_t kNever = INT64_MIN;

    Settings settings_;
    std::optional<Offer> last_;
    std::int64_t last_ms_ = kNever;  // kNever: nothing delivered by this gate
};

// The template that can be made from a new tip's header before the node has answered with a full
// one: the next height, the tip's bits, subsidy without fees. Null where the header does not tell
// enough: at a difficulty change, on chains whose difficulty may fall between changes, when nothing
// was mined on yet, and when the tip does not directly follow the last one.
job::TemplateRef template_from_header(const Tip& tip, const Offer& last, std::int64_t now_ms);

// A copy whose clock is as of now.
job::TemplateRef with_present_time(const Offer& offer, std::int64_t now_ms);

// Whether a template contradicts what the same node says of the tip it builds on; the sentence, or
// empty when all is well.
std::string contradiction(const job::BlockTemplate& content, const Tip& tip);

}  // namespace adit::node
