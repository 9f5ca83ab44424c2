#include "sim/wallet_funding.h"

#include "base/check.h"
#include "chain/script.h"
#include "sim/coin_selection.h"
#include "sim/script_rules.h"
#include "sim/tx_rules.h"

#include <algorithm>

namespace adit::sim {
namespace {

constexpr std::size_t kSignatureSize = 72;  // the longest, with its hash type
constexpr std::size_t kKeySize = 33;
// Of an input and its witness, with signatures of the longest size.
constexpr std::size_t kP2wpkhInputWeight = 4 * 41 + 1 + 1 + kSignatureSize + 1 + kKeySize;
constexpr std::size_t kP2pkhInputWeight = 4 * (41 + 1 + kSignatureSize + 1 + kKeySize);
constexpr std::size_t kMaxStandardWeight = 400'000;
constexpr std::uint32_t kNotFinalSequence = 0xfffffffe;

std::int64_t fee_of(std::int64_t sat_per_kvb, std::size_t weight) {
    const auto vsize = static_cast<std::int64_t>((weight + 3) / 4);
    return (sat_per_kvb * vsize + 999) / 1'000;
}

// Script and witness as long as they will be at most.
void fill_placeholder(chain::TxInput& input, base::ByteSpan spent_script) {
    if (chain::is_witness_program(spent_script)) {
        input.witness = {base::Bytes(kSignatureSize), base::Bytes(kKeySize)};
    } else {
        input.script = base::Bytes(kSignatureSize + kKeySize + 2);
    }
}

// One funding under way.
class Funding {
 public:
    Funding(SimWallet& wallet, const SimChain& chain, chain::Transaction transaction,
            const FundingOptions& options)
        : wallet_(wallet), chain_(chain), options_(options), draft_(std::move(transaction)) {}

    std::expected<Funded, FundingProblem> run() {
        if (const auto problem = take_preset_inputs()) return std::unexpected(*problem);
        for (const auto& output : draft_.outputs) {
            paid_sat_ += output.value_sat;
            if (output.value_sat < dust_threshold_sat(output.script)) {
                return std::unexpected(FundingProblem::output_is_dust);
            }
        }
        change_script_ =
            options_.change_script ? *options_.change_script : wallet_.new_change_script();
        if (const auto problem = add_inputs()) return std::unexpected(*problem);
        return finish();
    }

 private:
    bool outputs_bear_fee() const { return !options_.subtract_fee_from.empty(); }

    std::optional<FundingProblem> take_preset_inputs() {
        for (auto& input : draft_.inputs) {
            const auto* output = wallet_.own_output(input.previous);
            if (output == nullptr) {
                const MempoolCoins view(chain_.coins(), chain_.mempool(), SpentInMempool::present);
                return view.find(input.previous) == nullptr ? FundingProblem::unknown_input
                                                            : FundingProblem::foreign_input;
            }
            chosen_sat_ += output->value_sat;
            input.witness.clear();
            input.script.clear();
            fill_placeholder(input, output->script);
        }
        return std::nullopt;
    }

    chain::Transaction with_change(std::int64_t change_sat) const {
        auto result = draft_;
        result.outputs.push_back({change_sat, change_script_});
        return result;
    }

    // What the draft lacks to pay its outputs and its fee without change; at most 0: nothing.
    std::int64_t missing_sat() const {
        const auto fee = outputs_bear_fee() ? 0 : fee_of(options_.sat_per_kvb, draft_.weight());
        return paid_sat_ + fee - chosen_sat_;
    }

    std::optional<FundingProblem> add_inputs() {
        if (missing_sat() <= 0 && !draft_.inputs.empty()) return std::nullopt;
        if (!options_.add_inputs) return FundingProblem::preset_inputs_too_small;
        // Coins in blocks first; what waits in the mempool only when these do not suffice.
        for (const auto depth : {std::max(1, options_.min_depth), options_.min_depth}) {
            if (choose(depth)) return std::nullopt;
        }
        return FundingProblem::insufficient_funds;
    }

    bool choose(std::int32_t min_depth) {
        const auto coins = wallet_.coins(chain_);
        std::vector<SelectableCoin> candidates;
        for (std::size_t i = 0; i < coins.size(); ++i) {
            const auto& coin = coins[i];
            const bool preset = std::ranges::any_of(
                draft_.inputs, [&](const auto& input) { return input.previous == coin.outpoint; });
            if (preset || coin.locked || !coin.mature || coin.depth < min_depth ||
                coin.depth > options_.max_depth || (!coin.safe && !options_.include_unsafe)) {
                continue;
            }
            const auto weight = chain::is_witness_program(coin.output.script) ? kP2wpkhInputWeight
                                                                              : kP2pkhInputWeight;
            candidates.push_back(
                {.index = i,
                 .value_sat = coin.output.value_sat,
                 .fee_sat = outputs_bear_fee() ? 0 : fee_of(options_.sat_per_kvb, weight)});
        }
        // The first input brings the witness marker, and many inputs a longer count: then the sum
        // falls short by some satoshis and is raised.
        auto target = std::max<std::int64_t>(missing_sat(), 1);
        const auto before = draft_.inputs.size();
        const auto chosen_before = chosen_sat_;
        while (true) {
            const auto chosen = select_coins(candidates, target);
            if (!chosen) return false;
            for (const auto index : *chosen)
                add(coins[index]);
            const auto missing = missing_sat();
            if (missing <= 0) return true;
            target += missing;
            draft_.inputs.resize(before);
            chosen_sat_ = chosen_before;
        }
    }

