// Coinbases that pay the miners: the program, a node, miners. What the ledger says was paid is what
// the chain's coinbases hold, and what is owed is what the pool's address got.
#include "chain/address.h"
#include "chain/amount.h"
#include "tests/support/child.h"
#include "tests/support/line_miner.h"
#include "tests/support/pool_setup.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>

#include <csignal>
#include <set>

namespace adit::tests {
namespace {

using Json = nlohmann::json;

base::Bytes script_of(const std::string& name) {
    return *chain::script_of_address(miner_address(name), chain::params(chain::Network::regtest));
}

class CoinbasePool : public ::testing::Test {
 protected:
    explicit CoinbasePool(const std::string& scheme = "pplns") {
        setup_.data_dir = dir_.path() / "data";
        setup_.nodes = {login_of(*node_)};
        setup_.payout.clear();
        setup_.extra =
            "[rewards]\nscheme = \"" + scheme +
            "\"\nfee = \"2%\"\nmaturity = 4\n"
            "[payout]\nmode = \"coinbase\"\ncoinbase_outputs = 2\ncoinbase_dust_sat = 1000\n";
        file_ = setup_.write_to(dir_.path() / "adit.toml");
        pool_ = std::make_unique<Child>(adit_run(file_));
        port_ = listening_port(*pool_);
    }
    Json ask(const std::string& command) {
        const auto told = run_adit({command, "--config", file_, "--json"});
        EXPECT_EQ(told.code, 0) << told.err;
        return Json::parse(told.out, nullptr, false);
    }
    // Posted and pending together, by account.
    std::map<std::string, std::int64_t> balances() {
        std::map<std::string, std::int64_t> sums;
        for (const auto& row : ask("balance")) {
            sums[row.at("account")] = row.at("posted_sat").get<std::int64_t>() +
                                      row.at("pending_sat").get<std::int64_t>();
        }
        return sums;
    }
    // Satoshis that the own blocks of the best chain pay to this script.
    std::int64_t on_chain(const base::Bytes& script) {
        std::int64_t sum = 0;
        for (const auto& hash : own_) {
            node_->with_chain([&](sim::SimChain& chain) {
                const auto* entry = chain.find(hash);
                if (entry == nullptr || !chain.on_main_chain(*entry)) return;
                for (const auto& output : entry->block->transactions[0].outputs) {
                    if (output.script == script) sum += output.value_sat;
                }
            });
        }
        return sum;
    }
    // The ledger has debited what miners' addresses hold, and owes what the pool's address holds.
    bool books_are_the_chains() {
        auto sums = balances();
        const auto sent = sums[":sent"];
        std::int64_t owed = 0;
        for (const auto& [account, sat] : sums)
            owed += account == ":sent" || account == ":reward" ? 0 : sat;
        std::int64_t reached = 0;
        for (const auto* name : {"a", "b", "c"})
            reached += on_chain(script_of(name));
        return sent == reached && owed == on_chain(pool_script()) && sums[":reward"] != 0;
    }
    // The first output of a job's coinbase, which is the largest that a snapshot gives.
    static chain::TxOutput first_output(const LineJob& job) {
        const auto tail = base::from_hex(job.coinbase2).value();
        base::ByteReader reader(tail);
        (void)reader.take(4);  // sequence
        (void)chain::read_compact_size(reader);
        chain::TxOutput output;
        output.value_sat = reader.le<std::int64_t>();
        const auto script = reader.take(chain::read_compact_size(reader).value_or(0));
        output.script.assign(script.begin(), script.end());
        return output;
    }
    // A block found by one of the miners, on the first job that pays `paid` at least so much
    // (empty: on the first job).
    chain::Hash256 mine(const std::string& name, const std::string& paid,
                        std::int64_t least_sat = 0) {
        LineMiner miner(port_);
        const auto user = miner_address(name) + ".rig";
        miner.open(user);
        const auto pays = [&] {
            if (paid.empty()) return true;
            const auto output = first_output(miner.job());
            return output.script == script_of(paid) && output.value_sat >= least_sat;
        };
        EXPECT_TRUE(pays() || miner.read_until(pays)) << pool_->err();
        const auto& job = miner.job();
        const auto submit = miner.solve(job, user, ++salt_);
        EXPECT_TRUE(miner.request("mining.submit", submit)["result"] == true);
        const auto hash = miner.header(job, submit).hash();
        EXPECT_TRUE(eventually([&] { return node_.in_best_chain(hash); })) << pool_->err();
        own_.insert(hash);
        EXPECT_TRUE(eventually([&] { return books_are_the_chains(); })) << pool_->err();
        return hash;
    }
    std::string state_of(const chain::Hash256& hash) {
        for (const auto& row : ask("blocks")) {
            if (row.at("hash") == hash.rpc_hex()) return row.at("state");
        }
        return "";
    }
    void end_and_audit() {
        const auto beside = run_adit({"audit", "--config", file_});
        EXPECT_EQ(beside.code, 0) << beside.out << beside.err;
        pool_->signal(SIGTERM);
        EXPECT_EQ(pool_->wait(), 0) << pool_->err();
        const auto after = run_adit({"audit", "--config", file_});
        EXPECT_EQ(after.code, 0) << after.out << after.err;
    }

