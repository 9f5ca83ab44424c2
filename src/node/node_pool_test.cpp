#include "node/node_pool.h"

#include "node/scripted_node_testing.h"

#include <gtest/gtest.h>
#include <zmq.h>

#include <condition_variable>
#include <mutex>

namespace adit::node {
namespace {

using testing::RawAnswer;
using testing::ScriptedNode;
using testing::template_transaction;

constexpr auto kDeadline = std::chrono::seconds(20);

// Two nodes with equal chains, a pool over them, and everything it delivered.
struct NodePoolTest : ::testing::Test {
    void SetUp() override {
        a.start();
        b.start();
        settings.network = chain::Network::regtest;
        settings.nodes = {a.settings("a"), b.settings("b")};
        settings.probe = {.interval_ms = 20, .slow_interval_ms = 40, .timeout_ms = 2'000};
        settings.hang_ms = 10'000;
        settings.lag_grace_ms = 10'000;
        settings.return_after_ms = 100;
        settings.template_poll_ms = 200;
        settings.template_retry_ms = 50;
        settings.fee_gap_ms = 10;
    }
    void TearDown() override {
        if (pool) pool->stop();
    }

    void start() {
        pool.emplace(settings, registry, clock, log);
        pool->set_listener([this](job::TemplateRef content) {
            const std::lock_guard lock(mutex);
            delivered.push_back(std::move(content));
            changed.notify_all();
        });
        pool->start();
    }
    // Waits for a delivered template that satisfies the condition; null when none came.
    job::TemplateRef wait_for(const std::function<bool(const job::BlockTemplate&)>& condition) {
        std::unique_lock lock(mutex);
        job::TemplateRef found;
        changed.wait_for(lock, kDeadline, [&] {
            for (; looked_at < delivered.size() && !found; ++looked_at) {
                if (condition(*delivered[looked_at])) found = delivered[looked_at];
            }
            return found != nullptr;
        });
        return found;
    }
    job::TemplateRef wait_on(const chain::Hash256& previous, const std::string& node) {
        return wait_for([&](const job::BlockTemplate& content) {
            return content.previous == previous && content.node == node;
        });
    }
    template <class Condition>
    bool wait_status(Condition condition) {
        const auto end = clock.steady_ms() +
                         std::chrono::duration_cast<std::chrono::milliseconds>(kDeadline).count();
        while (clock.steady_ms() < end) {
            if (condition(pool->status())) return true;
            std::this_thread::yield();
        }
        return false;
    }
    void add_block_to_both() {
        a.add_block();
        b.add_block();
    }

    base::SystemClock clock;
    base::Logger log{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    metrics::Registry registry;
    ScriptedNode a, b;
    NodePoolSettings settings;
    std::optional<NodePool> pool;

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<job::TemplateRef> delivered;
    std::size_t looked_at = 0;
};

TEST_F(NodePoolTest, DeliversTheFirstNodesTemplateAndEveryNewTip) {
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    for (int i = 0; i < 3; ++i) {
        add_block_to_both();
        const auto content = wait_on(a.tip(), "a");
        ASSERT_TRUE(content);
        EXPECT_EQ(content->height, a.height() + 1);
    }
    EXPECT_TRUE(wait_status([&](const PoolStatus& status) {
        return status.active == "a" && !status.templates_stale && status.failovers == 0 &&
               status.height == a.height() + 1;
    }));
}

TEST_F(NodePoolTest, ALongPollBringsANewBlockEvenWhenProbesAreRare) {
    settings.probe.interval_ms = 3'600'000;
    settings.template_poll_ms = 3'600'000;
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    a.add_block();
    EXPECT_TRUE(wait_on(a.tip(), "a"));
}

TEST_F(NodePoolTest, ZmqBringsANewBlockEvenWhenProbesAndLongPollsAreRare) {
    const std::unique_ptr<void, int (*)(void*)> context(zmq_ctx_new(), zmq_ctx_term);
    const std::unique_ptr<void, int (*)(void*)> publisher(zmq_socket(context.get(), ZMQ_XPUB),
                                                          zmq_close);
    const int linger = 0;
    zmq_setsockopt(publisher.get(), ZMQ_LINGER, &linger, sizeof linger);
    ASSERT_EQ(zmq_bind(publisher.get(), "tcp://127.0.0.1:*"), 0);
    std::array<char, 128> endpoint{};
    std::size_t size = endpoint.size();
    zmq_getsockopt(publisher.get(), ZMQ_LAST_ENDPOINT, endpoint.data(), &size);

    settings.probe.interval_ms = 3'600'000;
    settings.template_poll_ms = 3'600'000;
    settings.nodes = {a.settings("a")};
    settings.nodes[0].zmq_hashblock = endpoint.data();
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    std::array<char, 32> subscription{};
    ASSERT_GT(zmq_recv(publisher.get(), subscription.data(), subscription.size(), 0), 0);
    // The long poll stays silent.
    a.set_hook([](std::string_view method) -> std::optional<RawAnswer> {
        if (method == "getblocktemplate") return RawAnswer{.body = "", .hang = true};
        return std::nullopt;
    });
    const auto before = a.calls("getblockchaininfo");
    const auto hash = a.tip().rpc_hex();
    zmq_send(publisher.get(), "hashblock", 9, ZMQ_SNDMORE);
    zmq_send(publisher.get(), base::from_hex(hash)->data(), 32, ZMQ_SNDMORE);
    zmq_send(publisher.get(), "\1\0\0\0", 4, 0);
    EXPECT_TRUE(
        wait_status([&](const PoolStatus&) { return a.calls("getblockchaininfo") > before; }));
}

TEST_F(NodePoolTest, FailsOverWhenTheActiveNodeDiesAndReturnsWhenItIsBack) {
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    const auto died_ms = clock.steady_ms();
    a.stop();
    ASSERT_TRUE(wait_on(b.tip(), "b"));
    EXPECT_LT(clock.steady_ms() - died_ms, 10'000) << "ten times the promised second";
    EXPECT_TRUE(wait_status(
        [](const PoolStatus& status) { return status.active == "b" && status.failovers == 1; }));
    a.start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    EXPECT_TRUE(wait_status([](const PoolStatus& status) { return status.active == "a"; }));
}

struct TroubleCase {
    const char* name;
    std::function<void(NodePoolTest&)> make;
    const char* in_error;  // of the first node's status; empty: the state alone matters
};

std::vector<TroubleCase> trouble_cases() {
    const auto hook = [](RawAnswer answer) {
        return [answer](NodePoolTest& test) {
            test.a.set_hook([answer](std::string_view) { return answer; });
        };
    };
    const auto on_template = [](RawAnswer answer) {
        return [answer](NodePoolTest& test) {
            test.a.set_hook([answer](std::string_view method) -> std::optional<RawAnswer> {
                if (method == "getblocktemplate") return answer;
                return std::nullopt;
            });
        };
    };
    return {
        {"starting",
         [](NodePoolTest& test) { test.a.set_error("getblockchaininfo", -28, "Loading"); },
         "still starting"},
        {"downloading",
         [](NodePoolTest& test) { test.a.set_error("getblocktemplate", -10, "IBD"); },
         "downloading"},
        {"no peers", [](NodePoolTest& test) { test.a.set_error("getblocktemplate", -9, "alone"); },
         "no peers"},
        {"behind its headers", [](NodePoolTest& test) { test.a.set_headers_ahead(50); },
         "synchronising"},
        {"another chain", [](NodePoolTest& test) { test.a.set_chain("main"); }, "chain \"main\""},
        {"wrong password", [](NodePoolTest& test) { test.a.set_credentials("x:y"); },
         "rpcpassword"},
        {"hangs", hook({.body = "", .hang = true}), ""},
        {"cut short", hook({.body = "{\"re", .promised_bytes = 500}), "cut short"},
        {"absurd", hook({.body = "<html>"}), "no JSON"},
        {"absurd template", on_template({.body = "[[["}), "no JSON"},
        {"lies about its height", [](NodePoolTest& test) { test.a.set_claimed_extra_height(500); },
         "headers since prove"},
        {"a transaction is missing",
         [](NodePoolTest& test) { test.a.set_transactions("[]", 5'000); }, "missing"},
        {"depends on a missing transaction",
         [](NodePoolTest& test) {
             test.a.set_transactions("[" + template_transaction(5, 1, "[7]") + "]", 5);
         },
         "depends"},
        {"too large", hook({.body = std::string(1 << 20, ' '), .promised_bytes = 1u << 30}),
         "longer than"},
    };
}

TEST_F(NodePoolTest, LeavesANodeInTroubleAndSaysWhy) {
    settings.hang_ms = 150;
    for (const auto& one : trouble_cases()) {
        SCOPED_TRACE(one.name);
        a.stop();
        // The fixture's `a` plays the node in trouble, on a fresh chain for each case.
        a.set_hook(nullptr);
        a.set_credentials("user:password");
        a.set_chain("regtest");
        a.set_claimed_extra_height(0);
        a.set_headers_ahead(0);
        a.set_transactions("[]", 0);
        a.clear("getblockchaininfo");
        a.clear("getblocktemplate");
        a.start();
        settings.nodes = {a.settings("a"), b.settings("b")};
        start();
        ASSERT_TRUE(wait_on(a.tip(), "a"));
        one.make(*this);
        a.add_block();
        b.add_block();
        ASSERT_TRUE(wait_on(b.tip(), "b"));
        EXPECT_TRUE(wait_status([&](const PoolStatus& status) {
            const auto& node = status.nodes[0];
            const auto said = node.error + node.template_error + node.doubt;
            return status.active == "b" && said.find(one.in_error) != std::string::npos;
        })) << pool->status().nodes[0].error
            << pool->status().nodes[0].template_error << pool->status().nodes[0].doubt;
        pool->stop();
        a.stop();
        a.start();
    }
}

TEST_F(NodePoolTest, LeavesANodeThatLagsBehindAndReturnsWhenItHasCaughtUp) {
    settings.lag_grace_ms = 60;
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    b.add_block();
    ASSERT_TRUE(wait_on(b.tip(), "b"));
    EXPECT_TRUE(wait_status([](const PoolStatus& status) { return status.nodes[0].lagging; }));
    a.add_block();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
}

TEST_F(NodePoolTest, NeverGoesBackToLessWorkWhenTheBetterNodeDies) {
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    a.add_block("only a has it");
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    const auto better = a.tip();
    a.stop();
    ASSERT_TRUE(wait_status([](const PoolStatus& status) { return status.active == "b"; }));
    b.add_block("another chain");
    ASSERT_TRUE(wait_on(b.tip(), "b"));  // as much work as the lost tip
    const std::lock_guard lock(mutex);
    for (std::size_t i = 1; i < delivered.size(); ++i) {
        EXPECT_GE(delivered[i]->height, delivered[i - 1]->height);
    }
    EXPECT_NE(delivered.back()->previous, better);
}

TEST_F(NodePoolTest, GoesBackWhenTheNodeHasInvalidatedItsTip) {
    settings.nodes = {a.settings("a")};
    const auto old_tip = a.tip();
    a.add_block();
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    a.invalidate_tip();
    ASSERT_EQ(a.tip(), old_tip);
    EXPECT_TRUE(wait_on(old_tip, "a"));
}

TEST_F(NodePoolTest, RefreshesWithoutAnyNode) {
    settings.refresh_ms = 50;
    settings.nodes = {a.settings("a")};
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    const auto tip = a.tip();
    a.stop();
    ASSERT_TRUE(wait_status([](const PoolStatus& status) { return status.active.empty(); }));
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(wait_on(tip, "a"));
}

TEST_F(NodePoolTest, SaysWhenItsTemplatesAreStaleAndRecovers) {
    settings.refresh_ms = 30;
    settings.node_gone_ms = 100;
    settings.nodes = {a.settings("a")};
    start();
    EXPECT_TRUE(pool->status().templates_stale) << "none yet";
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    a.stop();
    ASSERT_TRUE(wait_status([](const PoolStatus& status) { return status.templates_stale; }));
    a.start();
    a.add_block();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    EXPECT_TRUE(wait_status([](const PoolStatus& status) { return !status.templates_stale; }));
}

TEST_F(NodePoolTest, DeliversWhenFeesRise) {
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    a.set_transactions("[" + template_transaction(1'000, 1) + "]", 1'000);
    EXPECT_TRUE(
        wait_for([](const job::BlockTemplate& content) { return content.fees_sat() == 1'000; }));
}

TEST(NodePoolSettings, NoticeAHangingNodeClearlyWithinASecond) {
    const NodePoolSettings defaults;
    EXPECT_LE(defaults.probe.interval_ms + defaults.hang_ms + NodePool::kTickMs, 800);
    EXPECT_GT(defaults.hang_ms, 400) << "a node may be busy";
}

TEST_F(NodePoolTest, UsesAnotherNodeWhenOnlyGetblocktemplateHangs) {
    settings.slow_template_ms = 100;
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    a.set_hook([](std::string_view method) -> std::optional<RawAnswer> {
        if (method == "getblocktemplate") return RawAnswer{.body = "", .hang = true};
        return std::nullopt;
    });
    EXPECT_TRUE(wait_on(b.tip(), "b"));
}

TEST_F(NodePoolTest, APoolThatTakesOverNeverGoesBackToLessWork) {
    settings.nodes = {a.settings("a")};
    a.add_block("only a has it");
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    pool->stop();
    const auto last = pool->last();
    ASSERT_TRUE(last);
    delivered.clear();
    looked_at = 0;
    settings.nodes = {b.settings("b")};
    pool.emplace(settings, registry, clock, log);
    pool->resume(last);
    EXPECT_FALSE(pool->status().templates_stale);
    pool->set_listener([this](job::TemplateRef content) {
        const std::lock_guard lock(mutex);
        delivered.push_back(std::move(content));
        changed.notify_all();
    });
    pool->start();
    ASSERT_TRUE(wait_on(a.tip(), "a")) << "what the other pool had delivered";
    ASSERT_TRUE(wait_status([this](const PoolStatus&) { return b.calls("getblocktemplate") > 2; }));
    b.add_block("another chain");
    ASSERT_TRUE(wait_on(b.tip(), "b"));
    const std::lock_guard lock(mutex);
    for (const auto& content : delivered)
        EXPECT_EQ(content->height, a.height() + 1);
}

TEST_F(NodePoolTest, AStoppedPoolShowsNoNodeAsUp) {
    start();
    ASSERT_TRUE(wait_on(a.tip(), "a"));
    auto& up = registry.gauge("adit_node_up", "1 while the node can be used.", {{"node", "a"}});
    auto& active = registry.gauge("adit_node_active", "1 while templates come from this node.",
                                  {{"node", "a"}});
    ASSERT_TRUE(
        wait_status([&](const PoolStatus&) { return up.value() > 0 && active.value() > 0; }));
    pool->stop();
    EXPECT_EQ(up.value(), 0);
    EXPECT_EQ(active.value(), 0);
}

TEST_F(NodePoolTest, StopsAtOnceWhileANodeHangs) {
    a.set_hook([](std::string_view) { return RawAnswer{.body = "", .hang = true}; });
    settings.nodes = {a.settings("a")};
    settings.probe.timeout_ms = 600'000;
    start();
    ASSERT_TRUE(wait_status([&](const PoolStatus&) { return a.calls("getblockchaininfo") > 0; }));
    const auto before_ms = clock.steady_ms();
    pool->stop();
    EXPECT_LT(clock.steady_ms() - before_ms, 10'000);
}

}  // namespace
}  // namespace adit::node
