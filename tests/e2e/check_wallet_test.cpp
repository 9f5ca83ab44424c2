// What `adit check` tries of the wallet that pays, and how it tells of what it finds.
#include "chain/address.h"
#include "tests/support/child.h"
#include "tests/support/pool_setup.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace adit::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct AditCheckWallet : ::testing::Test {
    AditCheckWallet() {
        setup.data_dir = dir.path() / "data";
        setup.nodes = {login_of(*node)};
        setup.payout.clear();
        setup.extra = "[payout]\n";
        address = node->new_address("pool").address;
    }
    std::string file() const { return (dir.path() / "adit.toml").string(); }
    // The configuration with the wallet's address, checked.
    Finished check() {
        auto toml = setup.toml();
        const auto at = toml.find(pool_address());
        toml.replace(at, pool_address().size(), address);
        std::ofstream(file()) << toml;
        text = toml;
        return run_adit({"check", "--config", file()});
    }
    // "FILE:LINE" of a text of the configuration.
    std::string line_of(std::string_view part) const {
        const auto at = text.find(part);
        EXPECT_NE(at, std::string::npos) << part;
        const auto end = text.begin() + static_cast<std::ptrdiff_t>(at);
        return fmt::format("{}:{}: ", file(), 1 + std::count(text.begin(), end, '\n'));
    }
    // Coins at pool.address that can be spent.
    void fill() {
        const auto script =
            *chain::script_of_address(address, chain::params(chain::Network::regtest));
        ASSERT_EQ(node->generate(2, script).size(), 2U);
        ASSERT_EQ(node->generate(100, other_script()).size(), 100U);
    }
    std::size_t mempool_size() {
        std::size_t size = 0;
        node->with_chain([&](sim::SimChain& chain) { size = chain.mempool().size(); });
        return size;
    }
    std::size_t locked_coins() {
        std::size_t count = 0;
        node->with_wallet("pool", [&](sim::SimWallet& one) { count = one.locked_coins().size(); });
        return count;
    }
    // Bad: a fault that keeps the pool from starting.
    void expect_bad(std::string_view says, std::string_view at) {
        const auto bad = check();
        EXPECT_EQ(bad.code, 1) << bad.out << bad.err;
        EXPECT_THAT(bad.out, HasSubstr("FAULT  wallet"));
        EXPECT_THAT(bad.out, HasSubstr(says));
        EXPECT_THAT(bad.out, HasSubstr(line_of(at)));
        EXPECT_THAT(bad.out, HasSubstr("cannot start"));
    }

    SimHost node{sim::SimParams::regtest(), true, {"pool", "savings"}};
    TempDir dir;
    PoolSetup setup;
    std::string address;
    std::string text;
};

TEST_F(AditCheckWallet, TriesEveryCallAndSendsNothing) {
    const auto empty = check();
    EXPECT_EQ(empty.code, 0) << empty.out << empty.err;
    EXPECT_THAT(empty.out, HasSubstr("wallet pool on node sim: pool.address: belongs to it"));
    EXPECT_THAT(empty.out, HasSubstr("none yet; locking and signing were not tried"));
    fill();
    const auto good = check();
    EXPECT_EQ(good.code, 0) << good.out << good.err;
    EXPECT_THAT(good.out, HasSubstr("coins: 2 confirmed, 100.00000000 BTC"));
    EXPECT_THAT(good.out, HasSubstr("was locked and unlocked again"));
    EXPECT_THAT(good.out, HasSubstr("fee estimate: "));
    EXPECT_THAT(good.out, HasSubstr("was signed and would be taken; not sent"));
    EXPECT_THAT(good.out, Not(HasSubstr("WARN")));
    EXPECT_EQ(locked_coins(), 0U);
    EXPECT_EQ(mempool_size(), 0U);
    EXPECT_EQ(node->calls("sendrawtransaction"), 0U);
    node->set_wallet_fault(sim::WalletFault::fee_estimate_missing);
    EXPECT_THAT(check().out, HasSubstr("none yet; 5000 satoshis per 1,000 virtual bytes"));
    node->set_wallet_fault(sim::WalletFault::fee_estimate_absurd);
    EXPECT_THAT(check().out, HasSubstr("100000 would be paid")) << "payout.max_fee_rate";
}

