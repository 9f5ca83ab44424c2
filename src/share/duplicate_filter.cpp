#include "share/duplicate_filter.h"

#include <algorithm>
#include <utility>

namespace adit::share {

namespace {

constexpr std::size_t kFirstSlots = 16;
constexpr std::size_t kMaxSlots = 2 * DuplicateFilter::kMaxEntries;

constexpr std::size_t limit_of(std::size_t slots) {
    return slots / 4 * 3;
}

}  // namespace

// The low end of a block hash: its high end is zero in every good share.
std::uint64_t DuplicateFilter::key_of(const chain::Hash256& hash) {
    const auto key = base::load_le<std::uint64_t>(hash.bytes.data());
    return key == 0 ? 1 : key;
}

std::size_t DuplicateFilter::slot_of(std::uint64_t key) const {
    const auto mask = slots_.size() - 1;
    auto at = static_cast<std::size_t>(key >> 32) & mask;
    while (slots_[at].key != 0 && slots_[at].key != key)
        at = (at + 1) & mask;
    return at;
}

DuplicateFilter::Verdict DuplicateFilter::insert(job::JobId job, const chain::Hash256& hash) {
    const auto key = key_of(hash);
    if (!slots_.empty() && slots_[slot_of(key)].key == key) return Verdict::duplicate;
    const bool at_limit = used_ >= limit_of(slots_.size()) || used_ >= kMaxEntries;
    if (at_limit && !make_room()) return Verdict::full;
    slots_[slot_of(key)] = Entry{key, job};
    ++used_;
    newest_ = std::max(newest_, job);
    return Verdict::fresh;
}

bool DuplicateFilter::contains(const chain::Hash256& hash) const {
    if (slots_.empty()) return false;
    const auto key = key_of(hash);
    return slots_[slot_of(key)].key == key;
}

void DuplicateFilter::forget_before(job::JobId oldest) {
    oldest_ = std::max(oldest_, oldest);
    if (used_ == 0 || newest_ >= oldest_) return;
    slots_ = std::vector<Entry>();
    used_ = 0;
}

bool DuplicateFilter::make_room() {
    // A full table is searched for forgotten entries only when more has been forgotten since.
    if (used_ >= kMaxEntries && oldest_ == compacted_) return false;
    compacted_ = oldest_;
    const auto stays = [this](const Entry& entry) {
        return entry.key != 0 && entry.job >= oldest_;
    };
    const auto live = static_cast<std::size_t>(std::ranges::count_if(slots_, stays));
    if (live >= kMaxEntries) return false;

    // Below the largest size at least half of the limit is free afterwards, so the next rebuild is
    // as far away as this one was dear.
    auto size = kFirstSlots;
    while (limit_of(size) < 2 * live && size < kMaxSlots)
        size *= 2;
    auto old = std::exchange(slots_, std::vector<Entry>(size));
    used_ = live;
    for (const auto& entry : old) {
        if (stays(entry)) slots_[slot_of(entry.key)] = entry;
    }
    return true;
}

}  // namespace adit::share