    SimHost node_;
    TempDir dir_;
    PoolSetup setup_;
    std::string file_;
    std::unique_ptr<Child> pool_;
    std::uint16_t port_ = 0;
    std::uint64_t salt_ = 0;
    std::set<chain::Hash256> own_;
};

TEST_F(CoinbasePool, WhatIsCarriedIsPaidByALaterBlockAndEverythingIsDebitedOnce) {
    ASSERT_NE(port_, 0) << pool_->err();
    // Nothing to divide by yet: the pool's address gets it, and owes it.
    mine("a", "");
    const auto reward = on_chain(pool_script());
    ASSERT_EQ(reward, 5'000'000'000);
    EXPECT_EQ(balances()[miner_address("a")], reward / 50 * 49);
    // The next block pays that with what it earns itself; it is all for "a" and not yet enough.
    mine("b", "a", reward);
    EXPECT_EQ(on_chain(script_of("a")), reward);
    EXPECT_EQ(on_chain(pool_script()), reward);
    EXPECT_EQ(balances()[miner_address("a")], reward / 50 * 48);
    mine("c", "a", reward);
    // Each of these is more than half of a reward, so what is owed from before is in it.
    mine("a", "b", 4'000'000'000);
    mine("b", "c", 4'000'000'000);
    EXPECT_GT(on_chain(script_of("b")), 0);
    EXPECT_GT(on_chain(script_of("c")), 0);
    node_->generate(4, other_script());
    EXPECT_TRUE(eventually([&] {
        for (const auto& row : ask("balance")) {
            if (row.at("pending_sat") != 0) return false;
        }
        return true;
    })) << pool_->err();
    EXPECT_TRUE(books_are_the_chains());
    end_and_audit();
}

TEST_F(CoinbasePool, AnOrphanVoidsCreditAndDebitTogetherAndTheNextBlockPaysAgain) {
    ASSERT_NE(port_, 0) << pool_->err();
    mine("a", "");
    const auto before = balances();
    const auto lost = mine("b", "a", 5'000'000'000);
    ASSERT_GT(on_chain(script_of("a")), 0);
    // With a single node a rival has to be 100 deep before the block is given up. Meanwhile the
    // other branch owes what it owed before, and a block on it pays that.
    ASSERT_EQ(node_->mine_branch(1, 2, other_script()).size(), 2U);
    EXPECT_TRUE(eventually([&] { return state_of(lost) == "contested"; })) << pool_->err();
    node_->generate(99, other_script());
    EXPECT_TRUE(eventually([&] { return state_of(lost) == "orphaned"; })) << pool_->err();
    EXPECT_EQ(on_chain(script_of("a")), 0);
    auto after = balances();
    std::erase_if(after, [](const auto& entry) { return entry.second == 0; });
    EXPECT_EQ(after, before);
    EXPECT_TRUE(books_are_the_chains());
    mine("c", "a", 4'000'000'000);
    EXPECT_GT(on_chain(script_of("a")), 0);
    end_and_audit();
}

class SoloPool : public CoinbasePool {
 protected:
    SoloPool() : CoinbasePool("solo") {}
};

TEST_F(SoloPool, EveryConnectionsCoinbasePaysItsOwnAddressAndNoOther) {
    ASSERT_NE(port_, 0) << pool_->err();
    mine("a", "a");
    mine("b", "b");
    EXPECT_EQ(on_chain(script_of("a")), 4'900'000'000);
    EXPECT_EQ(on_chain(script_of("b")), 4'900'000'000);
    EXPECT_EQ(on_chain(pool_script()), 200'000'000);
    LineMiner miner(port_);
    miner.open(miner_address("c") + ".rig");
    EXPECT_TRUE(miner.authorize(miner_address("c") + ".other"));
    EXPECT_FALSE(miner.authorize(miner_address("a") + ".rig"));
    auto sums = balances();
    EXPECT_EQ(sums[miner_address("a")], 0);
    EXPECT_EQ(sums[miner_address("b")], 0);
    EXPECT_EQ(sums[":fee"], 200'000'000);
    EXPECT_EQ(sums[":sent"], 9'800'000'000);
    end_and_audit();
}

}  // namespace
}  // namespace adit::tests
