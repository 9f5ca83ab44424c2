// The whole miner against a small pool on a loopback socket. Tests wait for conditions, never for
// times; the deadline only ends a test that hangs.
#include "miner/pool_miner.h"

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>

namespace adit::miner {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using nlohmann::json;

// Collects what happens on other threads and lets the test wait for it.
class Events {
 public:
    void add(std::string what) {
        const std::lock_guard lock(mutex_);
        seen_.push_back(std::move(what));
        changed_.notify_all();
    }
    // Whether `what` (a prefix) has happened `times` times before the deadline.
    bool wait(std::string_view what, std::size_t times = 1) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(60), [&] {
            return static_cast<std::size_t>(std::ranges::count_if(
                       seen_, [&](const auto& one) { return one.starts_with(what); })) >= times;
        });
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> seen_;
};

// A key and a certificate for "localhost", signed by itself, in one PEM file.
std::string make_certificate() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    const auto path =
        (std::filesystem::path(testing::TempDir()) / fmt::format("adit_miner_{}.pem", getpid()))
            .string();
    BIO* file = BIO_new_file(path.c_str(), "w");
    PEM_write_bio_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_bio_X509(file, certificate);
    BIO_free(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return path;
}

// Speaks just enough Stratum to keep a miner busy, and records every line it gets.
class SmallPool {
 public:
    struct Script {
        std::string certificate = {};  // TLS when not empty
        // The reply's "error" for a mining.submit; null: true.
        std::function<json(const json&)> judge = {};
        bool authorize = true;
        std::string after_notify = {};  // a line sent after the job
    };

    SmallPool(Script script, Events& events) : script_(std::move(script)), events_(events) {
        if (!script_.certificate.empty()) {
            tls_.use_certificate_chain_file(script_.certificate);
            tls_.use_private_key_file(script_.certificate, asio::ssl::context::pem);
        }
        asio::co_spawn(io_, accept(), asio::detached);
        thread_ = std::thread([this] { io_.run(); });
    }
    ~SmallPool() {
        io_.stop();
        thread_.join();
    }
    std::uint16_t port() const { return port_; }

 private:
    asio::awaitable<void> accept() {
        while (true) {
            auto socket = co_await acceptor_.async_accept(asio::use_awaitable);
            asio::co_spawn(io_, talk(std::move(socket)), asio::detached);
        }
    }

    asio::awaitable<void> talk(tcp::socket socket) try {
        if (script_.certificate.empty()) {
            co_await serve(socket);
        } else {
            asio::ssl::stream<tcp::socket> stream(std::move(socket), tls_);
            co_await stream.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
            co_await serve(stream);
        }
    } catch (const boost::system::system_error&) {
        events_.add("pool: connection ended");
    }

    template <class Stream>
    asio::awaitable<void> serve(Stream& stream) {
        std::string buffer;
        while (true) {
            const auto size = co_await asio::async_read_until(stream, asio::dynamic_buffer(buffer),
                                                              '\n', asio::use_awaitable);
            const auto out = answer(json::parse(buffer.substr(0, size)));
            buffer.erase(0, size);
            co_await asio::async_write(stream, asio::buffer(out), asio::use_awaitable);
        }
    }

    std::string answer(const json& request) {
        const std::string method = request["method"];
        events_.add("pool: " + method + " " + request["params"].dump());
        json result = true;
        json error;
        std::string more;
        if (method == "mining.configure") {
            result = {{"version-rolling", true}, {"version-rolling.mask", "1fffe000"}};
        } else if (method == "mining.subscribe") {
            result = json::parse(R"([[["mining.notify","s1"]],"0a0b0c0d",8])");
        } else if (method == "mining.authorize" && !script_.authorize) {
            result = false;
            error = {24, "Unauthorized worker", nullptr};
        } else if (method == "mining.authorize") {
            more = job_lines() + script_.after_notify;
        } else if (method == "mining.submit" && script_.judge) {
            error = script_.judge(request);
            if (!error.is_null()) result = nullptr;
        }
        return json{{"id", request["id"]}, {"result", result}, {"error", error}}.dump() + "\n" +
               more;
    }

    // About 2,000 hashes a share; the network target is met by every eighth of them.
    static std::string job_lines() {
        const json params = json::array({"1.0", std::string(64, '5'), "aa", "bb", json::array(),
                                         "20000000", "1f03ffff", "65000000", true});
        return json{{"method", "mining.set_difficulty"}, {"params", {1.0 / (1 << 21)}}}.dump() +
               "\n" + json{{"method", "mining.notify"}, {"params", params}}.dump() + "\n";
    }

    Script script_;
    Events& events_;
    asio::io_context io_{1};
    asio::ssl::context tls_{asio::ssl::context::tls_server};
    tcp::acceptor acceptor_{io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
    std::uint16_t port_ = acceptor_.local_endpoint().port();
    std::thread thread_;
};

class PoolMinerTest : public testing::Test {
 protected:
    PoolMinerSettings settings(std::uint16_t port) {
        PoolMinerSettings result;
        result.connection.pool = {"localhost", port, false};
        result.connection.client.user = "account.rig";
        result.connection.first_pause_ms = 1;
        result.cpu.threads = 2;
        result.cpu.hashes_per_s = 100'000;
        return result;
    }
    PoolMinerEvents wiring() {
        PoolMinerEvents result;
        result.on_reply = [this](const ShareReply& reply) {
            events.add(fmt::format("reply {} {}", static_cast<int>(reply.outcome), reply.reason));
        };
        result.on_message = [this](std::string_view text) {
            events.add(fmt::format("message {}", text));
        };
        result.on_lost = [this](std::string_view why, std::uint32_t) {
            events.add(fmt::format("lost {}", why));
        };
        result.on_refused = [this](ProtocolError error, std::string_view detail) {
            events.add(fmt::format("refused {}: {}", describe(error), detail));
        };
        return result;
    }

