// The edges of a running pool: TLS and PROXY listeners, limits, and a disk that is full.
#include "tests/support/agreement.h"
#include "tests/support/child.h"
#include "tests/support/crew.h"
#include "tests/support/line_miner.h"
#include "tests/support/sim_host.h"
#include "tests/support/small_disk.h"
#include "tests/support/test_pool.h"
#include "tests/support/wait.h"

#include <gtest/gtest.h>

#include <csignal>

namespace adit::tests {
namespace {

using Json = nlohmann::json;

PoolSetup setup_for(SimHost& node, const std::filesystem::path& dir) {
    PoolSetup setup;
    setup.data_dir = dir / "data";
    setup.nodes = {login_of(*node)};
    return setup;
}

void make_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key) {
    Child openssl({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                   "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                   "-keyout", key.string(), "-out", certificate.string()});
    ASSERT_EQ(openssl.wait(), 0) << openssl.err();
}

TEST(PoolListeners, TlsAndProxyAndPlainServeTheSamePool) {
    SimHost node(rules_with_block_hashes(10'000'000));
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.difficulty = 1e-7;
    ListenSetup tls;
    tls.certificate = dir.path() / "cert.pem";
    tls.key = dir.path() / "key.pem";
    make_certificate(tls.certificate, tls.key);
    ListenSetup proxy;
    proxy.proxy_protocol = true;
    setup.listen = {ListenSetup{}, tls, proxy};
    TestPool pool(setup);

    Crew crew;
    const auto account = miner_address("a");
    crew.add({pool.port(0), account + ".plain", 5'000});
    MinerSetup secure{pool.port(1), account + ".tls", 5'000};
    secure.tls = true;
    secure.ca_file = tls.certificate.string();
    crew.add(secure);
    LineMiner proxied(pool.port(2), "PROXY TCP4 192.0.2.7 127.0.0.1 5555 3333\r\n");
    proxied.open(account + ".proxied");
    EXPECT_GT(proxied.jobs(), 0U);
    ASSERT_TRUE(eventually([&] {
        return crew[0].stats().accepted >= 5 && crew[1].stats().accepted >= 5;
    })) << crew[1].stats().last_problem
        << pool.log_text();
    EXPECT_TRUE(eventually([&] { return pool.summary().miners == 3; }));

    // Without its header the PROXY listener talks to nobody.
    LineMiner bare(pool.port(2));
    bare.send(R"({"id":1,"method":"mining.subscribe","params":[]})");
    EXPECT_TRUE(bare.ended());
    // And the plain listener believes no header.
    LineMiner forged(pool.port(0), "PROXY TCP4 192.0.2.7 127.0.0.1 5555 3333\r\n");
    EXPECT_TRUE(forged.ended());

    crew.stop();
    ASSERT_TRUE(pool.stop());
    const auto log = expect_agreement(dir.path() / "data", crew.book());
    // A name enters the log with its first accepted share, and the proxied miner sent none.
    EXPECT_EQ(log.workers.size(), 2U);
}

TEST(PoolLimits, TurnAwayWhatIsTooManyAndTakeOthersWhenRoomReturns) {
    SimHost node;
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.miners = 2;
    TestPool pool(setup);
    LineMiner first(pool.port());
    first.open(miner_address("a"));
    {
        LineMiner second(pool.port());
        second.open(miner_address("b"));
        EXPECT_TRUE(turned_away(pool.port()));
        EXPECT_EQ(second.request("mining.ping", Json::array())["result"], "pong");
    }
    EXPECT_EQ(first.request("mining.ping", Json::array())["result"], "pong");
    ASSERT_TRUE(eventually([&] { return pool.summary().connections == 1; }));
    LineMiner next(pool.port());
    next.open(miner_address("c"));
    EXPECT_TRUE(eventually([&] { return pool.summary().miners == 2; }));
}

TEST(PoolLimits, PerAddressCountsTheAddressBehindTheProxy) {
    SimHost node;
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.extra_limits = "per_ip = 1";
    setup.listen[0].proxy_protocol = true;
    TestPool pool(setup);
    LineMiner one(pool.port(), "PROXY TCP4 192.0.2.1 127.0.0.1 5555 3333\r\n");
    one.open(miner_address("a"));
    LineMiner other(pool.port(), "PROXY TCP4 192.0.2.2 127.0.0.1 5555 3333\r\n");
    other.open(miner_address("b"));
    EXPECT_TRUE(turned_away(pool.port(), "PROXY TCP4 192.0.2.1 127.0.0.1 5556 3333\r\n"));
    EXPECT_EQ(one.request("mining.ping", Json::array())["result"], "pong");
}

TEST(PoolOnAFullDisk, RefusesSharesSendsBlocksAndRecoversWithoutLosingAnything) {
    // Blocks are rare: each that is found gives the log room that was reserved for blocks.
    SimHost node(rules_with_block_hashes(2'000'000));
    const FullDisk storage;
    auto setup = setup_for(node, storage.disk.path());
    setup.difficulty = 1e-9;
    setup.extra = "[share]\nsegment_mib = 1\n";
    ShareBook::Counts counts;
    {
        TestPool pool(setup);
        LineMiner miner(pool.port());
        const auto user = miner_address("l") + ".line";
        miner.open(user);
        Crew crew;
        crew.add({pool.port(), miner_address("a") + ".rig", 40'000});
        ASSERT_TRUE(eventually([&] { return crew.book().accepted() >= 200; }));
        storage.fill();
        // What was reserved goes first; then the miners are told.
        ASSERT_TRUE(eventually([&] { return crew.book().reasons()["Storage unavailable"] > 0; },
                               2 * kDeadlineMs))
            << pool.log_text();

        // A block goes out all the same; its share is refused in words. The crew goes on, so that
        // what the block leaves of the room reserved for it is soon used up, too.
        Json reply;
        std::uint64_t taken = 0;  // while there was room for a moment
        ASSERT_TRUE(eventually([&] {
            storage.fill();
            if (pool.summary().log_available) return false;
            (void)miner.request("mining.ping", Json::array());  // reads the jobs before it
            const auto block = miner.solve(miner.job(), user, 1);
            const auto hash = miner.header(miner.job(), block).hash();
            reply = miner.request("mining.submit", block);
            if (reply["result"] == true) ++taken;
            EXPECT_TRUE(eventually([&] { return node.holds(hash); })) << pool.log_text();
            return !reply["error"].is_null() && reply["error"][0] == 20;
        })) << reply.dump();
        EXPECT_EQ(reply["error"][1], "Storage unavailable") << reply.dump();
        crew.stop();

        storage.make_room();
        ASSERT_TRUE(eventually([&] { return pool.summary().log_available; })) << pool.log_text();
        Crew later;
        later.add({pool.port(), miner_address("b") + ".rig", 1'000});
        ASSERT_TRUE(eventually([&] { return later.book().accepted() >= 50; })) << pool.log_text();
        later.stop();
        ASSERT_TRUE(pool.stop());
        counts = crew.book().counts();
        const auto log = read_log(setup.data_dir);
        expect_every_true_once(log, crew.book());
        expect_every_true_once(log, later.book());
        EXPECT_EQ(log.counted_shares(), counts.accepted + later.book().accepted() + taken);
        EXPECT_EQ(counts.lost, 0U);
    }
    // The next start folds whatever the ledger missed.
    TestPool again(setup);
    ASSERT_TRUE(again.stop()) << again.log_text();
    expect_ledger_equals_log(setup.data_dir, read_log(setup.data_dir));
}

}  // namespace
}  // namespace adit::tests
