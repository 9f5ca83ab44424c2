// The whole pool on the embedded chain: what miners see, what the chain gets, what the books hold.
#include "sim/block_builder.h"
#include "sim/signer.h"
#include "tests/support/agreement.h"
#include "tests/support/crew.h"
#include "tests/support/line_miner.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pool.h"
#include "tests/support/wait.h"

#include <gtest/gtest.h>

namespace adit::tests {
namespace {

using Json = nlohmann::json;

PoolSetup setup_for(SimHost& node, const TempDir& dir) {
    PoolSetup setup;
    setup.data_dir = dir.path() / "data";
    setup.nodes = {login_of(*node)};
    return setup;
}

int code_of(const Json& reply) {
    return reply.at("error").is_null() ? 0 : reply.at("error").at(0).get<int>();
}

// A block that leaves the mempool alone, by somebody else.
chain::Hash256 empty_block_of_another(SimHost& node) {
    chain::Hash256 hash;
    node->with_chain([&](sim::SimChain& chain) {
        auto block = sim::build_block(chain.make_empty_template(chain.tip()), other_script());
        ASSERT_TRUE(sim::grind(block.header, 1'000'000));
        hash = block.header.hash();
        ASSERT_EQ(chain.submit(block), sim::Verdict::accepted);
    });
    return hash;
}

// Puts a transaction with this fee into the mempool; the chain has 101 blocks afterwards at least.
chain::Transaction add_transaction(SimHost& node, std::int64_t fee_sat) {
    const auto key = sim::SimKey::from_seed("a wallet");
    const auto first = node->generate(1, key.p2wpkh_script());
    node->generate(100, other_script());
    chain::Transaction transaction;
    node->with_chain([&](sim::SimChain& chain) {
        const auto& coinbase = chain.find(first.at(0))->block->transactions[0];
        transaction.inputs.emplace_back().previous = {coinbase.txid(), 0};
        transaction.outputs.push_back(
            {coinbase.outputs[0].value_sat - fee_sat, key.p2wpkh_script()});
        key.sign(transaction, 0, coinbase.outputs[0]);
        ASSERT_EQ(chain.accept_transaction(transaction), sim::Verdict::accepted);
    });
    return transaction;
}

TEST(PoolOnSim, EveryShareOfSeveralMinersIsInLogAndLedgerOnce) {
    SimHost node(rules_with_block_hashes(300'000));
    const TempDir dir;
    auto setup = setup_for(node, dir);
    setup.difficulty = 1e-6;  // about 4,300 hashes
    setup.threads = 2;
    TestPool pool(setup);
    Crew crew;
    for (const auto* worker : {"one", "two", "three", "four"}) {
        const auto account = std::string_view(worker) == "four" ? "b" : "a";
        crew.add({pool.port(), fmt::format("{}.{}", miner_address(account), worker), 200'000});
    }
    ASSERT_TRUE(eventually([&] {
        return crew.book().accepted() >= 400 && pool.summary().blocks_accepted >= 3;
    })) << pool.log_text();
    crew.stop();
    ASSERT_TRUE(pool.stop());
    const auto log = expect_agreement(dir.path() / "data", crew.book());
    EXPECT_EQ(log.accounts.size(), 2U);
    EXPECT_EQ(log.workers.size(), 4U);
    EXPECT_GE(log.blocks.size(), 3U);
    for (const auto& block : log.blocks)
        EXPECT_TRUE(node.holds(block.hash)) << block.hash.rpc_hex();
    for (const auto& hash : crew.book().blocks())
        EXPECT_TRUE(node.holds(hash)) << hash.rpc_hex();
    EXPECT_EQ(pool.metric("adit_blocks_refused_total"), 0);
}

TEST(PoolOnSim, ALostConnectionIsResumedAndNoShareIsLostOrCountedTwice) {
    SimHost node(rules_with_block_hashes(10'000'000));
    const TempDir dir;
    auto setup = setup_for(node, dir);
    setup.difficulty = 1e-6;
    TestPool pool(setup);
    Crew crew;
    crew.add({pool.port(), miner_address("a") + ".rig", 600'000});
    for (std::uint64_t round = 1; round <= 8; ++round) {
        const auto before = crew.book().accepted();
        ASSERT_TRUE(eventually([&] { return crew.book().accepted() >= before + 10; }));
        crew[0].drop_connection();
        ASSERT_TRUE(eventually([&] { return crew.reconnects() >= round; }));
    }
    crew.stop();
    ASSERT_TRUE(pool.stop());
    const auto log = read_log(dir.path() / "data");
    expect_every_true_once(log, crew.book());
    const auto counts = crew.book().counts();
    EXPECT_EQ(counts.lost, 0U);
    EXPECT_EQ(counts.rejected, 0U) << Json(crew.book().reasons()).dump();
    // What was sent again after a loss and is known stands in the log, once like all else.
    EXPECT_EQ(log.counted_shares(), counts.accepted + counts.known);
    expect_ledger_equals_log(dir.path() / "data", log);
}

TEST(PoolOnSim, TransactionsAndTheirFeesEndInABlockThatPaysThePool) {
    SimHost node;
    const auto transaction = add_transaction(node, 12'345);
    const TempDir dir;
    TestPool pool(setup_for(node, dir));
    LineMiner miner(pool.port());
    const auto user = miner_address("a") + ".rig";
    miner.open(user);
    ASSERT_EQ(miner.job().branches.size(), 1U);
    const auto submit = miner.solve(miner.job(), user, 1);
    EXPECT_EQ(miner.request("mining.submit", submit)["result"], true);
    const auto hash = miner.header(miner.job(0), submit).hash();
    ASSERT_TRUE(eventually([&] { return node.in_best_chain(hash); })) << pool.log_text();

    const auto block = node.block(102);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(block->header.hash(), hash);
    ASSERT_EQ(block->transactions.size(), 2U);
    EXPECT_EQ(block->transactions[1].wtxid(), transaction.wtxid());
    const auto& coinbase = block->transactions[0];
    EXPECT_EQ(coinbase.outputs[0].script, pool_script());
    EXPECT_EQ(coinbase.outputs[0].value_sat, 5'000'000'000 + 12'345);
    EXPECT_TRUE(chain::witness_commitment_of(coinbase).has_value());
    EXPECT_EQ(chain::height_of_coinbase(coinbase.inputs[0].script), 102);
    const auto script = base::as_text(coinbase.inputs[0].script);
    EXPECT_NE(script.find("/Adit/"), std::string_view::npos);
    ASSERT_TRUE(eventually([&] { return pool.summary().blocks_accepted == 1; }));
}

TEST(PoolOnSim, ABlockOfAnotherMakesACleanJobWithItsTransactionsAndOldSharesStale) {
    SimHost node;
    add_transaction(node, 1'000);
    const TempDir dir;
    TestPool pool(setup_for(node, dir));
    LineMiner miner(pool.port());
    const auto user = miner_address("a") + ".rig";
    miner.open(user);
    const auto stale = miner.solve(miner.job(), user, 7);
    const auto stale_hash = miner.header(miner.job(), stale).hash();
    const auto jobs = miner.jobs();

    empty_block_of_another(node);
    ASSERT_TRUE(miner.read_until([&] { return miner.jobs() > jobs; }));
    // Regtest never gets a job without transactions first.
    EXPECT_TRUE(miner.job(jobs).clean);
    EXPECT_EQ(miner.job(jobs).branches.size(), 1U);
    EXPECT_NE(miner.job(jobs).previous, miner.job(0).previous);

    // Stale, twice the same; the block goes out all the same and ends on a side branch.
    EXPECT_EQ(code_of(miner.request("mining.submit", stale)), 21);
    EXPECT_EQ(code_of(miner.request("mining.submit", stale)), 21);
    EXPECT_TRUE(eventually([&] { return node.holds(stale_hash); })) << pool.log_text();
    EXPECT_FALSE(node.in_best_chain(stale_hash));

    const auto good = miner.solve(miner.job(), user, 8);
    EXPECT_EQ(miner.request("mining.submit", good)["result"], true);
    ASSERT_TRUE(pool.stop());
    const auto log = read_log(dir.path() / "data");
    EXPECT_EQ(log.counted_shares(), 1U);
    ASSERT_EQ(log.shares.size(), 2U);
    EXPECT_EQ(log.shares[0].hash, stale_hash);
    EXPECT_TRUE(log.shares[0].record.stale);
    ASSERT_EQ(log.blocks.size(), 2U);
    EXPECT_TRUE(log.blocks[0].stale);
    EXPECT_FALSE(log.blocks[1].stale);
    expect_ledger_equals_log(dir.path() / "data", log);
}

TEST(PoolOnSim, ABlocksShareCountsOnceHoweverOftenAndHoweverSpelled) {
    SimHost node;
    const TempDir dir;
    TestPool pool(setup_for(node, dir));
    LineMiner miner(pool.port());
    const auto user = miner_address("a") + ".rig";
    miner.open(user);
    auto submit = miner.solve(miner.job(), user, 0xabcdef);
    const auto hash = miner.header(miner.job(), submit).hash();
    EXPECT_EQ(miner.request("mining.submit", submit)["result"], true);
    // As duplicates while the job lives, as stale shares afterwards: never as another share.
    for (int i = 0; i < 5; ++i) {
        const int code = code_of(miner.request("mining.submit", submit));
        EXPECT_TRUE(code == 21 || code == 22) << code;
        auto& extranonce2 = submit[2].get_ref<std::string&>();
        std::ranges::transform(extranonce2, extranonce2.begin(), [i](char c) {
            return static_cast<char>(i % 2 == 0 ? std::toupper(c) : std::tolower(c));
        });
    }
    ASSERT_TRUE(eventually([&] { return node.in_best_chain(hash); }));
    ASSERT_TRUE(pool.stop());
    const auto log = read_log(dir.path() / "data");
    EXPECT_EQ(log.counted_shares(), 1U);
    EXPECT_EQ(log.blocks.size(), 1U);
    expect_ledger_equals_log(dir.path() / "data", log);
}

TEST(PoolOnSim, NamesOfOneConnectionAreCreditedApartAndAStrangersBlockStillGoesOut) {
    SimHost node;
    const TempDir dir;
    TestPool pool(setup_for(node, dir));
    LineMiner miner(pool.port());
    const auto first = miner_address("a") + ".x";
    const auto second = miner_address("b") + ".y";
    miner.open(first);
    ASSERT_TRUE(miner.authorize(second));
    const auto& job = miner.job(0);
    const auto a = miner.solve(job, first, 1);
    const auto b = miner.solve(job, second, 2);
    const auto stranger = miner.solve(job, miner_address("c") + ".z", 3);
    const auto nobody = miner.solve(job, "not-an-address", 4);
    EXPECT_EQ(code_of(miner.request("mining.submit", nobody)), 24);
    EXPECT_EQ(code_of(miner.request("mining.submit", stranger)), 24);
    for (const auto& submit : {nobody, stranger}) {
        const auto hash = miner.header(job, submit).hash();
        EXPECT_TRUE(eventually([&] { return node.holds(hash); })) << pool.log_text();
    }
    // The tip has moved, so new shares are of new jobs.
    const auto share = [&](const std::string& user, std::uint64_t salt) {
        return eventually([&] {
            const auto submit = miner.solve(miner.job(), user, salt++);
            return miner.request("mining.submit", submit)["result"] == true;
        });
    };
    EXPECT_TRUE(share(first, 100));
    EXPECT_TRUE(share(second, 200));
    ASSERT_TRUE(pool.stop());

    const auto log = read_log(dir.path() / "data");
    std::map<std::string, int> by_account;
    for (const auto& one : log.shares) {
        if (!one.record.stale) ++by_account[log.accounts.at(one.record.account)];
    }
    const std::map<std::string, int> expected{{miner_address("a"), 1}, {miner_address("b"), 1}};
    EXPECT_EQ(by_account, expected);
    expect_ledger_equals_log(dir.path() / "data", log);
}

}  // namespace
}  // namespace adit::tests