    Events events;
    base::SystemClock clock;
};

TEST_F(PoolMinerTest, MinesAndCountsEveryAnswer) {
    std::atomic<int> count{0};
    SmallPool pool({.judge = [&](const json&) -> json {
                       return ++count % 3 == 0 ? json{21, "Job not found", nullptr} : json();
                   }},
                   events);
    PoolMiner miner(settings(pool.port()), clock, wiring());
    miner.start();
    ASSERT_TRUE(events.wait("reply 0", 20));
    EXPECT_TRUE(miner.stats().connected);
    miner.stop(10'000);
    const auto stats = miner.stats();
    EXPECT_FALSE(stats.connected);
    EXPECT_EQ(stats.found, stats.accepted + stats.stale + stats.lost);
    EXPECT_EQ(stats.found, static_cast<std::uint64_t>(count.load()) + stats.lost);
    EXPECT_EQ(stats.rejected.at("Job not found"), stats.stale);
    EXPECT_EQ(stats.stale, static_cast<std::uint64_t>(count / 3));
    EXPECT_EQ(stats.lost, 0U);
    EXPECT_LE(stats.blocks_accepted, stats.blocks_found);
    EXPECT_GT(stats.hashes, stats.found);
    EXPECT_GT(stats.mining_s, 0);
    EXPECT_EQ(stats.difficulty, 1.0 / (1 << 21));
    EXPECT_DOUBLE_EQ(stats.accepted_difficulty,
                     static_cast<double>(stats.accepted) * stats.difficulty);
    EXPECT_EQ(stats.jobs, 1U);
}

TEST_F(PoolMinerTest, ComesBackAndResumesItsSession) {
    SmallPool pool({}, events);
    PoolMiner miner(settings(pool.port()), clock, wiring());
    miner.start();
    ASSERT_TRUE(events.wait("reply 0", 3));
    miner.drop_connection();
    ASSERT_TRUE(events.wait("lost dropped on request"));
    ASSERT_TRUE(events.wait(R"(pool: mining.subscribe ["adit-miner/0.1.0","s1"])"));
    ASSERT_TRUE(events.wait("pool: mining.authorize", 2));
    ASSERT_TRUE(events.wait("reply 0", 10));
    miner.stop(10'000);
    const auto stats = miner.stats();
    EXPECT_EQ(stats.reconnects, 1U);
    EXPECT_EQ(stats.last_problem, "dropped on request");
    EXPECT_EQ(stats.found, stats.accepted);
}

TEST_F(PoolMinerTest, ReportsARefusedName) {
    SmallPool pool({.authorize = false}, events);
    PoolMiner miner(settings(pool.port()), clock, wiring());
    miner.start();
    EXPECT_TRUE(events.wait("refused the pool refused the user name: Unauthorized worker"));
    EXPECT_TRUE(events.wait("lost the pool refused the user name: Unauthorized worker"));
    miner.stop();
    EXPECT_EQ(miner.stats().hashes, 0U);
}

TEST_F(PoolMinerTest, KeepsTryingWhileNobodyListens) {
    std::uint16_t port = 0;
    {
        SmallPool pool({}, events);
        port = pool.port();
    }
    PoolMiner miner(settings(port), clock, wiring());
    miner.start();
    EXPECT_TRUE(events.wait("lost Connection refused", 3));
    miner.stop();
    EXPECT_FALSE(miner.stats().connected);
}

TEST_F(PoolMinerTest, FollowsAReconnectWithinTheDomainAndNoOther) {
    SmallPool second({}, events);
    const auto order = [](std::string_view host, std::uint16_t port) {
        return fmt::format(
            "{{\"id\":null,\"method\":\"client.reconnect\",\"params\":[\"{}\",{},0]}}\n", host,
            port);
    };
    SmallPool first({.after_notify = order("localhost", second.port())}, events);
    PoolMiner miner(settings(first.port()), clock, wiring());
    miner.start();
    EXPECT_TRUE(events.wait("lost the pool asked to connect again"));
    EXPECT_TRUE(events.wait("reply 0", 3));
    miner.stop();

    SmallPool hostile({.after_notify = order("thief.example", 1)}, events);
    PoolMiner careful(settings(hostile.port()), clock, wiring());
    careful.start();
    EXPECT_TRUE(events.wait("message ignored the pool's order to go to another domain"));
    careful.stop();
}

TEST_F(PoolMinerTest, SpeaksTlsAndChecksTheCertificate) {
    const auto certificate = make_certificate();
    SmallPool pool({.certificate = certificate}, events);
    auto secure = settings(pool.port());
    secure.connection.pool.tls = true;
    {
        PoolMiner stranger(secure, clock, wiring());
        stranger.start();
        EXPECT_TRUE(events.wait("lost TLS: certificate verify failed"));
        stranger.stop();
        EXPECT_EQ(stranger.stats().hashes, 0U);
    }
    secure.connection.ca_file = certificate;
    {
        PoolMiner trusting(secure, clock, wiring());
        trusting.start();
        EXPECT_TRUE(events.wait("reply 0", 2));
        trusting.stop();
    }
    secure.connection.ca_file.clear();
    secure.connection.verify_tls = false;
    PoolMiner careless(secure, clock, wiring());
    careless.start();
    EXPECT_TRUE(events.wait("reply 0", 6));
    careless.stop();
    std::filesystem::remove(certificate);
}

TEST_F(PoolMinerTest, StopsWithoutHavingStarted) {
    PoolMiner miner(settings(1), clock, {});
    miner.stop();
    miner.start();
    EXPECT_EQ(miner.stats().hashes, 0U);
}

}  // namespace
}  // namespace adit::miner
