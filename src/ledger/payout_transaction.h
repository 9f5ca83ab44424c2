// The transactions of a payout: which coins they spend, what they cost, and whether what a wallet
// signed is what was decided. Sizes are upper bounds, so that the fee rate is never below what was
// asked for. Pure.
#pragma once

#include "ledger/journal.h"
#include "ledger/wallet.h"
#include "share/money_records.h"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace adit::ledger {

// Replaceable by a higher fee (BIP125), without a lock time.
inline constexpr std::uint32_t kReplaceable = 0xfffffffd;
// No payout is larger, in virtual bytes.
inline constexpr std::int64_t kMaxPayoutSize = 100'000;
// What the outputs of one payout may take of it; the rest is for inputs.
inline constexpr std::int64_t kMaxOutputsSize = 70'000;

// Virtual bytes (BIP141) of a transaction, and of one output.
std::int64_t virtual_size(const chain::Transaction& transaction);
std::int64_t output_size(base::ByteSpan script);

struct PayoutOutput {
    base::Bytes script;
    Amount value;
};
std::vector<PayoutOutput> outputs_of(std::span<const share::Payee> payees);

struct FundingRequest {
    std::vector<Coin> first;  // spent in any case, in this order; the anchor is the first
    std::vector<Coin> more;   // added as needed, largest first
    std::vector<PayoutOutput> outputs;
    base::Bytes change_script;
    std::int64_t fee_rate = 1'000;  // satoshis per 1,000 virtual bytes, at least
    Amount min_fee;                 // and at least so much in total
};

struct Funding {
    std::vector<Coin> coins;  // the inputs
    Amount fee;               // never below rate and minimum
    Amount change;            // zero: none (it would be dust, and is part of the fee)
    std::int64_t size = 0;    // virtual bytes, at most
};

struct Shortage {
    Amount missing;          // so much more is needed; zero: the transaction would be too large
    bool too_large = false;  // it takes more coins than fit into one payout
    std::string text() const;
};

std::expected<Funding, Shortage> fund(const FundingRequest& request);

// Not signed: the anchor's input first, then the outputs in their order, change last.
chain::Transaction build_payout(const Funding& funding, std::span<const PayoutOutput> outputs,
                                const base::Bytes& change_script);

// What is wrong with a transaction of this payout; nullopt: it spends the anchor, pays each payee
// its exact amount, in their order, and nobody else but the wallet itself.
std::optional<std::string> fault_of(const chain::Transaction& transaction,
                                    const chain::OutPoint& anchor,
                                    std::span<const share::Payee> payees,
                                    base::ByteSpan change_script);

// Every payee has an output of its own with its exact amount, in any order, whatever else it pays.
bool pays_all(const chain::Transaction& transaction, std::span<const share::Payee> payees);
bool spends(const chain::Transaction& transaction, const chain::OutPoint& outpoint);

// BIP125: a replacement pays for its own relay on top of what it replaces.
struct BumpedFee {
    std::int64_t fee_rate = 0;  // satoshis per 1,000 virtual bytes
    Amount min_fee;
};
// At least a quarter more than before and what the node asks for; nullopt: that is above the bound.
std::optional<BumpedFee> bump(Amount last_fee, std::int64_t last_size, std::int64_t wanted_rate,
                              std::int64_t max_rate);

}  // namespace adit::ledger
