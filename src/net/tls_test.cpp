#include "net/tls.h"

#include "net/test_server.h"
#include "net/webhook_sender.h"

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace adit::net {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

// A directory with self-signed certificates for 127.0.0.1, removed at the end.
class TlsTest : public testing::Test {
 protected:
    TlsTest() {
        std::string name = (std::filesystem::temp_directory_path() / "adit-tls-XXXXXX").string();
        directory_ = mkdtemp(name.data());
        write_certificate("a");
    }
    ~TlsTest() override { std::filesystem::remove_all(directory_); }

    std::string path(const std::string& name) const { return (directory_ / name).string(); }

    void write_certificate(const std::string& name) const {
        EVP_PKEY* const key = EVP_EC_gen("P-256");
        X509* const certificate = X509_new();
        X509_set_version(certificate, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_set_pubkey(certificate, key);
        auto* const subject = X509_get_subject_name(certificate);
        const auto* const common = reinterpret_cast<const unsigned char*>(name.c_str());
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, common, -1, -1, 0);
        X509_set_issuer_name(certificate, subject);
        for (const auto& [id, value] : {std::pair{NID_subject_alt_name, "IP:127.0.0.1"},
                                        std::pair{NID_basic_constraints, "CA:TRUE"}}) {
            X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
            X509_add_ext(certificate, extension, -1);
            X509_EXTENSION_free(extension);
        }
        X509_sign(certificate, key, EVP_sha256());
        std::FILE* file = std::fopen(path(name + ".crt").c_str(), "w");
        PEM_write_X509(file, certificate);
        std::fclose(file);
        file = std::fopen(path(name + ".key").c_str(), "w");
        PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(file);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }

    ConnectionSettings settings() const {
        ConnectionSettings out;
        auto context = TlsContext::server(path("a.crt"), path("a.key"));
        EXPECT_TRUE(context) << (context ? "" : context.error());
        if (context) out.tls = *context;
        out.max_output = 64 << 20;
        return out;
    }
    LineClient::Options trusting(const std::string& ca) const {
        auto context = TlsContext::client(true, path(ca));
        EXPECT_TRUE(context) << (context ? "" : context.error());
        return {.tls = *context};
    }

    std::filesystem::path directory_;
};

TEST_F(TlsTest, EchoesToAClientThatVerifiesTheCertificate) {
    TestServer server(settings());
    const auto client = server.connect(trusting("a.crt"));
    ASSERT_TRUE(client);
    ASSERT_TRUE(client->send_bytes("hello\nwor", kTestTimeoutMs));
    EXPECT_EQ(client->receive_line(kTestTimeoutMs), "echo hello");
    ASSERT_TRUE(client->send_bytes("ld\n", kTestTimeoutMs));
    EXPECT_EQ(client->receive_line(kTestTimeoutMs), "echo world");
    EXPECT_EQ(server.metrics.accepted.value(), 1u);
}

TEST_F(TlsTest, ServesManyRecordsAndLinesBeyondATurnsBudget) {
    TestServer server(settings());
    const auto client = server.connect(trusting("a.crt"));
    std::string text;
    for (int i = 0; i < 20'000; ++i)
        text += fmt::format("{}\n", i);  // 109 kB in records of 16 KiB
    ASSERT_TRUE(client->send_bytes(text, kTestTimeoutMs));
    for (int i = 0; i < 20'000; ++i) {
        ASSERT_EQ(client->receive_line(kTestTimeoutMs), fmt::format("echo {}", i));
    }
}

TEST_F(TlsTest, WritesWhatTheSocketDoesNotTakeAtOnce) {
    TestServer server(settings());
    const auto client = server.connect(trusting("a.crt"));
    ASSERT_TRUE(client->send_bytes("flood 10000000\nflood 10000000\nquit\n", kTestTimeoutMs));
    const auto rest = client->receive_rest(kTestTimeoutMs);
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->size(), 20'000'000 + 4u);
    EXPECT_TRUE(rest->ends_with("xbye\n"));
    ASSERT_TRUE(server.handler().wait_closed(1));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::server);
}

TEST_F(TlsTest, SendNowGoesThroughTls) {
    TestServer server(settings());
    const auto client = server.connect(trusting("a.crt"));
    ASSERT_TRUE(server.handler().wait_opened(1));
    server.on_loop([&] {
        server.loop().for_each([](Connection& connection) {
            EXPECT_TRUE(connection.encrypted());
            connection.send_now("set ", "notify\n");
        });
    });
    EXPECT_EQ(client->receive_line(kTestTimeoutMs), "set notify");
}

TEST_F(TlsTest, APeerThatEndsIsClosed) {
    TestServer server(settings());
    auto client = server.connect(trusting("a.crt"));
    ASSERT_TRUE(client->send_line("last", kTestTimeoutMs));
    client->shutdown_send();
    EXPECT_EQ(client->receive_line(kTestTimeoutMs), "echo last");
    ASSERT_TRUE(server.handler().wait_closed(1));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::peer);
}

TEST_F(TlsTest, RefusesACertificateThatIsNotTrusted) {
    write_certificate("b");
    TestServer server(settings());
    const auto client =
        LineClient::connect({"127.0.0.1", server.port()}, kTestTimeoutMs, trusting("b.crt"));
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().error, LineClient::Error::tls);
    EXPECT_THAT(client.error().detail, HasSubstr("certificate"));
    server.on_loop([] {});
    const auto unverified = TlsContext::client(false);
    ASSERT_TRUE(unverified);
    const auto other = server.connect({.tls = *unverified});
    ASSERT_TRUE(other);
    ASSERT_TRUE(other->send_line("hello", kTestTimeoutMs));
    EXPECT_EQ(other->receive_line(kTestTimeoutMs), "echo hello");
}

