#include "manager/recovered_job.h"

#include "chain/address.h"
#include "store/tally_test_support.h"

#include <gtest/gtest.h>

namespace adit::manager {
namespace {

constexpr std::int64_t kValueSat = 5'000'000'000;

base::Bytes script_number(std::uint8_t number) {
    base::Bytes script{0x00, 0x14};
    script.resize(22, number);
    return script;
}
std::string address_number(std::uint8_t number) {
    return *chain::address_of_script(script_number(number), chain::params(chain::Network::regtest));
}

// A ledger with one snapshot, by which all of a reward goes to account 1. Account 2 is in none.
class RecoveredJobTest : public ::testing::Test {
 protected:
    RecoveredJobTest() {
        ledger_ = *store::SqlLedger::open({(dir_.path() / "ledger.sqlite").string()});
        share::SnapshotRecord snapshot;
        snapshot.id = 1;
        snapshot.previous.bytes[0] = 1;
        snapshot.max_outputs = 10;
        snapshot.entries = {{1, 1'000, 0}};
        ledger::TallyDelta delta;
        delta.after.log.position = 1'000;
        delta.accounts = {{1, address_number(1)}, {2, address_number(2)}};
        delta.facts.push_back({snapshot, 500, 1});
        EXPECT_TRUE(ledger_->apply(delta));
    }
    static chain::Transaction coinbase(base::Bytes script, std::int64_t value_sat) {
        chain::Transaction transaction;
        transaction.inputs.resize(1);
        transaction.inputs[0].script = {1, 7};
        base::append(transaction.inputs[0].script, base::as_bytes("/Adit/"));
        transaction.inputs[0].script.resize(transaction.inputs[0].script.size() + 13);
        transaction.outputs.push_back({value_sat, std::move(script)});
        return transaction;
    }
    // As the scan gives it: nothing was paid to the pool.
    job::JobRef recover(const chain::Transaction& transaction) {
        node::OwnBlock own;
        own.height = 7;
        own.header.bits = 0x207fffff;
        own.header.time = 1'700'000'000;
        own.header.previous.bytes[0] = 2;
        own.coinbase = transaction.serialize();
        own.value_sat = 0;
        return recovered_job(own, 9, chain::Network::regtest, "/Adit/", *ledger_, logger_);
    }
    bool pays(const chain::Transaction& transaction) {
        const auto pays = pays_by_snapshot(transaction, *ledger_);
        EXPECT_TRUE(pays) << pays.error();
        return pays && *pays;
    }
    store::testing::TemporaryDir dir_;
    std::unique_ptr<store::SqlLedger> ledger_;
    int complaints_ = 0;
    base::Logger logger_{base::LogLevel::error, base::LogFormat::text,
                         [this](std::string_view) { ++complaints_; }};
};

TEST_F(RecoveredJobTest, KnowsWhomSnapshotsPay) {
    EXPECT_TRUE(pays(coinbase(script_number(1), kValueSat)));
    EXPECT_FALSE(pays(coinbase(script_number(1), 0)));
    EXPECT_FALSE(pays(coinbase(script_number(2), kValueSat)));
    EXPECT_FALSE(pays(coinbase(script_number(3), kValueSat)));
}

TEST_F(RecoveredJobTest, FindsTheSnapshotOfABlockThatPaysMinersAlone) {
    const auto job = recover(coinbase(script_number(1), kValueSat));
    ASSERT_NE(job, nullptr);
    EXPECT_EQ(job->snapshot, 1u);
    EXPECT_FALSE(job->pays_dues);
    EXPECT_EQ(job->source->coinbase_value_sat, kValueSat);
    EXPECT_EQ(complaints_, 0);
}

TEST_F(RecoveredJobTest, LeavesABlockAloneThatPaysOtherwise) {
    auto shared = coinbase(script_number(1), kValueSat / 2);
    shared.outputs.push_back({kValueSat / 4, script_number(2)});
    shared.outputs.push_back({kValueSat / 4, script_number(3)});
    EXPECT_EQ(recover(shared), nullptr);
    EXPECT_EQ(complaints_, 1);
}

}  // namespace
}  // namespace adit::manager
