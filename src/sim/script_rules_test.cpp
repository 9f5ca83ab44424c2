#include "sim/script_rules.h"

#include "sim/signer.h"
#include "sim/tx_rules.h"

#include <gtest/gtest.h>

namespace adit::sim {
namespace {

class SpendTest : public testing::Test {
 protected:
    chain::Transaction spend_of(const chain::TxOutput& output) const {
        auto transaction = plain();
        key.sign(transaction, 0, output);
        return transaction;
    }
    static chain::Transaction plain() {
        chain::Transaction transaction;
        transaction.inputs.emplace_back().previous.index = 0;
        transaction.outputs.push_back({900, {0x51}});
        return transaction;
    }
    const SimKey key = SimKey::from_seed("spender");
};

TEST_F(SpendTest, TakesTheStandardForms) {
    const chain::TxOutput p2pkh{1'000, key.p2pkh_script()};
    const chain::TxOutput p2wpkh{1'000, key.p2wpkh_script()};
    EXPECT_TRUE(verify_spend(spend_of(p2pkh), 0, p2pkh, true));
    EXPECT_TRUE(verify_spend(spend_of(p2wpkh), 0, p2wpkh, true));
    EXPECT_TRUE(verify_spend(plain(), 0, {1'000, {0x51}}, true));

    // P2SH around P2WPKH: the same witness beside a push of the program.
    base::Bytes script{0xa9, 20};
    base::append(script, chain::hash160(p2wpkh.script));
    script.push_back(0x87);
    auto nested = spend_of(p2wpkh);
    nested.inputs[0].script = {22};
    base::append(nested.inputs[0].script, p2wpkh.script);
    EXPECT_TRUE(verify_spend(nested, 0, {1'000, script}, true));

    // A signature for another script of the same key is none for this one (P2PK).
    base::Bytes p2pk{33};
    base::append(p2pk, key.public_key());
    p2pk.push_back(0xac);
    EXPECT_FALSE(verify_spend(spend_of(p2pkh), 0, {1'000, p2pk}, true));
}

TEST_F(SpendTest, RefusesWhatIsNotSignedByTheOwner) {
    const auto other = SimKey::from_seed("thief");
    const chain::TxOutput p2pkh{1'000, key.p2pkh_script()};
    const chain::TxOutput p2wpkh{1'000, key.p2wpkh_script()};
    auto stolen = plain();
    other.sign(stolen, 0, {1'000, other.p2wpkh_script()});
    EXPECT_FALSE(verify_spend(stolen, 0, p2wpkh, true));
    other.sign(stolen, 0, {1'000, other.p2pkh_script()});
    EXPECT_FALSE(verify_spend(stolen, 0, p2pkh, true));

    auto wrong_amount = spend_of({999, key.p2wpkh_script()});
    EXPECT_FALSE(verify_spend(wrong_amount, 0, p2wpkh, true));
    auto extra_item = spend_of(p2wpkh);
    extra_item.inputs[0].witness.push_back({});
    EXPECT_FALSE(verify_spend(extra_item, 0, p2wpkh, true));
    auto with_script = spend_of(p2wpkh);
    with_script.inputs[0].script = {0x51};
    EXPECT_FALSE(verify_spend(with_script, 0, p2wpkh, true));
    auto broken_push = spend_of(p2pkh);
    broken_push.inputs[0].script.pop_back();
    EXPECT_FALSE(verify_spend(broken_push, 0, p2pkh, true));
    EXPECT_FALSE(verify_spend(plain(), 0, p2pkh, true));
    // A form that is not known here: OP_2.
    EXPECT_FALSE(verify_spend(plain(), 0, {1'000, {0x52}}, true));
}

TEST_F(SpendTest, AWitnessProgramIsAnybodysBeforeSegwit) {
    const chain::TxOutput p2wpkh{1'000, key.p2wpkh_script()};
    EXPECT_TRUE(verify_spend(plain(), 0, p2wpkh, false));
    EXPECT_FALSE(verify_spend(plain(), 0, p2wpkh, true));
}

TEST(ScriptRules, CountsSignatureOperations) {
    const base::Bytes script{0xac, 0xad, 0xae, 0xaf, 2, 0xac, 0xac};  // the last two are pushed
    EXPECT_EQ(legacy_sigops(script), 42);
    EXPECT_EQ(legacy_sigops(base::Bytes{0xac, 5, 0xac}), 1);  // a push beyond the end
}

TEST(TxRules, RefusesWhatNoBlockCanCarry) {
    chain::Transaction transaction;
    transaction.outputs.push_back({1, {}});
    EXPECT_EQ(check_transaction(transaction), Verdict::bad_txns_vin_empty);
    transaction.inputs.emplace_back().previous.index = 0;
    transaction.outputs[0].script = base::Bytes(1'000'000);
    EXPECT_EQ(check_transaction(transaction), Verdict::bad_txns_oversize);
    transaction.outputs[0].script.clear();
    EXPECT_EQ(check_transaction(transaction), Verdict::accepted);
}

TEST(TxRules, LockTimesAreHeightsOrTimes) {
    chain::Transaction transaction;
    transaction.inputs.emplace_back().sequence = 0;
    transaction.lock_time = 100;
    EXPECT_FALSE(is_final(transaction, 100, 1'600'000'000));
    EXPECT_TRUE(is_final(transaction, 101, 0));
    transaction.lock_time = 1'600'000'000;
    EXPECT_FALSE(is_final(transaction, 1'000, 1'600'000'000));
    EXPECT_TRUE(is_final(transaction, 0, 1'600'000'001));
    transaction.inputs[0].sequence = 0xffffffff;
    EXPECT_TRUE(is_final(transaction, 0, 0));
}

TEST(TxRules, RelativeLocksCountBlocksOrUnitsOf512Seconds) {
    CoinSet coins;
    coins.add({{}, 0}, {{1'000, {0x51}}, 50, false});
    chain::Transaction transaction;
    auto& input = transaction.inputs.emplace_back();
    input.previous = {{}, 0};
    const auto median_at = [](std::int32_t height) {
        return 1'000'000 + static_cast<std::uint32_t>(height) * 600;
    };
    const auto met = [&](std::uint32_t sequence, std::int32_t height) {
        input.sequence = sequence;
        return sequence_locks_met(transaction, coins, height, median_at);
    };
    EXPECT_FALSE(met(10, 59));
    EXPECT_TRUE(met(10, 60));
    // 10 units of 512 s from the median time before the coin's block: 8.53 blocks of 600 s.
    EXPECT_FALSE(met(1U << 22 | 10, 58));
    EXPECT_TRUE(met(1U << 22 | 10, 59));
    EXPECT_TRUE(met(1U << 31 | 60'000, 51));
    transaction.version = 1;
    EXPECT_TRUE(met(60'000, 51));
}

}  // namespace
}  // namespace adit::sim
