// Adds inputs and change to a transaction so that it pays its outputs and its fee, as Bitcoin
// Core's fundrawtransaction does; and signs a wallet's inputs. Used on the chain's thread.
#pragma once

#include "sim/sim_wallet.h"

#include <expected>
#include <functional>

namespace adit::sim {

struct FundingOptions {
    std::int64_t sat_per_kvb = 1'000;
    bool add_inputs = true;  // false: those that are there must do
    bool include_unsafe = false;
    std::int32_t min_depth = 0;
    std::int32_t max_depth = std::numeric_limits<std::int32_t>::max();
    std::optional<base::Bytes> change_script;    // else a new one of the wallet
    std::optional<std::size_t> change_position;  // else it depends on the inputs
    bool replaceable = true;                     // of the inputs that are added (BIP125)
    std::vector<std::size_t> subtract_fee_from;  // outputs that bear the fee in equal parts
};

struct Funded {
    chain::Transaction transaction;  // not signed
    std::int64_t fee_sat = 0;
    std::optional<std::size_t> change_position;  // nullopt: no change
};

enum class FundingProblem {
    insufficient_funds,
    preset_inputs_too_small,  // and no others were allowed
    unknown_input,            // an input spends an output that does not exist
    foreign_input,            // an input spends an output that is not the wallet's
    output_is_dust,
    output_cannot_bear_fee,
    output_is_dust_after_fee,
    fee_too_high,  // above kMaxWalletFeeSat
    too_heavy,     // above what the mempool takes
};
// Bitcoin Core's words; for the two kinds of wrong inputs without the outpoint.
std::string_view describe(FundingProblem problem);

// Bitcoin Core's maxtxfee: no wallet pays more for one transaction.
inline constexpr std::int64_t kMaxWalletFeeSat = 10'000'000;

// The transaction has outputs; its inputs stay and keep their sequence numbers. Locked coins are
// not chosen. Change takes a key of the wallet, also when the funding fails.
std::expected<Funded, FundingProblem> fund_transaction(SimWallet& wallet, const SimChain& chain,
                                                       chain::Transaction transaction,
                                                       const FundingOptions& options);

struct SigningFailure {
    std::size_t input = 0;
    std::string_view reason;
};

// The output that an input spends; nullopt: it is not known.
using FindOutput = std::function<std::optional<chain::TxOutput>(const chain::OutPoint& outpoint)>;

// Signs every input whose key the wallet has; tells of the inputs that are not validly signed
// afterwards. `segwit`: BIP141 is in force.
std::vector<SigningFailure> sign_transaction(const SimWallet& wallet,
                                             chain::Transaction& transaction,
                                             const FindOutput& find_output, bool segwit);

}  // namespace adit::sim
