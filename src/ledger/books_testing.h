// A ledger in memory that a test feeds by hand: names, slices and facts. Tests only.
#pragma once

#include "ledger/bookkeeper.h"
#include "ledger/memory_journal.h"

#include <string>
#include <vector>

namespace adit::ledger::testing {

inline constexpr std::int64_t kStart = 1'700'000'400;  // seconds, a multiple of 600
inline constexpr std::uint32_t kSliceSeconds = 600;
inline constexpr std::uint32_t kEasyBits = 0x207fffff;  // the limit of regtest

inline chain::Hash256 hash_of(std::uint32_t number) {
    chain::Hash256 hash;
    base::store_le(hash.bytes.data(), number);
    return hash;
}

class Books {
 public:
    // Account ids count from 1 in the order of the names.
    explicit Books(std::vector<std::string> names) {
        TallyDelta delta;
        for (auto& name : names) {
            const auto id = static_cast<share::AccountId>(delta.accounts.size() + 1);
            delta.accounts.push_back({id, std::move(name)});
        }
        journal.add(delta);
    }

    void work(SliceKey slice, share::AccountId account, chain::Work amount) {
        TallyDelta delta;
        delta.slices[{slice, account}] = {amount, 1, 0};
        journal.add(delta);
    }
    // A block that closes this slice.
    FoundBlock found(std::uint32_t number, SliceKey slice, share::AccountId finder,
                     std::int64_t second = 0) {
        FoundBlock block;
        block.block.hash = hash_of(number);
        block.block.height = static_cast<std::int32_t>(number);
        block.block.bits = kEasyBits;
        block.block.job = number;
        block.block.account = finder;
        block.time_ms = (second == 0 ? slice.start_s + slice.sequence : second) * 1'000;
        block.position = ++position_;
        block.slice = slice;
        return block;
    }
    template <class T>
    std::optional<FactRefusal> apply(T what) {
        const Fact fact{std::move(what), ++position_, kStart * 1'000};
        return Bookkeeper(journal).apply(fact);
    }
    std::optional<FactRefusal> chain_says(std::uint32_t number, std::uint32_t transition,
                                          share::BlockFact fact, std::int64_t value_sat = 0) {
        share::BlockFactRecord record;
        record.hash = hash_of(number);
        record.transition = transition;
        record.fact = fact;
        record.coinbase_value_sat = value_sat;
        return apply(record);
    }
    std::optional<FactRefusal> payout_is(share::PayoutId payout, std::uint32_t transition,
                                         share::PayoutFact fact, std::uint32_t txid = 0) {
        share::PayoutFactRecord record;
        record.payout = payout;
        record.transition = transition;
        record.fact = fact;
        record.txid = txid == 0 ? chain::Hash256{} : hash_of(txid);
        record.anchor.index = transition;  // another one than the intent's
        return apply(record);
    }
    std::optional<FactRefusal> signs(share::PayoutId payout, std::uint32_t attempt,
                                     std::uint32_t txid, std::int64_t fee_sat = 10) {
        return apply(share::PayoutSignedRecord{payout, attempt, hash_of(txid), fee_sat, 0, {1}});
    }
    std::int64_t posted(std::string_view account) { return balance(account).posted.sat(); }
    std::int64_t pending(std::string_view account) { return balance(account).pending.sat(); }
    std::int64_t reserved(std::string_view account) { return balance(account).reserved.sat(); }
    Balance balance(std::string_view account) { return journal.balance(account); }
    BlockState state(std::uint32_t number) { return journal.block(hash_of(number))->state; }

    MemoryJournal journal{0, kSliceSeconds};

 private:
    share::LogPosition position_ = 0;
};

}  // namespace adit::ledger::testing
