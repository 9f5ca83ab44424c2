#include "http/server.h"

#include "base/wait.h"
#include "http/server_fixture.h"
#include "http/standard_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::http {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ServerTest : public ServerFixture {};

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
    add_echo();
    start();
    RawClient client(address_);
    for (int i = 0; i < 3; ++i) {
        const auto answer = client.get("/hello");
        EXPECT_EQ(answer.status, 200U);
        EXPECT_EQ(answer.body, "\"hello\"");
        EXPECT_EQ(answer.header("Connection"), "");
    }
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345");
    EXPECT_EQ(client.read_answer().body, "12345");
    client.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
        "0\r\n\r\n");
    EXPECT_EQ(client.read_answer().body, "abcde");
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(client.read_answer().header("Connection"), "close");
    EXPECT_TRUE(client.at_end());
    RawClient old(address_);
    old.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(old.read_answer().status, 200U);
    EXPECT_TRUE(old.at_end());
}

TEST_F(ServerTest, SendsSecurityHeadersAndNoVersion) {
    add_echo();
    start();
    RawClient client(address_);
    for (const auto* target : {"/hello", "/nothing"}) {
        const auto answer = client.get(target);
        EXPECT_EQ(answer.header("server"), "Adit");
        EXPECT_EQ(answer.header("x-content-type-options"), "nosniff");
        EXPECT_EQ(answer.header("x-frame-options"), "DENY");
        EXPECT_EQ(answer.header("cache-control"), "no-store");
        EXPECT_THAT(answer.header("content-security-policy"), HasSubstr("default-src 'none'"));
        EXPECT_EQ(answer.header("content-type"), "application/json");
        EXPECT_THAT(std::string(answer.header("date")), testing::EndsWith(" GMT"));
    }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
    add_echo();
    start();
    RawClient client(address_);
    std::string many;
    for (int i = 0; i < 100; ++i)
        many += fmt::format("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{:04}", i);
    client.send(many);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(client.read_answer().body, fmt::format("{:04}", i));
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
    add_echo();
    start();
    RawClient client(address_);
    client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto answer = client.read_answer(false);
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.header("content-length"), "7");
    EXPECT_EQ(client.get("/hello").body, "\"hello\"");
    client.send("HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(client.read_answer(false).status, 404U);
    EXPECT_EQ(client.get("/hello").body, "\"hello\"");
}

