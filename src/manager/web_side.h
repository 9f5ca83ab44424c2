// The pool over HTTP: builds the accounts, the routes and the server from the configuration. Owns
// them, and one thread that applies settings which owners of addresses have claimed. start() and
// stop() are for the owner's thread; publish() is safe from any.
#pragma once

#include "auth/auth_service.h"
#include "http/events.h"
#include "http/server.h"
#include "ledger/journal.h"
#include "manager/config.h"
#include "manager/health.h"
#include "manager/operation_table.h"

#include <filesystem>
#include <memory>

namespace adit::manager {

struct WebParts {
    std::vector<Operation> operations;
    std::function<Outcome<HealthReport>()> health;  // as of the last probes
    std::function<std::string()> pool_status;       // JSON
    ledger::LedgerReader& reader;
    ledger::FactSink& sink;
};

class WebSide {
 public:
    // Opens the accounts and listens; the error is a sentence. The parts, registry, clock and
    // logger outlive it. The first start makes the user "admin" and says its password in the log,
    // once.
    static std::expected<std::unique_ptr<WebSide>, std::string> open(
        const Config& config, const std::filesystem::path& data_dir, WebParts parts,
        metrics::Registry& registry, const base::Clock& clock, base::Logger& logger);
    ~WebSide();  // stop()
    WebSide(const WebSide&) = delete;
    WebSide& operator=(const WebSide&) = delete;

    // Ends event streams, lets requests under way finish for a moment. Idempotent.
    void stop();
    // To everybody who listens to /api/v1/events.
    void publish(std::string_view topic, std::string_view json);
    net::Address address() const;
    auth::AuthService& accounts();

 private:
    class Core;
    explicit WebSide(std::unique_ptr<Core> core);
    std::unique_ptr<Core> core_;
};

// All routes, with the permission that each needs.
std::vector<http::Route> web_routes(const WebParts& parts, auth::AuthService& accounts,
                                    http::EventHub& events, const metrics::Registry& registry,
                                    bool public_metrics, const base::Clock& clock);

}  // namespace adit::manager
