// Payouts from a node's wallet, put together from the configuration: whether it allows them, the
// payer's settings, and the payer with its wallet and its witnesses. Internal to the manager.
#pragma once

#include "ledger/payer.h"
#include "manager/config.h"
#include "manager/payout_desk.h"

#include <optional>
#include <string>

namespace adit::manager {

// Why pool.address cannot take the change of payouts; nullopt: it can, or no wallet pays.
std::optional<std::string> payout_address_fault(const Config& config);
// Why this pool pays nothing from a wallet, as an answer to who asks for it; empty: it does.
std::string why_no_payouts(const Config& config);
// The node that has the wallet: payout.node, or the first.
const NodeConfig& wallet_node(const Config& config);
ledger::PayerSettings payer_settings(const Config& config);
// What of [payout] changes while the pool runs.
PayoutConfig payout_of(const PayoutConfig& running, const PayoutConfig& wanted);

// A payer on the wallet of the node of this name; the error says that no node has it. Everything
// else that is handed in outlives the payer.
std::expected<std::unique_ptr<StoppablePayouts>, std::string> wallet_payouts(
    const Config& config, const std::string& node, ledger::LedgerReader& reader,
    ledger::FactSink& sink, metrics::Registry& registry, const base::Clock& clock,
    base::Logger& logger);

}  // namespace adit::manager
