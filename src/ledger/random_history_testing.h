// A share log that a seed makes up: work, blocks, and facts of every sort about them and about
// payouts, most as a pool would write them, some repeated, out of order or impossible. What it
// writes goes through the log's own encoding and the Tally, so that a test can fold it again and
// again. Tests only.
#pragma once

#include "ledger/books_testing.h"

#include <array>
#include <random>
#include <stdexcept>

namespace adit::ledger::testing {

// What a store does with a piece of a log.
inline void fold_into(MemoryJournal& journal, const TallyDelta& delta) {
    journal.add(delta);
    for (const auto& fact : delta.facts)
        Bookkeeper(journal).apply(fact);
}

class RandomLog {
 public:
    explicit RandomLog(std::uint64_t seed, InstanceId instance = 0)
        : random_(seed * 1'000 + instance),
          instance_(instance),
          expected_(instance, kSliceSeconds) {
        start_.log_id[0] = static_cast<std::uint8_t>(instance + 1);
        start_.log.chain = fresh_hash();
        end_ = start_;
        time_ms_ = kStart * 1'000;
        for (share::AccountId id = 1; id <= kAccounts; ++id) {
            put(share::AccountRecord{id, name_of(id)});
            put(share::WorkerRecord{id, id, id % 2 == 0 ? "rig" : ""});
        }
        // Rules are the pool's: one log has them.
        if (instance == 0) put(random_rules());
        close();
    }

    // Some more of everything, decided from what the log has led to so far.
    void grow() {
        pass_time();
        for (auto records = 1 + below(4); records > 0; --records)
            add_something();
        close();
    }
    // Work and, perhaps, a block of the present rules.
    void grow_work(bool block) {
        pass_time();
        add_shares();
        if (block) add_block();
        if (below(2) == 0) add_shares();
        close();
    }
    // One fact about a block or a payout of a ledger that knows more than this log.
    void grow_fact(LedgerReader& ledger) {
        pass_time();
        below(4) == 0 ? add_payout_fact(ledger) : tell_of_block(ledger);
        close();
    }
    // New reward rules.
    void grow_rules() { grow_record(random_rules()); }
    // The facts that were written, the last one at the end.
    const std::vector<share::Record>& told() const { return told_; }
    // A batch of this record.
    void grow_record(const share::Record& record) {
        pass_time();
        std::visit([&](const auto& known) { put_fact(known); }, record);
        close();
    }
    void wait_until(std::int64_t time_ms) { time_ms_ = std::max(time_ms_, time_ms); }

    std::size_t batches() const { return batches_.size(); }
    std::int64_t time_ms() const { return time_ms_; }
    const FoldPoint& start() const { return start_; }
    const FoldPoint& end() const { return end_; }
    // What a tally that stands at a point makes of the batches from there up to this number.
    TallyDelta piece(const FoldPoint& from, std::size_t until) const {
        Tally tally(from, kSliceSeconds);
        for (std::size_t i = 0; i < until; ++i) {
            if (batches_[i].before.position < from.log.position) continue;
            if (!tally.fold(batches_[i].view())) throw std::runtime_error("a batch does not fold");
        }
        return tally.take();
    }
    // How many batches lie before a point.
    std::size_t batches_before(const FoldPoint& at) const {
        const auto is_before = [&](const Batch& b) { return b.before.position < at.log.position; };
        return static_cast<std::size_t>(std::ranges::count_if(batches_, is_before));
    }
    // What all batches lead to.
    MemoryJournal& expected() { return expected_; }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

 private:
    static constexpr share::AccountId kAccounts = 6;
    // About 131,000 hashes a block, 4,300 a share.
    static constexpr std::uint32_t kBits = 0x1e7fffff;
    static constexpr double kDifficulty = 1e-6;

    struct Batch {
        share::LogPoint before, after;
        std::int64_t time_ms = 0;
        std::uint32_t records = 0, shares = 0;
        base::Bytes payload;
        share::LogBatch view() const { return {before, after, time_ms, records, shares, payload}; }
    };

    bool once_in(std::uint64_t times) { return below(times) == 0; }
    // The accounts are the same in every log, their ids are not.
    std::string name_of(share::AccountId id) const {
        static const std::array<std::string, kAccounts> kNames{
            "dora", "alf", "cem", std::string("odd\0\xff", 5), "bea", "eve"};
        return kNames.at((id - 1 + instance_) % kAccounts);
    }
    share::AccountId account() { return static_cast<share::AccountId>(1 + below(kAccounts)); }
    chain::Hash256 fresh_hash() {
        chain::Hash256 hash;
        for (auto& byte : hash.bytes)
            byte = static_cast<std::uint8_t>(random_());
        return hash;
    }
    std::string words() {
        std::string words(below(12), 'w');
        for (auto& letter : words)
            letter = static_cast<char>(below(256));
        return words;
    }
    std::int64_t amount(std::int64_t most) {
        return 1 + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most)));
    }
    template <class Rows>
    auto one_of(const Rows& rows) {
        // Mostly of the last ones, of which there is more to tell.
        const auto size = rows.size();
        const auto last = std::min<std::uint64_t>(size, 6);
        return rows[once_in(4) ? below(size) : size - 1 - below(last)];
    }

    // --- the log ------------------------------------------------------------------------------

    void pass_time() { time_ms_ += once_in(3) ? amount(700'000) : amount(20'000); }
    template <class T>
    void put(const T& record) {
        share::append_record(open_.payload, record);
        ++open_.records;
        if constexpr (std::same_as<T, share::ShareRecord>) ++open_.shares;
    }
    template <class T>
    void put_fact(const T& record) {
        put(record);
        told_.emplace_back(record);
    }
    void close() {
        open_.before = end_.log;
        auto all = open_.payload;
        all.insert(all.end(), end_.log.chain.bytes.begin(), end_.log.chain.bytes.end());
        open_.after = {end_.log.position + 64 + open_.payload.size(), chain::sha256(all)};
        open_.time_ms = time_ms_;
        batches_.push_back(std::exchange(open_, {}));
        const auto delta = piece(end_, batches_.size());
        fold_into(expected_, delta);
        end_ = delta.after;
    }

    void add_something() {
        switch (below(14)) {
            case 0:
            case 1:
            case 2:
                return add_shares();
            case 3:
            case 4:
                return add_block();
            case 5:
            case 6:
            case 7:
            case 8:
                return tell_of_block(expected_);
            case 9:
                return add_intent(expected_);
            case 10:
            case 11:
                return add_payout_fact(expected_);
            case 12:
                return add_choice(expected_);
            default:
                return add_odd();
        }
    }
    void add_shares() {
        for (auto shares = amount(12); shares > 0; --shares) {
            share::ShareRecord share;
            share.job = 1;
            share.account = account();
            share.worker = share.account;
            share.difficulty =
                *chain::Difficulty::from_double(kDifficulty * static_cast<double>(amount(3)));
            share.uncredited = once_in(20);
            put(share);
        }
    }

    // --- blocks -------------------------------------------------------------------------------

    void add_block() {
        share::BlockRecord block;
        block.hash = fresh_hash();
        block.height = static_cast<std::int32_t>(batches_.size());
        block.bits = kBits;
        block.job = 1;
        block.account = once_in(20) ? 99 : account();
        block.worker = 1;
        if (once_in(4)) block.snapshot = expected_.last_snapshot(instance_);
        block.pays_finder = once_in(4);
        block.coinbase_value_sat = amount(5'000'000'000);
        block.found_wall_ms = time_ms_;
        block.stale = once_in(8);
        block.file = "block";
        // Two blocks of one hash cannot be, but a log can say so.
        const auto known = *expected_.block_rows();
        if (!known.empty() && once_in(40)) block.hash = one_of(known).found.block.hash;
        put_fact(block);
    }
    share::BlockFact next_fact(BlockState state) {
        using share::BlockFact;
        const bool first = !once_in(3);
        switch (state) {
            case BlockState::found:
            case BlockState::contested:
                return first ? BlockFact::confirmed : BlockFact::orphaned;
            case BlockState::confirmed:
                return first ? BlockFact::mature : BlockFact::contested;
            case BlockState::mature:
                return BlockFact::contested;
            case BlockState::orphaned:
                return BlockFact::confirmed;
        }
        return BlockFact::confirmed;
    }
    void tell_of_block(LedgerReader& ledger) {
        const auto rows = *ledger.block_rows();
        if (rows.empty()) return add_block();
        const auto block = one_of(rows);
        share::BlockFactRecord record;
        record.hash = once_in(30) ? fresh_hash() : block.found.block.hash;
        record.transition = block.transition + 1;
        if (once_in(15)) record.transition = static_cast<std::uint32_t>(amount(5));
        record.fact = next_fact(block.state);
        if (once_in(15)) record.fact = static_cast<share::BlockFact>(amount(4));
        if (record.fact == share::BlockFact::confirmed) {
            const bool known = !block.reward.is_zero() && !once_in(15);
            record.coinbase_value_sat = known ? block.reward.sat() : amount(5'000'000'000);
            if (once_in(30)) record.coinbase_value_sat = 0;
        }
        record.confirmations = static_cast<std::int32_t>(below(200));
        record.at_wall_ms = time_ms_;
        record.evidence = words();
        put_fact(record);
    }

    // --- payouts ------------------------------------------------------------------------------

    void add_intent(LedgerReader& ledger) {
        share::PayoutIntentRecord intent;
        const auto payouts = *ledger.payout_rows();
        intent.payout = payouts.empty() ? 1 : payouts.back().id + 1;
        if (once_in(20)) intent.payout = static_cast<share::PayoutId>(amount(5));
        intent.anchor = {fresh_hash(), 1};
        intent.anchor_value_sat = amount(1'000'000);
        intent.needs_approval = once_in(3);
        intent.at_wall_ms = time_ms_;
        const auto balances = *ledger.balances();
        for (const auto& row : balances) {
            const auto available = row.balance.available().sat();
            const bool counter = row.account.starts_with(':') && row.account != kFeeAccount;
            if (available <= 0 || once_in(3) || (counter && !once_in(30))) continue;
            share::Payee payee{row.account, {0x51, 2}, amount(available), 0};
            if (once_in(30)) payee.debit_sat = available + 1;
            payee.output_sat =
                payee.debit_sat -
                static_cast<std::int64_t>(below(static_cast<std::uint64_t>(payee.debit_sat)));
            intent.payees.push_back(payee);
            if (once_in(60)) intent.payees.push_back(payee);
        }
        if (!intent.payees.empty()) put_fact(intent);
    }
    share::PayoutFact next_fact(const PayoutRow& payout) {
        using share::PayoutFact;
        switch (payout.state) {
            case PayoutState::waiting_approval:
                return once_in(3) ? PayoutFact::cancelled : PayoutFact::approved;
            case PayoutState::ready:
                return once_in(3) ? PayoutFact::cancelled : PayoutFact::conflicted;
            case PayoutState::signed_:
                return once_in(4) ? PayoutFact::conflicted : PayoutFact::confirmed;
            case PayoutState::confirmed:
                return once_in(3) ? PayoutFact::buried : PayoutFact::unconfirmed;
            case PayoutState::conflicted:
                return once_in(3) ? PayoutFact::cancelled : PayoutFact::reanchored;
            case PayoutState::cancelled:
            case PayoutState::buried:
                break;
        }
        return static_cast<PayoutFact>(amount(7));
    }
    void add_payout_fact(LedgerReader& ledger) {
        const auto payouts = *ledger.payout_rows();
        if (payouts.empty()) return add_intent(ledger);
        const auto payout = one_of(payouts);
        const bool may_sign =
            payout.state == PayoutState::ready || payout.state == PayoutState::signed_;
        const auto attempts = *ledger.attempts_of(payout.id);
        if (once_in(12) || (may_sign && once_in(attempts.empty() ? 2 : 4))) {
            return add_signed(payout, attempts);
        }
        share::PayoutFactRecord record;
        record.payout = once_in(40) ? 999 : payout.id;
        record.transition = payout.transition + 1;
        if (once_in(15)) record.transition = static_cast<std::uint32_t>(amount(4));
        record.fact = next_fact(payout);
        if (once_in(15)) record.fact = static_cast<share::PayoutFact>(amount(7));
        record.txid = payout.txid;
        if (record.fact == share::PayoutFact::confirmed && !attempts.empty()) {
            record.txid = one_of(attempts).txid;
        }
        if (once_in(30)) record.txid = fresh_hash();
        record.anchor = {fresh_hash(), 2};
        record.anchor_value_sat = amount(1'000'000);
        record.block = fresh_hash();
        record.height = static_cast<std::int32_t>(below(1'000));
        record.at_wall_ms = time_ms_;
        record.evidence = words();
        put_fact(record);
    }
    void add_signed(const PayoutRow& payout,
                    const std::vector<share::PayoutSignedRecord>& attempts) {
        share::PayoutSignedRecord record;
        record.payout = payout.id;
        record.attempt = payout.attempts + 1;
        if (once_in(20)) record.attempt = static_cast<std::uint32_t>(amount(4));
        record.txid = fresh_hash();
        if (!attempts.empty() && once_in(15)) record.txid = attempts.front().txid;
        record.fee_sat = amount(1'000);
        record.at_wall_ms = time_ms_;
        record.raw = {1, 0, 0xff, static_cast<std::uint8_t>(random_())};
        put_fact(record);
    }

    // --- the rest -----------------------------------------------------------------------------

    share::RulesRecord random_rules() {
        share::RulesRecord rules;
        rules.scheme = static_cast<share::RewardScheme>(below(3));
        rules.mode = static_cast<share::PayoutMode>(below(3));
        rules.fee_ppm = static_cast<std::uint32_t>(below(50'000));
        rules.pplns_factor_milli = static_cast<std::uint32_t>(amount(3'000));
        if (once_in(4)) rules.fee_account = name_of(account());
        rules.at_wall_ms = time_ms_;
        return rules;
    }
    void add_choice(LedgerReader& ledger) {
        if (once_in(3)) return put_fact(random_rules());
        if (once_in(2)) {
            return put_fact(share::SettingsRecord{name_of(account()), amount(100'000),
                                                  static_cast<std::uint32_t>(below(100'000)),
                                                  time_ms_});
        }
        share::ExplainRecord explained{fresh_hash(), {}, 0, time_ms_, words()};
        const auto balances = *ledger.balances();
        if (!balances.empty() && !once_in(4)) {
            explained.account = once_in(20) ? "nobody" : one_of(balances).account;
            explained.amount_sat = amount(10'000);
        }
        put_fact(explained);
    }
    void add_odd() {
        if (!told_.empty() && !once_in(3)) {
            const auto again = one_of(told_);
            return std::visit([&](const auto& record) { put(record); }, again);
        }
        share::SnapshotRecord snapshot;
        snapshot.id = expected_.last_snapshot(instance_) + 1;
        // So far on that some of the others are forgotten.
        if (once_in(3)) snapshot.id += below(kKeptSnapshots);
        if (once_in(10)) snapshot.id = static_cast<std::uint64_t>(amount(3));
        snapshot.previous = fresh_hash();
        snapshot.max_outputs = 10;
        snapshot.at_wall_ms = time_ms_;
        for (share::AccountId id = 1; id <= kAccounts; ++id) {
            if (once_in(2)) snapshot.entries.push_back({id, random_(), amount(1'000)});
        }
        if (once_in(20)) snapshot.entries.push_back({77, 1, 0});
        put_fact(snapshot);
    }

    std::mt19937_64 random_;
    InstanceId instance_;
    MemoryJournal expected_;
    FoldPoint start_, end_;
    std::int64_t time_ms_ = 0;
    Batch open_;
    std::vector<Batch> batches_;
    std::vector<share::Record> told_;
};

}  // namespace adit::ledger::testing
