#include "node/signed_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::node {
namespace {

using ::testing::HasSubstr;

const base::Bytes kKey(33, 0x02);

base::Bytes key_hash_script() {
    base::Bytes script{0x00, 20};
    base::append(script, chain::hash160(kKey));
    return script;
}
base::Bytes taproot_script() {
    base::Bytes script{0x51, 32};
    script.resize(34, 0x07);
    return script;
}
base::Bytes ending_in(std::size_t size, std::uint8_t last) {
    base::Bytes bytes(size, 0x30);
    bytes.back() = last;
    return bytes;
}

// A transaction that spends one coin of each kind, and its signed form.
struct SignedCheck : ::testing::Test {
    SignedCheck() {
        coins.push_back({{chain::sha256(kKey), 1}, chain::Amount::of(5'000), key_hash_script(), 6});
        coins.push_back({{chain::sha256(kKey), 7}, chain::Amount::of(6'000), taproot_script(), 6});
        for (const auto& coin : coins) {
            asked.inputs.push_back(
                {.previous = coin.outpoint, .script = {}, .sequence = 0xfffffffd, .witness = {}});
        }
        asked.outputs.push_back({.value_sat = 10'000, .script = key_hash_script()});
        got = asked;
        got.inputs[0].witness = {ending_in(71, 1), kKey};
        got.inputs[1].witness = {base::Bytes(64, 9)};
    }
    std::string fault() const { return fault_of_signed(asked, got, coins).value_or("none"); }

    std::vector<ledger::Coin> coins;
    chain::Transaction asked, got;
};

TEST_F(SignedCheck, TakesTheTransactionThatWasAskedForWithASignatureForEveryInput) {
    EXPECT_EQ(fault(), "none");
    got.inputs[1].witness = {ending_in(65, 1)};
    EXPECT_EQ(fault(), "none");
}

TEST_F(SignedCheck, RefusesAnyOtherTransaction) {
    const auto good = got;
    const auto expect = [&](std::string_view says, auto change) {
        got = good;
        change(got);
        EXPECT_THAT(fault(), HasSubstr(says));
    };
    using T = chain::Transaction;
    expect("number of inputs", [](T& t) { t.inputs.pop_back(); });
    expect("number of inputs", [](T& t) { t.inputs.push_back(t.inputs[0]); });
    expect("input 0 is not the one", [](T& t) { std::swap(t.inputs[0], t.inputs[1]); });
    expect("input 1 is not the one", [](T& t) { ++t.inputs[1].previous.index; });
    expect("input 0 is not the one", [](T& t) { t.inputs[0].sequence = 0xffffffff; });
    expect("input 0 is not the one", [](T& t) { t.inputs[0].script = {0}; });
    expect("outputs", [](T& t) { ++t.outputs[0].value_sat; });
    expect("outputs", [](T& t) { t.outputs[0].script.back() ^= 1; });
    expect("outputs", [](T& t) { t.outputs.push_back(t.outputs[0]); });
    expect("version or lock time", [](T& t) { t.version = 1; });
    expect("version or lock time", [](T& t) { t.lock_time = 1; });
}

TEST_F(SignedCheck, RefusesWhatIsNoSignatureByTheCoinsKeyOverEverything) {
    const auto good = got;
    const auto expect = [&](std::string_view says, auto change) {
        got = good;
        change(got.inputs[0].witness, got.inputs[1].witness);
        EXPECT_THAT(fault(), HasSubstr(says));
    };
    using W = std::vector<base::Bytes>;
    expect("input 0 has no signature", [](W& hash, W&) { hash.clear(); });
    expect("input 0 has no signature", [](W& hash, W&) { hash.pop_back(); });
    expect("input 0 has no signature", [](W& hash, W&) { hash[0].clear(); });
    expect("input 0 has no signature", [](W& hash, W&) { hash[0] = ending_in(71, 0x83); });
    expect("input 0 has no signature", [](W& hash, W&) { hash[0] = ending_in(74, 1); });
    expect("input 0 has no signature", [](W& hash, W&) { hash[1][5] ^= 1; });
    expect("input 0 has no signature", [](W& hash, W&) { hash[1].push_back(2); });
    expect("input 1 has no signature", [](W&, W& root) { root.clear(); });
    expect("input 1 has no signature", [](W&, W& root) { root[0].pop_back(); });
    expect("input 1 has no signature", [](W&, W& root) { root[0] = ending_in(65, 0x02); });
    expect("input 1 has no signature", [](W&, W& root) { root.push_back(root[0]); });
}

TEST_F(SignedCheck, KnowsTheCoinsOfEveryInput) {
    coins.pop_back();
    EXPECT_THAT(fault(), HasSubstr("input 1 spends none of the coins"));
}

TEST(NativeSegwit, IsPaidByKeyHashAndTaprootScriptsOnly) {
    EXPECT_TRUE(ledger::is_payable_coin(key_hash_script()));
    EXPECT_TRUE(ledger::is_payable_coin(taproot_script()));
    base::Bytes script_hash{0x00, 32};
    script_hash.resize(34, 1);
    base::Bytes old{0x76, 0xa9, 0x14};
    old.resize(23, 1);
    base::append(old, base::Bytes{0x88, 0xac});
    auto longer = key_hash_script();
    longer.push_back(0);
    for (const auto& script : {base::Bytes{}, script_hash, old, longer})
        EXPECT_FALSE(ledger::is_payable_coin(script));
}

}  // namespace
}  // namespace adit::node
