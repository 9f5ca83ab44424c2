#include "stratum/session_memory.h"

#include "base/bytes.h"
#include "base/random.h"

#include <algorithm>
#include <limits>

namespace adit::stratum {

std::optional<SessionToken> SessionToken::parse(std::string_view hex) {
    SessionToken token;
    if (!base::from_hex(hex, token.bytes)) return std::nullopt;
    return token;
}

SessionToken SessionToken::random() {
    SessionToken token;
    base::fill_random(token.bytes);
    return token;
}

std::string SessionToken::text() const {
    return base::to_hex(bytes);
}

void SentJobs::add(job::JobId job, std::uint8_t variant, const chain::Difficulty& difficulty) {
    const auto at = std::upper_bound(
        sent_.begin(), sent_.end(), std::pair(job, variant),
        [](const auto& key, const Sent& sent) { return key < std::pair(sent.job, sent.variant); });
    sent_.insert(at, {job, difficulty, variant});
}

std::optional<chain::Difficulty> SentJobs::find(job::JobId job, std::uint8_t variant) const {
    // The last entry that is not after (job, variant).
    const auto after = std::upper_bound(
        sent_.begin(), sent_.end(), std::pair(job, variant),
        [](const auto& key, const Sent& sent) { return key < std::pair(sent.job, sent.variant); });
    if (after == sent_.begin()) return std::nullopt;
    const Sent& sent = *std::prev(after);
    if (variant != 0 && (sent.job != job || sent.variant != variant)) return std::nullopt;
    return sent.difficulty;
}

void SentJobs::forget_before(job::JobId oldest) {
    const auto first =
        std::lower_bound(sent_.begin(), sent_.end(), oldest,
                         [](const Sent& sent, job::JobId id) { return sent.job < id; });
    // The last entry before still says which difficulty the broadcasts after it had.
    if (first - sent_.begin() > 1) sent_.erase(sent_.begin(), std::prev(first));
}

std::optional<std::uint8_t> SessionMemory::take_variant(std::uint64_t tip) {
    if (tip != variant_tip_) {
        variant_tip_ = tip;
        last_variant_ = 0;
    }
    if (last_variant_ == std::numeric_limits<std::uint8_t>::max()) return std::nullopt;
    return ++last_variant_;
}

}  // namespace adit::stratum