TEST_F(ServerTest, RefusesWhatIsMalformed) {
    add_echo();
    start();
    struct Row {
        const char* request;
        unsigned status;
        const char* code;
    };
    const Row rows[] = {
        {"\x16\x03\x01\x02 not http\r\n\r\n", 400, "bad_request"},
        {"GET /hello\r\n\r\n", 400, "bad_request"},
        {"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 400, "bad_request"},
        {"GET /hello HTTP/1.1\r\n\r\n", 400, "bad_host"},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_host"},
        {"GET /hello HTTP/1.1\r\nHost a\r\n\r\n", 400, "bad_request"},
        {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"},
        {"GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, "bad_request"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400,
         "bad_request"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n",
         400, "bad_request"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400,
         "bad_request"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", 417,
         "expectation"},
        {"PUT /echo HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_not_allowed"},
        {"BREW /echo HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_not_allowed"},
        {"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not_found"},
    };
    for (const auto& row : rows) {
        RawClient client(address_);
        client.send(row.request);
        client.finish_sending();
        const auto answer = client.read_answer();
        EXPECT_EQ(answer.status, row.status) << row.request;
        EXPECT_THAT(answer.body, StartsWith(fmt::format(R"({{"error":{{"code":"{}",)", row.code)))
            << row.request;
        EXPECT_TRUE(client.at_end()) << row.request;
    }
    RawClient client(address_);
    EXPECT_EQ(client.get("/hello").status, 200U);
}

TEST_F(ServerTest, RefusesHeadersThatAreTooLarge) {
    add_echo();
    start();
    RawClient endless(address_);
    endless.send("GET /hello HTTP/1.1\r\nHost: a\r\n");
    // It may stop reading, and reset, at any point behind the limit.
    for (int i = 0; i < 1'000 && endless.send(fmt::format("X-{}: {}\r\n", i, std::string(90, 'x')));
         ++i) {
    }
    EXPECT_EQ(endless.read_answer().status, 431U);
    RawClient line(address_);
    line.send("GET /" + std::string(20'000, 'a'));
    EXPECT_EQ(line.read_answer().status, 431U);
    RawClient fields(address_);
    std::string many = "GET /hello HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 200; ++i)
        many += "A: b\r\n";
    fields.send(many + "\r\n");
    EXPECT_EQ(fields.read_answer().status, 431U);
    EXPECT_EQ(rejected("header_size"), 3U);
}

TEST_F(ServerTest, RefusesBodiesThatAreTooLarge) {
    settings_.max_body_bytes = 1'000;
    add_echo();
    start();
    RawClient fits(address_);
    fits.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" +
              std::string(1'000, 'x'));
    EXPECT_EQ(fits.read_answer().body.size(), 1'000U);
    // Announced, and refused before it is sent.
    RawClient announced(address_);
    announced.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n");
    EXPECT_EQ(announced.read_answer().status, 413U);
    EXPECT_TRUE(announced.at_end());
    // Sent all the same: the answer still arrives.
    RawClient sent(address_);
    sent.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" +
              std::string(300'000, 'x'));
    EXPECT_EQ(sent.read_answer().status, 413U);
    RawClient chunked(address_);
    chunked.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
                 std::string(2'000, 'x') + "\r\n0\r\n\r\n");
    EXPECT_EQ(chunked.read_answer().status, 413U);
}

TEST_F(ServerTest, AsksForABodyOnlyWhenItWillReadIt) {
    add(
        Method::post, "/secret", [](const Request&) { return json_response("{}"); },
        auth::Permission::manage_users);
    add_echo();
    start();
    RawClient stranger(address_);
    stranger.send(
        "POST /secret HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    EXPECT_EQ(stranger.read_answer().status, 401U);
    RawClient client(address_);
    client.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("12345");
    EXPECT_EQ(client.read_answer().body, "12345");
}

TEST_F(ServerTest, GivesUpOnRequestsThatDoNotArrive) {
    settings_.header_timeout = std::chrono::milliseconds(100);
    settings_.body_timeout = std::chrono::milliseconds(100);
    settings_.idle_timeout = std::chrono::milliseconds(100);
    add_echo();
    start();
    RawClient silent(address_);
    EXPECT_EQ(silent.read_all(), "");
    RawClient header(address_);
    header.send("GET /hello HTTP/1.1\r\nHo");
    EXPECT_EQ(header.read_answer().status, 408U);
    EXPECT_TRUE(header.at_end());
    RawClient body(address_);
    body.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12");
    EXPECT_EQ(body.read_answer().status, 408U);
    EXPECT_TRUE(body.at_end());
    RawClient idle(address_);
    EXPECT_EQ(idle.get("/hello").status, 200U);
    EXPECT_TRUE(idle.at_end());
    EXPECT_EQ(rejected("header_timeout"), 1U);
    EXPECT_EQ(rejected("body_timeout"), 1U);
}

TEST_F(ServerTest, CutsOffWhoDoesNotReadItsAnswer) {
    settings_.write_timeout = std::chrono::milliseconds(20);
    add(Method::get, "/large",
        [](const Request&) { return json_response(std::string(20'000'000, 'x')); });
    start();
    RawClient client(address_, 4'096);
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(base::wait_until(clock_, clock_.steady_ms() + 20'000, [&] {
        return registry_
                   .counter("adit_http_slow_readers_total",
                            "Peers that did not read their answer in time")
                   .value() == 1;
    }));
    EXPECT_LT(client.read_all().size(), 20'000'000U);
}

TEST_F(ServerTest, LimitsRequestsOfAnAddress) {
    settings_.rate = {.per_s = 0.001, .burst = 3};
    add_echo();
    start();
    RawClient client(address_);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(client.get("/hello").status, 200U);
    const auto answer = client.get("/hello");
    EXPECT_EQ(answer.status, 429U);
    EXPECT_NE(answer.header("Retry-After"), "");
    EXPECT_EQ(rejected("rate"), 1U);
    RawClient another(address_);
    EXPECT_EQ(another.get("/hello").status, 429U);
}

TEST_F(ServerTest, BelievesOnlyTrustedProxiesAboutAddresses) {
    settings_.rate = {.per_s = 0.001, .burst = 1};
    add(Method::get, "/peer",
        [](const Request& request) { return json_response(request.peer.ip_text()); });
    const auto ask = [this](std::string_view forwarded) {
        RawClient client(address_);
        client.send(
            fmt::format("GET /peer HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {}\r\n\r\n", forwarded));
        return client.read_answer();
    };
    start();
    EXPECT_EQ(ask("192.0.2.1").body, "127.0.0.1");
    EXPECT_EQ(ask("192.0.2.2").status, 429U);
    server_.reset();
    settings_.trusted_proxies = {"127.0.0.1"};
    start();
    // What stands before the last address came from the client.
    EXPECT_EQ(ask("203.0.113.9, 192.0.2.1").body, "192.0.2.1");
    EXPECT_EQ(ask("203.0.113.8,192.0.2.1").status, 429U);
    EXPECT_EQ(ask("203.0.113.7\r\nX-Forwarded-For: 192.0.2.1").status, 429U);
    EXPECT_EQ(ask("2001:db8::1").body, "2001:db8::1");
    EXPECT_EQ(ask("nonsense").body, "127.0.0.1");
    EXPECT_EQ(ask("").status, 429U);
}

TEST_F(ServerTest, LimitsChosenRoutesMoreStrictly) {
    settings_.strict_rate = {.per_s = 0.001, .burst = 2};
    add_echo();
    router_.add({.method = Method::post,
                 .pattern = "/login",
                 .permission = auth::Permission::anyone,
                 .summary = "For a test.",
                 .strict_rate = true,
                 .handler = [](const Request&) { return json_response("{}"); }});
    start();
    RawClient client(address_);
    const auto log_in = [&] {
        client.send("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        return client.read_answer();
    };
    EXPECT_EQ(log_in().status, 200U);
    EXPECT_EQ(log_in().status, 200U);
    EXPECT_EQ(log_in().status, 429U);
    EXPECT_EQ(client.get("/hello").status, 200U);
    EXPECT_EQ(rejected("strict_rate"), 1U);
}

TEST_F(ServerTest, LimitsRequestsOfAConnection) {
    settings_.max_requests_per_connection = 2;
    add_echo();
    start();
    RawClient client(address_);
    EXPECT_EQ(client.get("/hello").header("connection"), "");
    EXPECT_EQ(client.get("/hello").header("connection"), "close");
    EXPECT_TRUE(client.at_end());
}

TEST_F(ServerTest, TurnsConnectionsAwayWhenThereAreTooMany) {
    settings_.max_connections = 20;
    add_echo();
    start();
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 20; ++i) {
        clients.push_back(std::make_unique<RawClient>(address_));
        EXPECT_EQ(clients.back()->get("/hello").status, 200U);
    }
    EXPECT_EQ(open_connections(), 20);
    RawClient refused(address_);
    const auto answer = refused.read_answer();
    EXPECT_EQ(answer.status, 503U);
    EXPECT_TRUE(answer.body.starts_with('{') && answer.body.ends_with("\"}}"));
    EXPECT_TRUE(refused.at_end());
    EXPECT_EQ(rejected("max_connections"), 1U);
    for (auto& client : clients)
        EXPECT_EQ(client->get("/hello").status, 200U);
    clients.clear();
    EXPECT_TRUE(base::wait_until(clock_, clock_.steady_ms() + 20'000,
                                 [&] { return open_connections() == 0; }));
    RawClient later(address_);
    EXPECT_EQ(later.get("/hello").status, 200U);
}

TEST_F(ServerTest, LimitsConnectionsOfAnAddress) {
    settings_.max_connections_per_address = 2;
    add_echo();
    start();
    RawClient first(address_);
    RawClient second(address_);
    EXPECT_EQ(first.get("/hello").status, 200U);
    EXPECT_EQ(second.get("/hello").status, 200U);
    RawClient third(address_);
    EXPECT_EQ(third.read_answer().status, 503U);
    EXPECT_EQ(rejected("per_address"), 1U);
}

TEST_F(ServerTest, CountsWhatItAnswers) {
    add_echo();
    router_.add(metrics_route(registry_));
    start();
    RawClient client(address_);
    client.get("/hello");
    client.get("/made-up-1");
    client.get("/made-up-2");
    client.send("BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(client.read_answer().status, 405U);
    const auto answer = client.get("/metrics", "operator");
    EXPECT_EQ(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    const auto& text = answer.body;
    EXPECT_THAT(
        text, HasSubstr(R"(adit_http_requests_total{method="GET",route="/hello",status="200"} 1)"));
    EXPECT_THAT(text,
                HasSubstr(R"(adit_http_requests_total{method="GET",route="none",status="404"} 2)"));
    EXPECT_THAT(
        text, HasSubstr(R"(adit_http_requests_total{method="other",route="none",status="405"} 1)"));
    EXPECT_THAT(text, HasSubstr("adit_http_connections 1"));
    EXPECT_THAT(text, HasSubstr("adit_http_request_ms_count 4"));
    EXPECT_THAT(text, Not(HasSubstr("made-up")));
    EXPECT_EQ(client.get("/metrics").status, 401U);
    EXPECT_EQ(client.get("/metrics", "miner").status, 403U);
}

}  // namespace
}  // namespace adit::http
