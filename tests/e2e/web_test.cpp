// The pool over HTTP as a program or a person on another machine meets it: real sockets, real
// accounts, a real pool behind.
#include "net/line_client.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pool.h"
#include "tests/support/wait.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace adit::tests {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

constexpr int kPatienceMs = 60'000;

struct Answer {
    int status = 0;
    std::string head;
    std::string body;
    Json json() const { return Json::parse(body, nullptr, false); }
};

class Web : public ::testing::Test {
 protected:
    Web() {
        PoolSetup setup;
        setup.data_dir = dir_.path() / "data";
        setup.nodes = {login_of(*node_)};
        setup.extra = "[http]\nlisten = \"127.0.0.1:0\"\n";
        pool_.emplace(setup);
    }
    Answer ask(const std::string& method, const std::string& path, const Json& body = {},
               const std::string& token = {}) {
        const auto endpoint = net::Endpoint::parse(pool_->manager().http_address());
        auto client = net::LineClient::connect(*endpoint, kPatienceMs);
        if (!client) throw std::runtime_error(std::string(describe(client.error().error)));
        const auto text = body.is_null() ? std::string() : body.dump();
        auto request =
            fmt::format("{} {} HTTP/1.1\r\nHost: pool\r\nConnection: close\r\n", method, path);
        if (!token.empty()) request += fmt::format("Authorization: Bearer {}\r\n", token);
        request += fmt::format("Content-Length: {}\r\n\r\n{}", text.size(), text);
        (void)(*client)->send_bytes(request, kPatienceMs);
        const auto reply = (*client)->receive_rest(kPatienceMs);
        if (!reply) throw std::runtime_error(std::string(describe(reply.error().error)));
        Answer answer;
        const auto end = reply->find("\r\n\r\n");
        answer.head = reply->substr(0, end);
        answer.body = reply->substr(end + 4);
        answer.status = std::stoi(answer.head.substr(9, 3));
        return answer;
    }
    // As the log said once.
    std::string admin_password() const {
        const auto log = pool_->log_text();
        const auto at = log.find("password=");
        return log.substr(at + 9, log.find_first_of(" \n", at) - at - 9);
    }
    std::string log_in(const std::string& name, const std::string& password) {
        const auto answer =
            ask("POST", "/api/v1/auth/login", {{"name", name}, {"password", password}});
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json().value("access", "");
    }

    SimHost node_;
    TempDir dir_;
    std::optional<TestPool> pool_;
};

TEST_F(Web, HealthIsForEverybodyAndItsDetailsForWhoMaySeeThem) {
    ASSERT_TRUE(eventually([&] {
        return ask("GET", "/api/v1/health").body == R"({"status":"healthy"})";
    })) << pool_->log_text();
    const auto token = log_in("admin", admin_password());
    const auto details = ask("GET", "/api/v1/health", {}, token).json();
    EXPECT_EQ(details.at("details").at("parts").at(0).at("part"), "stratum");
    // The manager's operation is the same thing, probed now.
    const auto probed = ask("POST", "/api/v1/manager/health", Json::object(), token);
    EXPECT_EQ(probed.status, 200);
    EXPECT_EQ(probed.json().at("status"), "healthy") << probed.body;
    EXPECT_EQ(ask("POST", "/api/v1/manager/health", {{"chached", true}}, token).status, 400);
    EXPECT_EQ(ask("POST", "/api/v1/manager/health").status, 401);
    const auto metrics =
        ask("POST", "/api/v1/manager/metrics", {{"series", {"adit_health"}}}, token).json();
    EXPECT_EQ(metrics.at("series").at(0).at("name"), "adit_health") << metrics;
    EXPECT_EQ(ask("GET", "/api/v1/status", {}, token).json().at("nodes"), 1);
    EXPECT_THAT(ask("GET", "/metrics", {}, token).body,
                HasSubstr("adit_health_part{part=\"log\"}"));
    EXPECT_EQ(ask("GET", "/metrics").status, 401);
    EXPECT_TRUE(pool_->stop());
}

TEST_F(Web, PeopleLogInWorkWithinTheirRoleAndLogOut) {
    const auto admin = log_in("admin", admin_password());
    const std::string password = "correct horse battery";
    ASSERT_EQ(ask("POST", "/api/v1/users",
                  {{"name", "olga"}, {"password", password}, {"role", "operator"}}, admin)
                  .status,
              201);
    const auto olga = log_in("olga", password);
    EXPECT_EQ(ask("GET", "/api/v1/status", {}, olga).status, 200);
    const auto refused = ask("POST", "/api/v1/manager/health", Json::object(), olga);
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(refused.body, HasSubstr("operate_pool"));
    EXPECT_EQ(ask("GET", "/api/v1/users", {}, olga).status, 403);

    // A key for a program, with less than its owner may.
    const auto key =
        ask("POST", "/api/v1/auth/keys", {{"name", "prometheus"}, {"scopes", {"view_pool"}}}, olga);
    ASSERT_EQ(key.status, 201) << key.body;
    EXPECT_EQ(ask("GET", "/metrics", {}, key.json().at("key")).status, 200);
    EXPECT_EQ(ask("GET", "/api/v1/auth/me", {}, key.json().at("key")).status, 403);

    EXPECT_EQ(ask("POST", "/api/v1/auth/logout", Json::object(), olga).status, 200);
    EXPECT_EQ(ask("GET", "/api/v1/status", {}, olga).status, 401);
    const auto events = ask("GET", "/api/v1/auth/events", {}, admin).json().at("events");
    EXPECT_GE(events.size(), 5U) << events;
    const auto wrong =
        ask("POST", "/api/v1/auth/login", {{"name", "olga"}, {"password", "wrong horse battery"}});
    EXPECT_EQ(wrong.status, 401);
    EXPECT_EQ(wrong.json().at("error").at("code"), "wrong_credentials");
    EXPECT_TRUE(pool_->stop());
    EXPECT_FALSE(pool_->logged(password));
}

}  // namespace
}  // namespace adit::tests