TEST_F(TlsTest, APlainClientFailsTheHandshake) {
    TestServer server(settings());
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("{\"id\":1,\"method\":\"mining.subscribe\"}", kTestTimeoutMs));
    const auto rest = client->receive_rest(kTestTimeoutMs);  // perhaps an alert, then the end
    EXPECT_TRUE(!rest || rest->size() < 16);
    server.on_loop([] {});
    EXPECT_THAT(server.handler().opened(), SizeIs(0));
    EXPECT_EQ(server.metrics.closes(CloseReason::handshake_failed).value(), 1u);
}

TEST_F(TlsTest, AHandshakeMustEndInTime) {
    TestServer server(settings());
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes("\x16\x03\x01", kTestTimeoutMs));
    server.on_loop([] {});
    server.advance_ms(12'000);
    const auto line = client->receive_line(kTestTimeoutMs);
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().error, LineClient::Error::reset);
    EXPECT_EQ(server.metrics.closes(CloseReason::timeout).value(), 1u);
}

TEST_F(TlsTest, AProxyHeaderComesBeforeTheHandshake) {
    auto with_proxy = settings();
    with_proxy.proxy_protocol = true;
    TestServer server(with_proxy);
    // The header and the first TLS record in one packet, as balancers send them.
    const auto context = TlsContext::client(true, path("a.crt"));
    ASSERT_TRUE(context);
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes("PROXY TCP4 192.0.2.1 198.51.100.7 4 2\r\n", kTestTimeoutMs));
    ASSERT_TRUE(client->start_tls(*context, "127.0.0.1", kTestTimeoutMs));
    ASSERT_TRUE(client->send_line("hello", kTestTimeoutMs));
    EXPECT_EQ(client->receive_line(kTestTimeoutMs), "echo hello");
    EXPECT_EQ(server.handler().opened()[0].second.text(), "192.0.2.1:4");
}

TEST_F(TlsTest, AReloadServesNewConnectionsWithTheNewCertificate) {
    const auto used = settings();
    TestServer server(used);
    const auto old = server.connect(trusting("a.crt"));
    ASSERT_TRUE(old);
    std::filesystem::copy(path("a.crt"), path("old.crt"));
    write_certificate("a");
    ASSERT_TRUE(used.tls->reload());
    const auto fresh = server.connect(trusting("a.crt"));
    ASSERT_TRUE(fresh);
    EXPECT_FALSE(
        LineClient::connect({"127.0.0.1", server.port()}, kTestTimeoutMs, trusting("old.crt")));
    ASSERT_TRUE(old->send_line("still", kTestTimeoutMs));
    EXPECT_EQ(old->receive_line(kTestTimeoutMs), "echo still");
    // A broken file changes nothing.
    std::ofstream(path("a.crt")) << "nonsense";
    const auto failed = used.tls->reload();
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error(), HasSubstr("a.crt: no PEM certificate"));
    const auto again = LineClient::connect({"127.0.0.1", server.port()}, kTestTimeoutMs,
                                           {.tls = *TlsContext::client(false)});
    EXPECT_TRUE(again);
}

TEST_F(TlsTest, NamesTheFileThatIsWrong) {
    write_certificate("b");
    std::ofstream(path("empty")) << "";
    struct Case {
        std::string certificate, key, words;
    };
    const Case cases[] = {
        {path("none"), path("a.key"), "none: cannot be read: No such file"},
        {path("a.crt"), path("none"), "none: cannot be read: No such file"},
        {path("empty"), path("a.key"), "empty: no PEM certificate"},
        {path("a.crt"), path("empty"), "empty: no PEM private key"},
        {path("a.crt"), path("b.key"), "b.key: "},
    };
    for (const auto& c : cases) {
        const auto context = TlsContext::server(c.certificate, c.key);
        ASSERT_FALSE(context) << c.words;
        EXPECT_THAT(context.error(), HasSubstr(c.words));
    }
}

// What a webhook sent to a server with this certificate is told.
WebhookOutcome send_webhook(TestServer& server, std::string ca_file) {
    base::SystemClock clock;
    metrics::Registry registry;
    base::Logger log(base::LogLevel::error, base::LogFormat::text, [](std::string_view) {});
    std::promise<WebhookOutcome> outcome;
    WebhookSettings settings;
    settings.attempts = 1;
    settings.ca_file = std::move(ca_file);
    WebhookTarget target;
    target.url = fmt::format("https://127.0.0.1:{}/", server.port());
    WebhookSender sender(settings, clock, registry, log);
    EXPECT_TRUE(sender.send(target, WebhookMessage(),
                            [&](const WebhookOutcome& result) { outcome.set_value(result); }));
    return outcome.get_future().get();
}

TEST_F(TlsTest, SendsNoWebhookToWhomNobodyVouchesFor) {
    write_certificate("other");
    TestServer server(settings());
    for (const auto& ca_file : {std::string(), path("other.crt")}) {
        const auto outcome = send_webhook(server, ca_file);
        EXPECT_FALSE(outcome.delivered);
        EXPECT_THAT(outcome.error, HasSubstr("certificate"));
    }
    EXPECT_TRUE(server.handler().lines().empty());
    // An echo is no answer, but the request was sent.
    EXPECT_THAT(send_webhook(server, path("a.crt")).error, Not(HasSubstr("certificate")));
    EXPECT_THAT(server.handler().lines(),
                testing::Contains(testing::StartsWith("POST / HTTP/1.1")));
}

}  // namespace
}  // namespace adit::net
