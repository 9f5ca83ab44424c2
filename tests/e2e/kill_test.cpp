// kill -9 at any moment: what the miners were told is true is in the log, once; and no block is
// forgotten. The pool is the real program in a process of its own.
#include "store/candidate_store.h"
#include "tests/support/agreement.h"
#include "tests/support/child.h"
#include "tests/support/crew.h"
#include "tests/support/lasting_port.h"
#include "tests/support/line_miner.h"
#include "tests/support/pool_setup.h"
#include "tests/support/rpc_gate.h"
#include "tests/support/sim_host.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <random>

namespace adit::tests {
namespace {

std::vector<store::StoredCandidate> stored_blocks(const std::filesystem::path& data_dir) {
    store::PosixFileSystem files;
    const base::SystemClock clock;
    const auto opened = store::CandidateStore::open(files, data_dir / "blocks", clock);
    if (!opened) throw std::runtime_error(opened.error().text());
    std::vector<std::string> damaged;
    auto blocks = (*opened)->load_all(&damaged);
    if (!blocks) throw std::runtime_error(blocks.error().text());
    EXPECT_TRUE(damaged.empty());
    return *blocks;
}

const store::StoredCandidate* find(const std::vector<store::StoredCandidate>& blocks,
                                   const chain::Hash256& hash) {
    const auto at = std::ranges::find_if(
        blocks, [&](const auto& block) { return block.candidate->hash == hash; });
    return at == blocks.end() ? nullptr : &*at;
}

bool stop(Child& pool) {
    pool.signal(SIGTERM);
    return pool.wait() == 0;
}

struct KillRun {
    SimHost node{rules_with_block_hashes(250'000)};
    TempDir dir;
    PoolSetup setup;
    std::string config = (dir.path() / "adit.toml").string();

    KillRun() {
        setup.data_dir = dir.path() / "data";
        setup.nodes = {login_of(*node)};
        setup.difficulty = 5e-7;  // about 2,150 hashes
        setup.threads = 2;
        // It comes back where the miners look for it.
        setup.listen[0].address = fmt::format("127.0.0.1:{}", lasting_port());
        setup.extra = "[share]\nsegment_mib = 1\n";
        setup.write_to(config);
    }
};

TEST(KilledPool, HasEveryShareThatItAnsweredTrueExactlyOnceAfterTwentyFourKills) {
    KillRun run;
    auto pool = std::make_unique<Child>(adit_run(run.config));
    const auto port = listening_port(*pool);
    ASSERT_NE(port, 0) << pool->err();
    Crew crew;
    for (const auto* worker : {"one", "two", "three", "four"})
        crew.add({port, fmt::format("{}.{}", miner_address("a"), worker), 200'000});

    constexpr int kKills = 24;
    std::mt19937_64 random(20'260'101);
    for (int kill = 0; kill < kKills; ++kill) {
        const auto wanted = crew.book().accepted() + random() % 200;
        ASSERT_TRUE(eventually([&] { return crew.book().accepted() > wanted; }))
            << "after " << kill << " kills\n"
            << pool->err();
        // Not always right after an answer.
        for (auto spins = random() % 200'000; spins > 0; --spins)
            std::atomic_signal_fence(std::memory_order_seq_cst);
        pool->kill();
        pool = std::make_unique<Child>(adit_run(run.config));
        ASSERT_EQ(listening_port(*pool), port) << pool->err();
    }
    const auto last = crew.book().accepted();
    ASSERT_TRUE(eventually([&] {
        return crew.book().accepted() > last + 200 && crew.book().counts().blocks >= 6;
    })) << pool->err();
    crew.stop();
    ASSERT_TRUE(stop(*pool)) << pool->err();

    const auto data = run.setup.data_dir;
    const auto log = read_log(data);
    EXPECT_TRUE(expect_every_true_once(log, crew.book()));
    EXPECT_EQ(log.runs, kKills + 1U);
    EXPECT_GE(crew.book().accepted(), 1'000U);
    EXPECT_EQ(crew.book().reasons().count("Duplicate share"), 0U);
    expect_ledger_equals_log(data, log);

    // Blocks: every one of the best chain that pays the pool is known to it, and every one that it
    // answered true or wrote down reached the chain.
    const auto stored = stored_blocks(data);
    std::size_t ours = 0;
    for (std::int32_t height = 1; height <= run.node->height(); ++height) {
        const auto block = run.node.block(height);
        if (block->transactions[0].outputs[0].script != pool_script()) continue;
        ++ours;
        EXPECT_NE(find(stored, block->header.hash()), nullptr) << height;
    }
    EXPECT_GE(ours, 3U);
    for (const auto& hash : crew.book().blocks())
        EXPECT_TRUE(run.node.holds(hash)) << "answered true and lost: " << hash.rpc_hex();
    std::unordered_map<chain::Hash256, int, chain::Hash256Hasher> recorded;
    for (const auto& block : log.blocks) {
        EXPECT_TRUE(run.node.holds(block.hash)) << block.hash.rpc_hex();
        EXPECT_EQ(++recorded[block.hash], 1) << block.hash.rpc_hex();
    }
}

// A pool that died at the moment its block was on the wire, and whose node got it all the same.
struct DeadPool {
    SimHost node;
    TempDir dir;
    std::filesystem::path data = dir.path() / "data";
    std::atomic<Child*> victim = nullptr;
    std::optional<RpcGate> gate;
    std::string config;
    chain::Hash256 hash;

    DeadPool() {
        node->generate(1, other_script());
        gate.emplace(node->port(), "submitblock", [this] {
            if (auto* pool = victim.load()) pool->kill();
            return RpcGate::Order::pass;
        });
        PoolSetup setup;
        setup.data_dir = data;
        setup.nodes = {login_of(*node)};
        setup.nodes[0].url = gate->url();
        config = setup.write_to(dir.path() / "adit.toml");
        Child pool(adit_run(config));
        LineMiner miner(listening_port(pool));
        const auto user = miner_address("a") + ".rig";
        miner.open(user);
        victim = &pool;
        const auto submit = miner.solve(miner.job(), user, 1);
        hash = miner.header(miner.job(), submit).hash();
        miner.send(
            nlohmann::json{{"id", 9}, {"method", "mining.submit"}, {"params", submit}}.dump());
        EXPECT_TRUE(eventually([&] { return node.in_best_chain(hash); }));
        victim = nullptr;
    }
    bool has_recorded_it() const {
        const auto log = read_log(data);
        return std::ranges::any_of(log.blocks,
                                   [&](const auto& record) { return record.hash == hash; });
    }
};

TEST(KilledPool, FindsABlockInTheChainThatItDiedTooEarlyToWriteDown) {
    // Now and then the disk is faster than the network, and the block is in the books.
    auto dead = std::make_unique<DeadPool>();
    for (int tries = 0; tries < 20 && dead->has_recorded_it(); ++tries)
        dead = std::make_unique<DeadPool>();
    ASSERT_FALSE(dead->has_recorded_it());
    const auto& hash = dead->hash;
    const auto& config = dead->config;
    // What a death an instant earlier leaves.
    const auto file = store::CandidateStore::file_name(2, hash);
    std::filesystem::remove(dead->data / "blocks" / file);
    ASSERT_EQ(find(stored_blocks(dead->data), hash), nullptr);

    Child pool(adit_run(config));
    ASSERT_TRUE(pool.writes("was not in the books")) << pool.err();
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(dead->data / "blocks" / file); }));
    ASSERT_TRUE(stop(pool)) << pool.err();
    const auto stored = stored_blocks(dead->data);
    const auto* block = find(stored, hash);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(block->state(), store::CandidateState::accepted);
    EXPECT_EQ(block->candidate->height, 2);
    const auto log = read_log(dead->data);
    EXPECT_TRUE(dead->has_recorded_it());
    expect_ledger_equals_log(dead->data, log);

    // The next start knows it: its scan goes past it, down to the block below.
    const auto metrics = dead->data / "metrics.prom";
    std::filesystem::remove(metrics);
    Child again(adit_run(config));
    ASSERT_TRUE(eventually([&] {
        std::ifstream in(metrics);
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        return text.find("\nadit_chain_scan_blocks_total 1\n") != std::string::npos;
    })) << again.err();
    ASSERT_TRUE(stop(again)) << again.err();
    EXPECT_FALSE(again.wrote("was not in the books")) << again.err();
}

TEST(KilledPool, SendsABlockAgainThatNoNodeHadWhenItDied) {
    SimHost node;
    const TempDir dir;
    std::atomic<bool> dead_wire{true};
    RpcGate gate(node->port(), "submitblock",
                 [&] { return dead_wire ? RpcGate::Order::swallow : RpcGate::Order::pass; });
    PoolSetup setup;
    setup.data_dir = dir.path() / "data";
    setup.nodes = {login_of(*node)};
    setup.nodes[0].url = gate.url();
    const auto config = setup.write_to(dir.path() / "adit.toml");
    chain::Hash256 hash;
    {
        Child pool(adit_run(config));
        LineMiner miner(listening_port(pool));
        const auto user = miner_address("a") + ".rig";
        miner.open(user);
        const auto submit = miner.solve(miner.job(), user, 1);
        hash = miner.header(miner.job(), submit).hash();
        EXPECT_EQ(miner.request("mining.submit", submit)["result"], true);
        const auto file = setup.data_dir / "blocks" / store::CandidateStore::file_name(1, hash);
        ASSERT_TRUE(eventually([&] { return gate.seen() > 0 && std::filesystem::exists(file); }));
        pool.kill();
    }
    EXPECT_FALSE(node.holds(hash));
    dead_wire = false;
    Child pool(adit_run(config));
    ASSERT_TRUE(eventually([&] { return node.in_best_chain(hash); })) << pool.err();
    ASSERT_TRUE(pool.writes("block accepted")) << pool.err();
    ASSERT_TRUE(stop(pool)) << pool.err();
    const auto stored = stored_blocks(setup.data_dir);
    ASSERT_NE(find(stored, hash), nullptr);
    EXPECT_EQ(find(stored, hash)->state(), store::CandidateState::accepted);
    EXPECT_EQ(find(stored, hash)->candidate->account, miner_address("a"));
    EXPECT_EQ(find(stored, hash)->candidate->worker, "rig");
}

}  // namespace
}  // namespace adit::tests
