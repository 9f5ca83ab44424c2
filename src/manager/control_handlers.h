// What the running pool does for the other adit commands: the methods of the control socket, their
// parameters checked strictly, their results as JSON (docs/operations.md lists them). Every request
// leaves a line in the log with what came of it, but for looks at a running workflow. The handlers
// run on the control socket's thread.
#pragma once

#include "chain/network.h"
#include "manager/control_socket.h"
#include "manager/health.h"
#include "manager/metrics_desk.h"
#include "manager/payout_desk.h"
#include "manager/workflow_desk.h"

#include <functional>
#include <string>
#include <string_view>

namespace adit::manager {

// What the handlers work on; all of it outlives them.
struct ControlDesk {
    PayoutDesk* payouts = nullptr;  // null: nothing is paid by a wallet
    std::string why_no_payouts;     // a sentence, when that is so
    ledger::LedgerReader& reader;
    ledger::FactSink& sink;
    const base::Clock& clock;
    base::Logger& logger;
    chain::Network network = chain::Network::main;
    std::function<std::int64_t()> threshold_sat;  // the pool's own, as of now
    // Whether an account has mined here or has a balance.
    std::function<ledger::Stored<bool>(std::string_view)> knows_account;
    std::function<std::string()> pool_status;  // JSON
    // Probes now when true, else as of the last probes.
    std::function<Outcome<HealthReport>(bool probe, std::stop_token)> health;
    std::function<Outcome<MetricsReport>(const MetricsQuery&)> metrics;
    WorkflowDesk* workflows = nullptr;
};

ControlHandlers control_handlers(ControlDesk desk);

}  // namespace adit::manager