    void add(const WalletCoin& coin) {
        auto& input = draft_.inputs.emplace_back();
        input.previous = coin.outpoint;
        input.sequence = options_.replaceable ? kReplaceableSequence : kNotFinalSequence;
        fill_placeholder(input, coin.output.script);
        chosen_sat_ += coin.output.value_sat;
    }

    std::expected<Funded, FundingProblem> finish() {
        const auto fee_with_change = fee_of(options_.sat_per_kvb, with_change(0).weight());
        const auto spare = chosen_sat_ - paid_sat_;
        const auto change = outputs_bear_fee() ? spare : spare - fee_with_change;
        Funded result;
        const bool has_change = change >= dust_threshold_sat(change_script_) && change > 0;
        result.fee_sat = spare;
        result.transaction = draft_;
        const auto fee_without = fee_of(options_.sat_per_kvb, draft_.weight());
        if (has_change) result.fee_sat = fee_with_change;
        if (outputs_bear_fee()) {
            // Without change the rest counts towards the fee.
            result.fee_sat = has_change ? fee_with_change : std::max(spare, fee_without);
            const auto borne = has_change ? fee_with_change : result.fee_sat - spare;
            if (const auto problem = subtract(result.transaction, borne)) {
                return std::unexpected(*problem);
            }
        }
        if (has_change) {
            const auto place = change_place();
            const auto at = result.transaction.outputs.begin() + static_cast<std::ptrdiff_t>(place);
            result.transaction.outputs.insert(at, {change, change_script_});
            result.change_position = place;
        }
        if (result.fee_sat > kMaxWalletFeeSat) {
            return std::unexpected(FundingProblem::fee_too_high);
        }
        if (result.transaction.weight() > kMaxStandardWeight) {
            return std::unexpected(FundingProblem::too_heavy);
        }
        for (auto& input : result.transaction.inputs) {
            input.script.clear();
            input.witness.clear();
        }
        return result;
    }

    // Anywhere, as Bitcoin Core's random place, but the same for the same inputs.
    std::size_t change_place() const {
        if (options_.change_position) return *options_.change_position;
        std::size_t sum = 0;
        for (const auto& input : draft_.inputs)
            sum += input.previous.txid.bytes[0] + input.previous.index;
        return sum % (draft_.outputs.size() + 1);
    }

    std::optional<FundingProblem> subtract(chain::Transaction& transaction,
                                           std::int64_t fee_sat) const {
        const auto parts = static_cast<std::int64_t>(options_.subtract_fee_from.size());
        bool first = true;
        for (const auto index : options_.subtract_fee_from) {
            auto& output = transaction.outputs[index];
            // The first bears what does not divide.
            output.value_sat -= fee_sat / parts + (first ? fee_sat % parts : 0);
            first = false;
            if (output.value_sat < 0) return FundingProblem::output_cannot_bear_fee;
            if (output.value_sat < dust_threshold_sat(output.script)) {
                return FundingProblem::output_is_dust_after_fee;
            }
        }
        return std::nullopt;
    }

    SimWallet& wallet_;
    const SimChain& chain_;
    const FundingOptions& options_;
    chain::Transaction draft_;  // without change, inputs with placeholders
    base::Bytes change_script_;
    std::int64_t paid_sat_ = 0;    // by its outputs
    std::int64_t chosen_sat_ = 0;  // by its inputs
};

}  // namespace

std::string_view describe(FundingProblem problem) {
    switch (problem) {
        case FundingProblem::insufficient_funds:
            return "Insufficient funds";
        case FundingProblem::preset_inputs_too_small:
            return "The preselected coins total amount does not cover the transaction target. "
                   "Please allow other inputs to be automatically selected or include more coins "
                   "manually";
        case FundingProblem::unknown_input:
            return "Unable to find UTXO for external input";
        case FundingProblem::foreign_input:
            return "Not solvable pre-selected input";
        case FundingProblem::output_is_dust:
            return "Transaction amount too small";
        case FundingProblem::output_cannot_bear_fee:
            return "The transaction amount is too small to pay the fee";
        case FundingProblem::output_is_dust_after_fee:
            return "The transaction amount is too small to send after the fee has been deducted";
        case FundingProblem::fee_too_high:
            return "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
        case FundingProblem::too_heavy:
            return "Transaction too large";
    }
    return {};
}

std::expected<Funded, FundingProblem> fund_transaction(SimWallet& wallet, const SimChain& chain,
                                                       chain::Transaction transaction,
                                                       const FundingOptions& options) {
    ADIT_CHECK(!transaction.outputs.empty(), "a transaction to fund pays somebody");
    return Funding(wallet, chain, std::move(transaction), options).run();
}

std::vector<SigningFailure> sign_transaction(const SimWallet& wallet,
                                             chain::Transaction& transaction,
                                             const FindOutput& find_output, bool segwit) {
    std::vector<SigningFailure> failures;
    for (std::size_t i = 0; i < transaction.inputs.size(); ++i) {
        const auto spent = find_output(transaction.inputs[i].previous);
        if (!spent) {
            failures.push_back({i, "Input not found or already spent"});
            continue;
        }
        const auto* key = wallet.key_of(spent->script);
        if (key != nullptr) key->sign(transaction, i, *spent);
        if (!verify_spend(transaction, i, *spent, segwit)) {
            failures.push_back(
                {i, "Unable to sign input, invalid stack size (possibly missing key)"});
        }
    }
    return failures;
}

}  // namespace adit::sim