TEST_F(AditCheckWallet, NamesAWalletThatIsMissingWithTheRemedy) {
    setup.extra = "[payout]\nwallet = \"vault\"\n";
    expect_bad("loadwallet \"vault\" true", "[payout]");
    expect_bad("mode = \"none\"", "[payout]");
    setup.extra = "[payout]\nmode = \"none\"\nwallet = \"vault\"\n";
    EXPECT_EQ(check().code, 0);
    EXPECT_THAT(check().out, Not(HasSubstr("wallet vault")));
    // Nobody asked for payouts: no more than a warning.
    setup.extra = "";
    address = pool_address();
    const auto stranger = check();
    EXPECT_EQ(stranger.code, 0) << stranger.out;
    EXPECT_THAT(stranger.out, HasSubstr("WARN   wallet pool on node sim: pool.address"));
    EXPECT_THAT(stranger.out, HasSubstr("does not belong to this wallet"));
    EXPECT_THAT(stranger.out, HasSubstr("the pool can start"));
}

TEST_F(AditCheckWallet, RefusesAnAddressThatPayoutsCouldNeverSpendFrom) {
    address = pool_address();
    expect_bad("does not belong to this wallet", "[pool]");
    expect_bad("getnewaddress \"\" bech32", "[pool]");
    address = node->new_address("savings").address;
    expect_bad("does not belong to this wallet", "[pool]");
    base::Bytes legacy;
    node->with_wallet("pool", [&](sim::SimWallet& one) {
        legacy = one.new_receiving_script(sim::ScriptKind::p2pkh, "");
    });
    address = *chain::address_of_script(legacy, chain::params(chain::Network::regtest));
    expect_bad("no native segwit address", "[pool]");
}

TEST_F(AditCheckWallet, WarnsOfALockedWalletAndTriesTheRest) {
    fill();
    node->with_wallet("pool", [](sim::SimWallet& one) { one.lock().encrypt("secret"); });
    const auto locked = check();
    EXPECT_EQ(locked.code, 0) << locked.out;
    EXPECT_THAT(locked.out, HasSubstr("WARN   wallet pool on node sim: signature"));
    EXPECT_THAT(locked.out, HasSubstr("walletpassphrase"));
    EXPECT_THAT(locked.out, HasSubstr("was locked and unlocked again"));
}

TEST_F(AditCheckWallet, NamesCallsThatTheNodeDoesNotAnswer) {
    fill();
    node->set_wallet_fault(sim::WalletFault::unreachable);
    expect_bad("no connection", "[payout]");
    node->set_wallet_fault(sim::WalletFault::sign_hangs);
    expect_bad("signrawtransactionwithwallet failed", "[payout]");
    node->set_wallet_fault(sim::WalletFault::none);
    node->set_fault(sim::SimFault::warming_up);
    const auto starting = check();
    EXPECT_EQ(starting.code, 1);
    EXPECT_THAT(starting.out, HasSubstr("WARN   wallet pool"));
    EXPECT_THAT(starting.out, HasSubstr("not tried, since node sim has a fault"));
}

TEST_F(AditCheckWallet, AsksTheNodeThatPayoutsAreFrom) {
    SimHost second(sim::SimParams::regtest(), true, {"purse"});
    setup.nodes.push_back(login_of(*second, "two"));
    setup.extra = "[payout]\nnode = \"two\"\nwallet = \"purse\"\n";
    expect_bad("does not belong to this wallet", "[pool]");
    address = second->new_address("purse").address;
    const auto good = check();
    EXPECT_EQ(good.code, 0) << good.out;
    EXPECT_THAT(good.out, HasSubstr("wallet purse on node two: pool.address: belongs to it"));
}

}  // namespace
}  // namespace adit::tests
