#include "manager/web_side.h"

#include "auth/accounts.h"
#include "auth/claim_message.h"
#include "http/standard_routes.h"
#include "manager/auth_routes.h"
#include "manager/manager_json.h"
#include "store/sql_auth_store.h"

#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace adit::manager {
namespace {

constexpr std::chrono::milliseconds kDrain{1'000};
constexpr std::chrono::seconds kClaimsEvery{30};
// Most that an operation takes over HTTP.
constexpr std::chrono::milliseconds kOperationTime{60'000};

http::HealthStatus status_of(HealthState state) {
    switch (state) {
        case HealthState::healthy:
            return http::HealthStatus::healthy;
        case HealthState::degraded:
        case HealthState::unknown:
            return http::HealthStatus::degraded;
        case HealthState::unhealthy:
            return http::HealthStatus::unhealthy;
    }
    return http::HealthStatus::degraded;
}

http::Health health_of(const Outcome<HealthReport>& report) {
    if (!report) return {http::HealthStatus::unhealthy, refusal_json(report.error())};
    return {status_of(report->state), health_json(*report)};
}

unsigned status_of(RefusalKind kind) {
    switch (kind) {
        case RefusalKind::bad_request:
            return 400;
        case RefusalKind::wrong_state:
            return 409;
        case RefusalKind::deadline:
        case RefusalKind::cancelled:
        case RefusalKind::unavailable:
            return 503;
        case RefusalKind::failed:
            return 500;
    }
    return 500;
}

http::Route operation_route(const Operation& operation, const base::Clock& clock) {
    http::Route route;
    route.method = http::Method::post;
    route.pattern = "/api/v1/manager/" + operation.name;
    std::ranges::replace(route.pattern, '.', '/');
    route.permission = auth::Permission::operate_pool;
    route.summary = operation.summary;
    route.slow = true;
    route.timeout = kOperationTime;
    route.handler = [run = operation.run, &clock](const http::Request& request) {
        const auto params = request.body.empty() ? std::string("{}") : request.body;
        auto result = run(params, {clock.steady_ms() + kOperationTime.count(), request.stop});
        if (result) return http::json_response(std::move(*result));
        return http::json_response(refusal_json(result.error()), status_of(result.error().kind));
    };
    return route;
}

http::Route simple_route(std::string pattern, std::string summary, http::Handler handler) {
    http::Route route;
    route.pattern = std::move(pattern);
    route.permission = auth::Permission::view_pool;
    route.summary = std::move(summary);
    route.handler = std::move(handler);
    return route;
}

auth::AccountSettings account_settings(const Config& config) {
    auth::AccountSettings settings;
    settings.pool_name = config.pool.name;
    settings.network = config.pool.chain;
    return settings;
}

http::ServerSettings server_settings(const HttpConfig& config) {
    http::ServerSettings settings;
    settings.listen = {config.listen};
    settings.trusted_proxies = config.trusted_proxies;
    // A proxy's connections are everybody's.
    if (!config.trusted_proxies.empty()) settings.max_connections_per_address = 0;
    return settings;
}

}  // namespace

std::vector<http::Route> web_routes(const WebParts& parts, auth::AuthService& accounts,
                                    http::EventHub& events, const metrics::Registry& registry,
                                    bool public_metrics, const base::Clock& clock) {
    auto routes = auth_routes(accounts);
    routes.push_back(http::health_route([health = parts.health] { return health_of(health()); }));
    routes.push_back(http::metrics_route(
        registry, public_metrics ? auth::Permission::anyone : auth::Permission::view_pool));
    routes.push_back(simple_route("/api/v1/status", "The pool at a glance",
                                  [status = parts.pool_status](const http::Request&) {
                                      return http::json_response(status());
                                  }));
    routes.push_back(simple_route(
        "/api/v1/events", "Alerts as they happen, as server-sent events",
        [&events](const http::Request& request) { return events.subscribe(request, {"alert"}); }));
    for (const auto& operation : parts.operations)
        routes.push_back(operation_route(operation, clock));
    return routes;
}

class WebSide::Core {
 public:
    Core(const Config& config, WebParts parts, std::unique_ptr<store::SqlAuthStore> store,
         metrics::Registry& registry, const base::Clock& clock, base::Logger& logger)
        : parts_(std::move(parts)),
          clock_(clock),
          logger_(logger),
          store_(std::move(store)),
          events_({}, registry),
          config_(config.http) {}

    std::expected<void, std::string> start(const auth::AccountSettings& settings,
                                           metrics::Registry& registry) {
        auto opened = auth::Accounts::open(settings, *store_, clock_, registry, logger_);
        if (!opened) return std::unexpected(std::move(opened.error()));
        accounts_ = std::move(*opened);
        router_ = std::make_unique<http::Router>(*accounts_);
        for (auto& route :
             web_routes(parts_, *accounts_, events_, registry, config_.public_metrics, clock_))
            router_->add(std::move(route));
        server_ = std::make_unique<http::Server>(server_settings(config_), *router_, clock_,
                                                 registry, logger_);
        if (auto started = server_->start(); !started) return started;
        logger_.info("http", "listening", {{"address", server_->address().text()}});
        if (const auto admin = accounts_->first_admin()) {
            logger_.warning("auth", "the first user was made; its password is shown this once",
                            {{"name", admin->name}, {"password", admin->password}});
        }
        claims_ = std::jthread([this](std::stop_token stop) { loop(std::move(stop)); });
        return {};
    }

    void stop() {
        claims_.request_stop();
        if (claims_.joinable()) claims_.join();
        events_.close();
        if (server_) server_->stop(kDrain);
    }

    void publish(std::string_view topic, std::string_view json) { events_.publish(topic, json); }
    net::Address address() const { return server_->address(); }
    auth::AuthService& accounts() { return *accounts_; }

 private:
    void loop(std::stop_token stop) {
        while (!stop.stop_requested()) {
            apply_claims();
            if (const auto tidied = accounts_->tidy(); !tidied) {
                logger_.warning("auth", "the accounts cannot be tidied up",
                                {{"why", tidied.error().text}});
            }
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, kClaimsEvery, [] { return false; });
        }
    }

    // What owners of addresses have claimed and whose hold time is over goes into the log.
    void apply_claims() {
        const auto due = accounts_->due_changes(clock_.wall_ms());
        if (!due) return;
        for (const auto& change : *due) {
            const auto settings = settings_with(change);
            if (!settings) {
                logger_.warning("auth", "a claimed setting cannot be applied yet",
                                {{"address", change.address}, {"why", settings.error()}});
                continue;
            }
            if (const auto recorded = parts_.sink.record(*settings); !recorded) {
                logger_.warning("auth", "a claimed setting cannot be recorded yet",
                                {{"address", change.address}, {"why", recorded.error()}});
                return;
            }
            (void)accounts_->settle_change(change.id, auth::ChangeState::applied, "");
            logger_.info("auth", "a claimed setting is in force",
                         {{"address", change.address},
                          {"setting", change.setting},
                          {"value", change.value}});
        }
    }

    ledger::Stored<share::SettingsRecord> settings_with(const auth::PendingChange& change) const {
        const auto before = parts_.reader.settings_of(change.address);
        if (!before) return std::unexpected(before.error());
        auto settings = before->value_or(share::SettingsRecord{});
        settings.account = change.address;
        settings.at_wall_ms = clock_.wall_ms();
        std::int64_t value = 0;
        const auto end = change.value.data() + change.value.size();
        if (std::from_chars(change.value.data(), end, value).ptr != end) {
            return std::unexpected(fmt::format("\"{}\" is no number", change.value));
        }
        if (change.setting == auth::name_of(auth::Setting::threshold)) {
            settings.threshold_sat = value;
        } else if (change.setting == auth::name_of(auth::Setting::donation)) {
            settings.donation_ppm = static_cast<std::uint32_t>(value);
        } else {
            return std::unexpected(fmt::format("nothing knows \"{}\"", change.setting));
        }
        return settings;
    }

    const WebParts parts_;
    const base::Clock& clock_;
    base::Logger& logger_;
    std::unique_ptr<store::SqlAuthStore> store_;
    http::EventHub events_;
    const HttpConfig config_;
    std::unique_ptr<auth::Accounts> accounts_;
    std::unique_ptr<http::Router> router_;
    std::unique_ptr<http::Server> server_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread claims_;
};

WebSide::WebSide(std::unique_ptr<Core> core) : core_(std::move(core)) {}

WebSide::~WebSide() {
    stop();
}

std::expected<std::unique_ptr<WebSide>, std::string> WebSide::open(
    const Config& config, const std::filesystem::path& data_dir, WebParts parts,
    metrics::Registry& registry, const base::Clock& clock, base::Logger& logger) {
    auto store = store::SqlAuthStore::open(store::auth_database(config.store.ledger, data_dir));
    if (!store) return std::unexpected(std::move(store.error()));
    auto core = std::make_unique<Core>(config, std::move(parts), std::move(*store), registry, clock,
                                       logger);
    if (auto started = core->start(account_settings(config), registry); !started) {
        core->stop();
        return std::unexpected(std::move(started.error()));
    }
    return std::unique_ptr<WebSide>(new WebSide(std::move(core)));
}

void WebSide::stop() {
    core_->stop();
}

void WebSide::publish(std::string_view topic, std::string_view json) {
    core_->publish(topic, json);
}

net::Address WebSide::address() const {
    return core_->address();
}

auth::AuthService& WebSide::accounts() {
    return core_->accounts();
}

}  // namespace adit::manager
