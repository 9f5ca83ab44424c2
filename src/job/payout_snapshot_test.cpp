#include "job/payout_snapshot.h"

#include "job/allotment.h"
#include "job/job_maker.h"
#include "job/sample_template.h"

#include <gmock/gmock.h>

#include <numeric>
#include <random>

namespace adit::job {
namespace {

using chain::Amount;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const base::Bytes kP2wpkh(22, 0x11);
const base::Bytes kPool(22, 0x77);

base::Bytes script_number(std::uint32_t number) {
    base::Bytes script{0x00, 0x14};
    script.resize(22);
    base::store_le(script.data() + 2, number);
    return script;
}
base::Bytes p2pkh_number(std::uint32_t number) {
    base::Bytes script{0x76, 0xa9, 0x14};
    script.resize(23);
    base::store_le(script.data() + 3, number);
    script.insert(script.end(), {0x88, 0xac});
    return script;
}

// Scripts 0, 1, 2 ... for the entries.
PayoutSnapshot snapshot_of(std::vector<std::pair<chain::Work, std::int64_t>> entries,
                           std::uint32_t max_outputs = 10, std::int64_t dust_sat = 100) {
    PayoutSnapshot snapshot;
    snapshot.id = 7;
    snapshot.max_outputs = max_outputs;
    snapshot.dust = Amount::of(dust_sat);
    for (std::uint32_t i = 0; const auto& [weight, due_sat] : entries)
        snapshot.entries.push_back({script_number(i++), weight, Amount::of(due_sat)});
    return snapshot;
}

// (entry, satoshis) of each output, then what is carried.
struct Paid {
    std::vector<std::pair<std::size_t, std::int64_t>> outputs;
    std::int64_t carried = 0;
    friend bool operator==(const Paid&, const Paid&) = default;
};
std::ostream& operator<<(std::ostream& out, const Paid& paid) {
    for (const auto& [entry, sat] : paid.outputs)
        out << entry << ": " << sat << ", ";
    return out << "carried " << paid.carried;
}
Paid paid_by(const PayoutSnapshot& snapshot, std::int64_t value_sat, bool pays_dues = true) {
    const auto plan = plan_coinbase(snapshot, Amount::of(value_sat), pays_dues);
    Paid paid{{}, plan.carried.sat()};
    for (const auto& output : plan.outputs)
        paid.outputs.emplace_back(output.entry, output.amount.sat());
    return paid;
}

struct Case {
    const char* what;
    PayoutSnapshot snapshot;
    bool pays_dues;
    Paid paid;  // of 10,000 satoshis
};

std::vector<Case> cases() {
    auto with_fee = snapshot_of({{1, 0}, {3, 0}});
    with_fee.fee_ppm = 10'000;
    auto unpayable = snapshot_of({{1, 900}, {1, 0}});
    unpayable.entries[0].script.clear();
    return {
        {"parts, largest first",
         snapshot_of({{1, 0}, {3, 0}}),
         true,
         {{{1, 7'500}, {0, 2'500}}, 0}},
        {"equal ones by their order",
         snapshot_of({{1, 0}, {1, 0}}),
         true,
         {{{0, 5'000}, {1, 5'000}}, 0}},
        {"the fee stays with the pool", with_fee, true, {{{1, 7'425}, {0, 2'475}}, 100}},
        {"dues are paid out of the fee",
         [&] {
             auto snapshot = with_fee;
             snapshot.entries[0].due = Amount::of(60);
             return snapshot;
         }(),
         true,
         {{{1, 7'425}, {0, 2'535}}, 40}},
        {"a due puts others off", snapshot_of({{1, 6'000}, {1, 0}}), true, {{{0, 10'000}}, 0}},
        {"what is left of the value",
         snapshot_of({{1, 4'000}, {1, 0}}),
         true,
         {{{0, 9'000}, {1, 1'000}}, 0}},
        {"no dues on another block",
         snapshot_of({{1, 4'000}, {1, 0}}),
         false,
         {{{0, 5'000}, {1, 5'000}}, 0}},
        {"dues of accounts without work",
         snapshot_of({{1, 0}, {0, 700}}),
         true,
         {{{0, 10'000}}, 0}},
        {"a large due before a small part",
         snapshot_of({{1, 0}, {99, 0}, {0, 700}}, 2),
         true,
         {{{1, 9'900}, {2, 100}}, 0}},
        {"at most so many outputs",
         snapshot_of({{1, 0}, {2, 0}, {1, 0}}, 2),
         true,
         {{{1, 5'000}, {0, 2'500}}, 2'500}},
        {"dust stays owed", snapshot_of({{1, 0}, {199, 0}}), true, {{{1, 9'950}}, 50}},
        {"an overdraft is taken off",
         snapshot_of({{1, -2'000}, {1, 0}}),
         true,
         {{{1, 5'000}, {0, 3'000}}, 2'000}},
        {"also without dues",
         snapshot_of({{1, -2'000}, {1, 0}}),
         false,
         {{{1, 5'000}, {0, 3'000}}, 2'000}},
        {"a larger overdraft pays nothing",
         snapshot_of({{1, -9'000}, {1, 0}}),
         true,
         {{{1, 5'000}}, 5'000}},
        {"no address, no output", unpayable, true, {{{1, 5'000}}, 5'000}},
        {"no outputs at all", snapshot_of({{1, 0}}, 0), true, {{}, 10'000}},
        {"the last crumbs of the value",
         snapshot_of({{1, 4'950}, {1, 0}}),
         true,
         {{{0, 9'950}}, 50}},
    };
}

TEST(PayoutSnapshot, FollowsTheRuleCaseByCase) {
    for (const auto& row : cases())
        EXPECT_EQ(paid_by(row.snapshot, 10'000, row.pays_dues), row.paid) << row.what;
}

TEST(PayoutSnapshot, LeavesNothingOfNothing) {
    EXPECT_EQ(paid_by(snapshot_of({{1, 500}}), 0), (Paid{{}, 0}));
}

TEST(PayoutSnapshot, TakesNoMoreSignatureOperationsThanNodesLeaveRoomFor) {
    auto snapshot = snapshot_of({}, 1'000, 1);
    for (std::uint32_t i = 0; i < 150; ++i)
        snapshot.entries.push_back({p2pkh_number(i), 1, {}});
    snapshot.entries.push_back({script_number(1), 1, {}});
    const auto plan = plan_coinbase(snapshot, Amount::of(1'510'000), true);
    EXPECT_EQ(plan.outputs.size(), kMostP2pkhOutputs + 1);
    EXPECT_EQ(plan.carried.sat(), 51 * 10'000);
}

TEST(PayoutSnapshot, KnowsTheScriptsOfAddressesAndOfNothingElse) {
    EXPECT_EQ(script_of_account("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"),
              script_of_account("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"));
    EXPECT_EQ(script_of_account("1BoatSLRHtKNngkdXEeobR76b53LETtpyT").size(), 25U);
    EXPECT_THAT(script_of_account(":fee"), IsEmpty());
    EXPECT_THAT(script_of_account("alice"), IsEmpty());
    EXPECT_THAT(script_of_account(""), IsEmpty());
}

PayoutSnapshot random_snapshot(std::mt19937_64& random) {
    const auto below = [&](std::uint64_t bound) { return random() % bound; };
    PayoutSnapshot snapshot;
    snapshot.id = 1 + below(1'000);
    snapshot.fee_ppm = below(4) == 0 ? static_cast<std::uint32_t>(below(1'000'001))
                                     : static_cast<std::uint32_t>(below(50'000));
    snapshot.max_outputs = static_cast<std::uint32_t>(below(12));
    snapshot.dust = Amount::of(static_cast<std::int64_t>(below(3) == 0 ? 0 : below(200'000)));
    const auto entries = below(16);
    for (std::uint32_t i = 0; i < entries; ++i) {
        PayoutEntry entry;
        if (below(6) != 0) entry.script = below(3) == 0 ? p2pkh_number(i) : script_number(i);
        if (below(5) != 0) entry.weight = chain::Work{random()} << below(60);
        const auto most = below(8) == 0 ? Amount::kMaxSat : std::int64_t{400'000'000};
        if (below(2) == 0) {
            entry.due = Amount::of(
                static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most) * 5 / 4 + 1)) -
                most / 4);
        }
        snapshot.entries.push_back(std::move(entry));
    }
    return snapshot;
}

// One step more than the plan's would have to break its own rule.
void expect_all_served(const PayoutSnapshot& snapshot, const CoinbasePlan& plan, bool pays_dues) {
    std::vector<std::int64_t> paid(snapshot.entries.size());
    auto smallest = std::numeric_limits<std::int64_t>::max();
    const auto claim = [&](std::size_t i) {
        const auto due = snapshot.entries[i].due.sat();
        return plan.parts[i].sat() + (pays_dues ? due : std::min<std::int64_t>(due, 0));
    };
    for (const auto& output : plan.outputs) {
        ASSERT_EQ(paid[output.entry], 0) << "an entry is paid once";
        ASSERT_FALSE(snapshot.entries[output.entry].script.empty());
        ASSERT_GE(output.amount, snapshot.dust);
        ASSERT_GT(output.amount.sat(), 0);
        ASSERT_LE(output.amount.sat(), claim(output.entry));
        ASSERT_LE(claim(output.entry), smallest) << "largest first";
        smallest = claim(output.entry);
        paid[output.entry] = output.amount.sat();
    }
    ASSERT_LE(plan.outputs.size(), snapshot.max_outputs);
    const bool is_full = plan.outputs.size() == snapshot.max_outputs ||
                         plan.carried < std::max(Amount::of(1), snapshot.dust);
    for (std::size_t i = 0; i < paid.size() && !is_full; ++i) {
        if (snapshot.entries[i].script.empty()) continue;
        if (paid[i] == 0) {
            ASSERT_TRUE(claim(i) <= 0 || claim(i) < snapshot.dust.sat());
        } else {
            ASSERT_EQ(paid[i], claim(i)) << "while there is enough, in full";
        }
    }
}

TEST(PayoutSnapshot, OutputsAndWhatIsCarriedAreTheValueWhateverTheSnapshot) {
    std::mt19937_64 random(20'260'101);
    for (int round = 0; round < 20'000; ++round) {
        const auto snapshot = random_snapshot(random);
        const auto value = Amount::of(static_cast<std::int64_t>(
            random() % (round % 10 == 0 ? std::uint64_t{Amount::kMaxSat} : 700'000'000)));
        const bool pays_dues = random() % 2 == 0;
        const auto plan = plan_coinbase(snapshot, value, pays_dues);
        auto outputs = plan.carried;
        for (const auto& output : plan.outputs)
            outputs += output.amount;
        ASSERT_EQ(outputs, value);
        ASSERT_GE(plan.carried.sat(), 0);
        if (has_weights(snapshot)) {
            ASSERT_EQ(std::accumulate(plan.parts.begin(), plan.parts.end(), plan.fee), value);
        }
        expect_all_served(snapshot, plan, pays_dues);
        if (::testing::Test::HasFatalFailure()) return;
    }
}

// --- jobs by a snapshot -------------------------------------------------------------------------

struct Made {
    JobRef job;
    std::vector<chain::TxOutput> outputs;
};

class SnapshotJobs : public ::testing::Test {
 protected:
    SnapshotJobs() : maker_({.payout_script = kPool, .signature = "/Adit/"}, 1) {}

    void take(PayoutSnapshot snapshot, const chain::Hash256& previous) {
        snapshot.previous = previous;
        maker_.set_snapshot(std::make_shared<const PayoutSnapshot>(std::move(snapshot)));
    }
    Made make(const BlockTemplate& source) {
        const auto made = maker_.make(std::make_shared<const BlockTemplate>(source), 0);
        EXPECT_TRUE(made);
        return {*made, chain::parse_transaction(coinbase_of(**made, {})).value().outputs};
    }

    JobMaker maker_;
};

TEST_F(SnapshotJobs, PayWhatThePlanSaysAndCarryTheRestToThePool) {
    const auto source = sample_template({});
    auto snapshot = snapshot_of({{1, 5'000}, {2, 0}, {3, 0}}, 2);
    snapshot.fee_ppm = 20'000;
    take(snapshot, source.previous);
    const auto made = make(source);
    EXPECT_EQ(made.job->snapshot, 7U);
    EXPECT_TRUE(made.job->pays_dues);
    const auto plan = plan_coinbase(snapshot, Amount::of(source.coinbase_value_sat), true);
    ASSERT_EQ(made.outputs.size(), 4U);  // two accounts, the pool, the commitment
    EXPECT_EQ(made.outputs[0].script, script_number(2));
    EXPECT_EQ(made.outputs[0].value_sat, plan.outputs[0].amount.sat());
    EXPECT_EQ(made.outputs[1].script, script_number(1));
    EXPECT_EQ(made.outputs[1].value_sat, plan.outputs[1].amount.sat());
    EXPECT_EQ(made.outputs[2].script, kPool);
    EXPECT_EQ(made.outputs[2].value_sat, plan.carried.sat());
    EXPECT_EQ(made.outputs[3].value_sat, 0);
}

TEST_F(SnapshotJobs, HaveNoOutputOfNothingForThePool) {
    const auto source = sample_template({.segwit = false});
    take(snapshot_of({{1, 0}}), source.previous);
    const auto made = make(source);
    ASSERT_EQ(made.outputs.size(), 1U);
    EXPECT_EQ(made.outputs[0].script, script_number(0));
    EXPECT_EQ(made.outputs[0].value_sat, source.coinbase_value_sat);
}

TEST_F(SnapshotJobs, PayNoDuesOnAnotherBlockThanTheSnapshots) {
    const auto first = sample_template({.seed = 1});
    const auto second = sample_template({.seed = 2});
    take(snapshot_of({{1, 1'000'000}, {1, 0}}), first.previous);
    EXPECT_TRUE(make(first).job->pays_dues);
    const auto made = make(second);
    EXPECT_EQ(made.job->snapshot, 7U);
    EXPECT_FALSE(made.job->pays_dues);
    EXPECT_NEAR(static_cast<double>(made.outputs[0].value_sat - made.outputs[1].value_sat), 0, 1);
}

TEST_F(SnapshotJobs, PayThePoolAloneWithoutASnapshotOrWithoutWeights) {
    const auto source = sample_template({.segwit = false});
    take(snapshot_of({{0, 5'000}}), source.previous);
    for (int round = 0; round < 2; ++round) {
        const auto made = make(source);
        EXPECT_EQ(made.job->snapshot, 0U);
        EXPECT_FALSE(made.job->pays_dues);
        ASSERT_EQ(made.outputs.size(), 1U);
        EXPECT_EQ(made.outputs[0].script, kPool);
        maker_.set_snapshot(nullptr);
    }
}

TEST_F(SnapshotJobs, DropTheLastTransactionsOfATemplateThatLeavesTooLittleRoom) {
    auto source = sample_template({.transactions = 40});
    // Just enough for a coinbase that pays the pool alone.
    std::uint32_t most = 0;
    for (source.weight_limit = 1;; source.weight_limit += 4) {
        if (maker_.make(std::make_shared<const BlockTemplate>(source), 0)) break;
        most = source.weight_limit;
    }
    ASSERT_GT(most, 0U);
    auto snapshot = snapshot_of({}, 40);
    for (std::uint32_t i = 0; i < 40; ++i)
        snapshot.entries.push_back({script_number(i), 1 + i, {}});
    take(snapshot, source.previous);
    const auto made = make(source);
    const auto kept = made.job->source->transactions.size();
    EXPECT_LT(kept, 40U);
    EXPECT_GT(kept, 20U);
    auto value = source.coinbase_value_sat;
    for (std::size_t i = kept; i < 40; ++i)
        value -= source.transactions[i]->fee_sat;
    EXPECT_EQ(made.job->source->coinbase_value_sat, value);
    std::int64_t outputs = 0;
    for (const auto& output : made.outputs)
        outputs += output.value_sat;
    EXPECT_EQ(outputs, value);
    EXPECT_EQ(made.outputs.size(), 41U);
}

}  // namespace
}  // namespace adit::job
