// Asks one node whether the blocks and payouts of the ledger are in its best chain as the ledger
// says: the last step of an audit. Blocks like the client it uses.
#pragma once

#include "chain/network.h"
#include "ledger/book_comparison.h"
#include "node/rpc_client.h"

#include <expected>
#include <functional>

namespace adit::node {

struct ChainAuditSettings {
    std::string node;  // its name, for differences
    chain::Network network = chain::Network::main;
    std::int32_t payout_confirmations = 6;  // that a confirmed payout must have
    int timeout_ms = 10'000;                // of each call
};

struct ChainAuditCount {
    std::uint64_t blocks = 0;
    std::uint64_t payouts = 0;
};

// Confirmed and mature blocks must be in the best chain at their height, and their coinbase must
// have the value that was split and pay every account what the ledger says it has paid; orphaned
// ones must not be there. The transactions of confirmed and
// buried payouts must be in their blocks, deep enough. What is not so goes to `report`. An error, a
// sentence, when the ledger or the node cannot be read, or the node is not synchronised or on
// another chain: then the chain was not compared.
ledger::Stored<ChainAuditCount> compare_with_chain(
    RpcClient& client, const ChainAuditSettings& settings, ledger::LedgerReader& books,
    const std::function<void(ledger::AuditDifference)>& report);

}  // namespace adit::node
