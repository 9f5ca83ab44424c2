// A payer that dies at any step, in a world that does what worlds do. Judged from the chain's side:
// what the miners' scripts have received, against what they were credited.
#include "ledger/payer_bench_testing.h"

#include <gmock/gmock.h>

#include <random>

namespace adit::ledger {
namespace {

using testing::FakeWallet;
using testing::PayerBench;
using Death = testing::FakeWallet::Death;

// Counts calls into wallet and log; the process dies at the one that it was told.
class DeathAt {
 public:
    explicit DeathAt(PayerBench& bench) {
        const auto count = [this] {
            if (left_ == 0 || --left_ > 0) return;
            struck_ = true;
            throw Death{};
        };
        bench.wallet.before_call = count;
        bench.sink.before_record = count;
    }
    // 0: at none.
    void set(int calls) {
        left_ = calls;
        struck_ = false;
    }
    bool has_struck() const { return struck_; }

 private:
    int left_ = 0;
    bool struck_ = false;
};

// One step by a payer that may die in it and is followed by a new one then.
void live(PayerBench& bench) {
    try {
        bench.next_round();
    } catch (const Death&) {
        bench.reopen();
    }
}

// The story of some payouts, with one death at call number `death`. False: it ended before that.
bool pays_exactly_with_death_at(int death) {
    PayerBench bench;
    bench.settings.approve_above = Amount::of(2'000'000);
    bench.reopen();
    bench.credit(0, 1'000'000);
    bench.credit(1, 300'000);
    bench.credit(2, 3'000'000);
    for (int i = 0; i < 3; ++i)
        bench.wallet.give(2'000'000);
    DeathAt at(bench);
    at.set(death);
    live(bench);
    live(bench);
    for (share::PayoutId id = 1; id <= bench.payouts(); ++id) {
        if (bench.row(id).state != PayoutState::waiting_approval) continue;
        try {
            EXPECT_TRUE(bench.payer().approve(id, "fine"));
        } catch (const Death&) {
            bench.reopen();
            if (bench.row(id).state == PayoutState::waiting_approval) {
                EXPECT_TRUE(bench.payer().approve(id, "fine"));
            }
        }
    }
    live(bench);
    bench.wallet.mine(7, true);  // nobody takes it: the fee rises
    live(bench);
    bench.wallet.empty_mempool();
    live(bench);
    bench.wallet.mine(6);
    live(bench);
    bench.wallet.reorganise(6, true);
    live(bench);
    live(bench);
    bench.wallet.mine(100);
    for (int i = 0; i < 3; ++i)
        live(bench);
    EXPECT_EQ(bench.received(0), 1'000'000);
    EXPECT_EQ(bench.received(1), 300'000);
    EXPECT_EQ(bench.received(2), 3'000'000);
    for (int miner = 0; miner < 3; ++miner)
        EXPECT_EQ(bench.books().balance(PayerBench::name_of(miner)), Balance{});
    EXPECT_TRUE(bench.books().journal.total().is_zero());
    EXPECT_EQ(bench.payer().status().hold, PayoutHold::none) << bench.payer().status().hold_text;
    return at.has_struck();
}

TEST(PayerCrash, PaysExactlyOnceWhereverItDies) {
    int death = 1;
    while (pays_exactly_with_death_at(death)) {
        ASSERT_FALSE(::testing::Test::HasFailure()) << "death at call " << death;
        ++death;
    }
    EXPECT_GT(death, 100) << "the story has many steps";
}

class RandomWorld {
 public:
    explicit RandomWorld(std::uint64_t seed) : random_(seed), at_(bench_) {
        bench_.settings.approve_above = Amount::of(800'000);
        bench_.settings.miners_bear_fee = seed % 3 == 0;
        bench_.settings.daily_cap = seed % 4 == 0 ? Amount::of(3'000'000) : Amount{};
        bench_.reopen();
        for (int i = 0; i < 8; ++i)
            bench_.wallet.give(below(3'000'000) + 500'000);
    }

    void act() {
        switch (below(14)) {
            case 0:
            case 1:
                return credit(static_cast<int>(below(PayerBench::kMiners)));
            case 2:
                return bench_.wallet.mine(static_cast<int>(below(8)));
            case 3:
                return bench_.wallet.mine(static_cast<int>(below(8)), true);
            case 4:
                return bench_.wallet.reorganise(static_cast<int>(below(9)), below(2) == 0);
            case 5:
                return bench_.wallet.empty_mempool();
            case 6:
                bench_.wallet.give(below(3'000'000) + 500'000);
                return;
            case 7:
                (below(2) == 0 ? bench_.sink.lose_answer : bench_.sink.fold_later) = true;
                return;
            case 8:
                return decide(4);
            case 9:
                bench_.wallet.estimate = below(20'000);
                return;
            default:
                at_.set(below(3) == 0 ? static_cast<int>(below(60)) + 1 : 0);
                live(bench_);
                deaths_ += at_.has_struck() ? 1 : 0;
                at_.set(0);
        }
    }
    // Lets everything that is under way come to its end.
    void settle() {
        at_.set(0);
        bench_.sink.lose_answer = bench_.sink.fold_later = false;
        bench_.sink.fold_late();
        for (int i = 0; i < 6; ++i) {
            bench_.wallet.give(5'000'000);
            bench_.clock.advance_ms(86'400'001);
            decide(0);
            live(bench_);
            bench_.wallet.mine(101);
            live(bench_);
            replace();
            live(bench_);
        }
    }
    // No miner has more than what was credited, and what is missing is owed or was its fee.
    void check(bool settled) {
        ASSERT_TRUE(bench_.books().journal.total().is_zero());
        for (int miner = 0; miner < PayerBench::kMiners; ++miner) {
            const auto credited = credited_[static_cast<std::size_t>(miner)];
            const auto owed = bench_.posted(miner);
            ASSERT_LE(bench_.received(miner), credited);
            ASSERT_GE(owed, 0);
            if (!settled) continue;
            ASSERT_EQ(bench_.received(miner) + fees(miner) + owed, credited);
            // What is more than a day's cap alone waits for a person.
            const bool waits =
                !bench_.settings.daily_cap.is_zero() && owed > bench_.settings.daily_cap.sat();
            ASSERT_TRUE(waits || owed < bench_.settings.threshold.sat()) << state();
        }
        if (settled) {
            ASSERT_EQ(bench_.wallet.mempool_size(), 0u);
        }
    }
    int deaths() const { return deaths_; }

 private:
    // For whoever reads a failure.
    std::string state() {
        auto text = bench_.payer().status().hold_text + "\n";
        const auto rows = *bench_.books().journal.payout_rows();
        for (const auto& row : rows)
            text += fmt::format("payout {} {}: {} sat, {} attempts, {}\n", row.id,
                                name_of(row.state), row.debits.sat(), row.attempts, row.evidence);
        for (const auto& alert : bench_.payer().status().alerts)
            text += alert + "\n";
        return text;
    }

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    void credit(int miner) {
        const auto sat = static_cast<std::int64_t>(below(700'000));
        if (sat == 0) return;
        bench_.credit(miner, sat);
        credited_[static_cast<std::size_t>(miner)] += sat;
    }
    // A person looks at the payouts that wait; one in `cancelled` is not to be (0: none).
    void decide(std::uint64_t cancelled) {
        const auto rows = *bench_.books().journal.payout_rows();
        for (const auto& row : rows) {
            if (row.state != PayoutState::waiting_approval) continue;
            if (cancelled > 0 && below(cancelled) == 0)
                (void)bench_.payer().cancel(row.id, "no");
            else
                (void)bench_.payer().approve(row.id, "yes");
        }
    }
    void replace() {
        const auto rows = *bench_.books().journal.payout_rows();
        for (const auto& row : rows) {
            if (row.state == PayoutState::conflicted)
                EXPECT_TRUE(bench_.payer().replace(row.id, "lost"));
        }
    }
    std::int64_t fees(int miner) {
        std::int64_t sum = 0;
        const auto transfers =
            *bench_.books().journal.transfers(PayerBench::name_of(miner), 0, std::int64_t{1} << 60);
        for (const auto& transfer : transfers) {
            if (transfer.id.purpose != Purpose::payout_fee) continue;
            if (transfer.phase == Phase::settle) sum += transfer.amount.sat();
            if (transfer.phase == Phase::unsettle) sum -= transfer.amount.sat();
        }
        return sum;
    }

    std::mt19937_64 random_;
    PayerBench bench_;
    DeathAt at_;
    std::array<std::int64_t, PayerBench::kMiners> credited_{};
    int deaths_ = 0;
};

TEST(PayerCrash, PaysExactlyOnceInRandomWorlds) {
    int deaths = 0;
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        SCOPED_TRACE(seed);
        RandomWorld world(seed);
        for (int i = 0; i < 120; ++i) {
            world.act();
            world.check(false);
            if (::testing::Test::HasFatalFailure()) return;
        }
        world.settle();
        world.check(true);
        if (::testing::Test::HasFatalFailure()) return;
        deaths += world.deaths();
    }
    EXPECT_GT(deaths, 1'000);
}

}  // namespace
}  // namespace adit::ledger
