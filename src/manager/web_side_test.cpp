#include "manager/web_side.h"

#include "auth/accounts_testing.h"
#include "http/walk_testing.h"
#include "manager/block_ledger_testing.h"

#include <gtest/gtest.h>

namespace adit::manager {
namespace {

using auth::Role;

class WebRoutesTest : public auth::testing::AccountsTest {
 protected:
    WebRoutesTest() : events_({}, registry_), router_(*accounts_) {
        parts_.operations = {{"look", "Looks", [this](const auto& params, const auto& limits) {
                                  return look(params, limits);
                              }}};
        parts_.health = [this]() -> Outcome<HealthReport> {
            if (health_) return *health_;
            return std::unexpected(OperationRefusal{RefusalKind::wrong_state, "it is starting"});
        };
        parts_.pool_status = [] { return std::string("{}"); };
        routes_ = web_routes(parts_, *accounts_, events_, registry_, false, clock_);
        for (const auto& route : routes_)
            router_.add(route);
    }
    Outcome<std::string> look(const std::string& params, const CallLimits& limits) {
        EXPECT_GT(limits.deadline_ms, clock_.steady_ms());
        if (refusal_) return std::unexpected(*refusal_);
        return params;
    }
    std::string token_of(Role role) {
        const std::string name = "walker-" + std::string(auth::name_of(role));
        make(name, role);
        return logged_in(name).access;
    }
    http::Response ask(std::string_view method, std::string_view path, std::string_view token,
                       std::string body = {}) {
        http::Request request;
        request.body = std::move(body);
        if (!token.empty()) {
            request.headers.emplace_back("Authorization", fmt::format("Bearer {}", token));
        }
        return router_.handle(method, path, std::move(request));
    }

    testing::BlockLedger books_;
    WebParts parts_{{}, {}, {}, books_, books_};
    http::EventHub events_;
    http::Router router_;
    std::vector<http::Route> routes_;
    std::optional<HealthReport> health_;
    std::optional<OperationRefusal> refusal_;
};

TEST_F(WebRoutesTest, EveryRouteIsOpenToWhoMayUseItAndToNobodyElse) {
    // The audience of a role, asked for anew each time: some routes end the session.
    http::Walk walk;
    const std::array roles{Role::miner, Role::operator_, Role::admin};
    std::vector<std::string> keys;
    for (const auto role : roles) {
        const auto name = "walker-" + std::string(auth::name_of(role));
        const auto who = make(name, role);
        // Keys outlive a logout, but carry no own account and no users: see the next test.
        auto scopes = auth::Permissions::of(role);
        auto carried = auth::Permissions();
        for (const auto one : {auth::Permission::own_earnings, auth::Permission::view_pool,
                               auth::Permission::view_money, auth::Permission::operate_pool,
                               auth::Permission::operate_payouts}) {
            if (scopes.allows(one)) carried.add(one);
        }
        const auto key = accounts_->create_api_key(who, "walk", carried, 0);
        ASSERT_TRUE(key) << key.error().text;
        walk.good.push_back({key->key, carried});
    }
    walk.bad = "nobody";
    walk.ask = [this](std::string_view method, std::string_view target, http::Fields headers) {
        http::Request request;
        request.headers = std::move(headers);
        return router_.handle(method, target, std::move(request));
    };
    EXPECT_THAT(http::walk_routes(routes_, walk), ::testing::IsEmpty());
    EXPECT_GT(routes_.size(), 20U);
}

TEST_F(WebRoutesTest, TokensReachWhatKeysCannot) {
    const auto miner = token_of(Role::miner);
    const auto admin = token_of(Role::admin);
    for (const auto& route : routes_) {
        if (route.permission != auth::Permission::own_account &&
            route.permission != auth::Permission::manage_users) {
            continue;
        }
        const auto target = http::walk_target(route, {});
        const auto method = http::name_of(route.method);
        EXPECT_EQ(ask(method, target, "").status, 401U) << target;
        const auto status = ask(method, target, miner).status;
        if (route.permission == auth::Permission::manage_users) {
            EXPECT_EQ(status, 403U) << target;
        } else {
            EXPECT_NE(status, 403U) << target;
        }
        if (route.pattern.find("logout") != std::string::npos) break;  // ends the walk's session
    }
    EXPECT_EQ(ask("GET", "/api/v1/users", admin).status, 200U);
}

TEST_F(WebRoutesTest, AnOperationsRefusalBecomesAStatus) {
    const auto admin = token_of(Role::admin);
    const auto ok = ask("POST", "/api/v1/manager/look", admin, R"({"a":1})");
    EXPECT_EQ(ok.status, 200U);
    EXPECT_EQ(ok.body, R"({"a":1})");
    EXPECT_EQ(ask("POST", "/api/v1/manager/look", admin).body, "{}");
    const std::pair<RefusalKind, unsigned> rows[] = {
        {RefusalKind::bad_request, 400}, {RefusalKind::wrong_state, 409},
        {RefusalKind::deadline, 503},    {RefusalKind::cancelled, 503},
        {RefusalKind::unavailable, 503}, {RefusalKind::failed, 500}};
    for (const auto& [kind, status] : rows) {
        refusal_ = OperationRefusal{kind, "a sentence"};
        const auto answer = ask("POST", "/api/v1/manager/look", admin);
        EXPECT_EQ(answer.status, status);
        EXPECT_EQ(answer.body, fmt::format(R"({{"error":{{"code":"{}","message":"a sentence"}}}})",
                                           name_of(kind)));
    }
}

TEST_F(WebRoutesTest, HealthSaysTheWordToEverybody) {
    EXPECT_EQ(ask("GET", "/api/v1/health", "").status, 503U);  // it is starting
    const std::tuple<HealthState, unsigned, const char*> rows[] = {
        {HealthState::healthy, 200, R"({"status":"healthy"})"},
        {HealthState::degraded, 200, R"({"status":"degraded"})"},
        {HealthState::unhealthy, 503, R"({"status":"unhealthy"})"}};
    for (const auto& [state, status, body] : rows) {
        health_.emplace().state = state;
        const auto answer = ask("GET", "/api/v1/health", "");
        EXPECT_EQ(answer.status, status);
        EXPECT_EQ(answer.body, body);
    }
}

}  // namespace
}  // namespace adit::manager
