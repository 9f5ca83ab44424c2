#include "store/slice_cache.h"

#include <limits>

namespace adit::store {
namespace {

using ledger::SliceGroup;
using ledger::SliceRef;

constexpr SliceRef kOldest{{std::numeric_limits<std::int64_t>::min(), 0}, 0};

// No log gets there.
constexpr SliceRef kNewest{{std::numeric_limits<std::int64_t>::max() - 1, 0}, 0};

SliceRef next_after(SliceRef ref) {
    if (ref.instance != std::numeric_limits<ledger::InstanceId>::max()) {
        ++ref.instance;
    } else if (ref.slice.sequence != std::numeric_limits<std::uint32_t>::max()) {
        ref = {{ref.slice.start_s, ref.slice.sequence + 1}, 0};
    } else {
        ref = {{ref.slice.start_s + 1, 0}, 0};
    }
    return ref;
}

}  // namespace

void SliceCache::walk(const SliceRef& from, const Stands& stands, const Read& read,
                      const Visit& visit) {
    forget_changed(stands);
    auto next = next_after(from);  // what is below has not been shown
    if (groups_.empty()) {
        end_ = next;
    } else if (end_ < next) {
        const auto known_to = end_;
        if (!walk_newer(next, read, visit)) return;
        next = known_to;
    }
    for (const auto& group : groups_) {
        if (group.ref >= next) continue;
        if (!visit({group.ref, group.work})) return;
        next = group.ref;
    }
    // Older ones join if there is no gap and none was left out.
    bool joins = groups_.empty() ? end_ == next : groups_.back().ref == next;
    read(next, kOldest, [&](const SliceGroup& group) {
        joins = joins && fits(group);
        if (joins) {
            groups_.emplace_back(group);
            bytes_ += size_of(group.work.size());
        }
        return visit(group);
    });
}

void SliceCache::keep_up(const SliceRef& floor, const Stands& stands, const Read& read) {
    forget_changed(stands);
    if (groups_.empty()) {
        walk(kNewest, stands, read,
             [&](const SliceGroup& group) { return group.ref > floor && fits(group); });
    } else if (end_ < kNewest) {
        walk_newer(kNewest, read, [](const SliceGroup&) { return true; });
    }
}

// Shows what lies above the known ones and puts it before them. False: the walk ends there.
bool SliceCache::walk_newer(const SliceRef& below, const Read& read, const Visit& visit) {
    std::deque<Group> newer;
    bool joins = true;
    const bool whole = read(below, end_, [&](const SliceGroup& group) {
        while (!groups_.empty() && !fits(group))
            drop_oldest();
        joins = joins && fits(group);
        if (joins) {
            newer.emplace_back(group);
            bytes_ += size_of(group.work.size());
        }
        return visit(group);
    });
    // Nobody has seen what is between.
    while (!whole && !groups_.empty())
        drop_oldest();
    groups_.insert(groups_.begin(), std::make_move_iterator(newer.begin()),
                   std::make_move_iterator(newer.end()));
    end_ = below;
    return whole;
}

void SliceCache::forget_changed(const Stands& stands) {
    const auto read_at = std::exchange(stands_, stands);
    // A log that was not there may have begun at any time.
    if (read_at.size() != stands.size()) return clear();
    for (const auto& [instance, was] : read_at) {
        const auto is = stands.find(instance);
        if (is == stands.end() || is->second.log_id != was.log_id) return clear();
        if (is->second == was) continue;
        if (is->second.log.position <= was.log.position) return clear();
        // Whatever the log went on with came into the slice it stood in or into later ones.
        const SliceRef changed{was.slice, 0};
        while (!groups_.empty() && groups_.front().ref >= changed) {
            bytes_ -= size_of(groups_.front().work.size());
            groups_.pop_front();
        }
        end_ = std::min(end_, changed);
    }
}

std::size_t SliceCache::size_of(std::size_t accounts) {
    return sizeof(Group) + accounts * sizeof(std::pair<share::AccountId, chain::Work>);
}

bool SliceCache::fits(const SliceGroup& group) const {
    return bytes_ + size_of(group.work.size()) <= max_bytes_;
}

void SliceCache::drop_oldest() {
    bytes_ -= size_of(groups_.back().work.size());
    groups_.pop_back();
}

void SliceCache::clear() {
    groups_.clear();
    bytes_ = 0;
}

}  // namespace adit::store
