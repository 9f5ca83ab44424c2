#include "ledger/rounds.h"

#include <set>

namespace adit::ledger {
namespace {

bool is_prop(Journal& journal, const BlockRow& block) {
    return journal.rules(block.rules).rules.scheme == share::RewardScheme::prop;
}

BlockRow standing_at(const Moment& moment) {
    BlockRow row;
    row.instance = moment.instance;
    row.found.slice = moment.slice;
    row.found.time_ms = moment.time_ms;
    return row;
}

// The blocks that may have ended a round with work that counts before this moment as well: the
// last one of an earlier time, and all of the same time.
std::vector<Moment> previous_ends(Journal& journal, const Moment& moment) {
    std::vector<Moment> ends;
    auto block = journal.block_before(standing_at(moment));
    while (block) {
        ends.push_back(moment_of(*block));
        if (block->found.time_ms < moment.time_ms) break;
        block = journal.block_before(*block);
    }
    return ends;
}

void add_round(Journal& journal, const Moment& moment, WorkByAccount& sums, SliceRef& oldest) {
    const auto ends = previous_ends(journal, moment);
    // Slices that end before the previous round began were in it or in an earlier one.
    const auto is_older = [&](const SliceRef& ref) {
        return !ends.empty() && ends.back().time_ms < moment.time_ms &&
               (ref.slice.start_s + journal.slice_s()) * 1'000 <= ends.back().time_ms;
    };
    journal.slices_down(newest_before(moment), [&](const SliceGroup& group) {
        if (is_older(group.ref)) return false;
        if (!counts_before(journal, group.ref, moment)) return true;
        for (const auto& end : ends) {
            if (counts_before(journal, group.ref, end)) return true;
        }
        sums.add(group.ref.instance, group.work);
        oldest = group.ref;
        return true;
    });
}

// Adds the rounds that were moved to this one, and those that were moved to them.
void add_moved(Journal& journal, const chain::Hash256& to, WorkByAccount& sums, SliceRef& oldest) {
    std::vector<chain::Hash256> open{to};
    std::set<chain::Hash256> seen{to};
    while (!open.empty()) {
        const auto hash = open.back();
        open.pop_back();
        for (const auto& block : journal.rounds_moved_to(hash)) {
            if (!seen.insert(block.found.block.hash).second) continue;
            open.push_back(block.found.block.hash);
            SliceRef oldest_moved = oldest;
            add_round(journal, moment_of(block), sums, oldest_moved);
            oldest = std::min(oldest, oldest_moved);
        }
    }
}

Window window_of(Journal& journal, const WorkByAccount& sums, const SliceRef& oldest,
                 std::string_view unnamed) {
    Window window;
    window.accounts = sums.by_name(journal, unnamed);
    for (const auto& account : window.accounts)
        window.counted += account.work;
    if (window.counted > 0) window.oldest = oldest;
    return window;
}

Window round_at(Journal& journal, const Moment& moment, const chain::Hash256* moved_to,
                std::string_view unnamed) {
    WorkByAccount sums;
    auto oldest = newest_before(moment);
    add_round(journal, moment, sums, oldest);
    if (moved_to != nullptr) add_moved(journal, *moved_to, sums, oldest);
    return window_of(journal, sums, oldest, unnamed);
}

bool was_credited(const BlockRow& block) {
    return !block.reward.is_zero();
}

}  // namespace

Window round_before(Journal& journal, const Moment& moment, std::string_view unnamed) {
    return round_at(journal, moment, nullptr, unnamed);
}

Window round_of(Journal& journal, const BlockRow& block, std::string_view unnamed) {
    return round_at(journal, moment_of(block), &block.found.block.hash, unnamed);
}

Window open_round(Journal& journal, const Moment& now, std::string_view unnamed) {
    return round_at(journal, now, &kNextRound, unnamed);
}

void take_waiting_rounds(Journal& journal, const BlockRow& found) {
    if (!is_prop(journal, found)) return;
    // A snapshot holds the rounds that waited when it was taken, and no later ones.
    std::optional<std::int64_t> until_ms;
    if (found.found.block.snapshot != 0) {
        const auto snapshot = journal.snapshot(found.instance, found.found.block.snapshot);
        if (!snapshot) return;
        until_ms = snapshot->at_wall_ms;
    }
    for (auto& waiting : journal.rounds_moved_to(kNextRound)) {
        if (until_ms && waiting.changed_ms > *until_ms) continue;
        waiting.round_moved_to = found.found.block.hash;
        journal.put_block(waiting);
    }
}

void move_round(Journal& journal, BlockRow& orphaned) {
    if (!is_prop(journal, orphaned) || !orphaned.round_moved_to.is_zero()) return;
    orphaned.round_moved_to = kNextRound;
    for (const auto& next : journal.blocks_after(orphaned)) {
        const auto takes = next.state != BlockState::orphaned && !was_credited(next) &&
                           next.found.block.snapshot == 0 && is_prop(journal, next);
        if (!takes) continue;
        orphaned.round_moved_to = next.found.block.hash;
        return;
    }
}

void return_round(Journal& journal, BlockRow& returned) {
    std::set<chain::Hash256> seen;
    auto hash = returned.round_moved_to;
    while (!hash.is_zero() && seen.insert(hash).second) {
        const auto taker = journal.block(hash);
        if (!taker) break;
        if (taker->credited) return;
        hash = taker->round_moved_to;
    }
    returned.round_moved_to = {};
}

}  // namespace adit::ledger
