#include "sim/tx_rules.h"

#include "chain/script.h"
#include "sim/script_rules.h"

#include <set>

namespace adit::sim {
namespace {

constexpr std::uint32_t kLockTimeThreshold = 500'000'000;  // below: a height, else a time
constexpr std::uint32_t kSequenceFinal = 0xffffffff;
constexpr std::uint32_t kSequenceDisabled = 1U << 31;
constexpr std::uint32_t kSequenceIsTime = 1U << 22;
constexpr std::uint32_t kSequenceMask = 0xffff;
constexpr unsigned kSequenceGranularity = 9;  // 512 s
constexpr std::size_t kMinCoinbaseScript = 2;
constexpr std::size_t kMaxCoinbaseScript = 100;

bool in_money_range(std::int64_t value) {
    return value >= 0 && value <= kMaxMoney;
}

Verdict check_outputs(const chain::Transaction& transaction) {
    std::int64_t total = 0;
    for (const auto& output : transaction.outputs) {
        if (output.value_sat < 0) return Verdict::bad_txns_vout_negative;
        if (output.value_sat > kMaxMoney) return Verdict::bad_txns_vout_toolarge;
        total += output.value_sat;
        if (!in_money_range(total)) return Verdict::bad_txns_txouttotal_toolarge;
    }
    return Verdict::accepted;
}

std::vector<const chain::TxOutput*> spent_outputs(const chain::Transaction& transaction,
                                                  const CoinSource& coins) {
    std::vector<const chain::TxOutput*> spent;
    if (transaction.is_coinbase()) return spent;
    for (const auto& input : transaction.inputs) {
        spent.push_back(&coins.find(input.previous)->output);
    }
    return spent;
}

}  // namespace

Verdict check_transaction(const chain::Transaction& transaction) {
    if (transaction.inputs.empty()) return Verdict::bad_txns_vin_empty;
    if (transaction.outputs.empty()) return Verdict::bad_txns_vout_empty;
    if (transaction.serialize_without_witness().size() * kWitnessScale > kMaxBlockWeight) {
        return Verdict::bad_txns_oversize;
    }
    if (const auto verdict = check_outputs(transaction); verdict != Verdict::accepted) {
        return verdict;
    }
    std::set<chain::OutPoint> seen;
    for (const auto& input : transaction.inputs) {
        if (!seen.insert(input.previous).second) return Verdict::bad_txns_inputs_duplicate;
    }
    if (transaction.is_coinbase()) {
        const auto size = transaction.inputs[0].script.size();
        return size < kMinCoinbaseScript || size > kMaxCoinbaseScript ? Verdict::bad_cb_length
                                                                      : Verdict::accepted;
    }
    for (const auto& input : transaction.inputs) {
        if (input.previous.is_null()) return Verdict::bad_txns_prevout_null;
    }
    return Verdict::accepted;
}

bool is_final(const chain::Transaction& transaction, std::int32_t height, std::uint32_t time) {
    if (transaction.lock_time == 0) return true;
    const auto reference =
        transaction.lock_time < kLockTimeThreshold ? static_cast<std::uint32_t>(height) : time;
    if (transaction.lock_time < reference) return true;
    return std::ranges::all_of(transaction.inputs, [](const chain::TxInput& input) {
        return input.sequence == kSequenceFinal;
    });
}

bool sequence_locks_met(const chain::Transaction& transaction, const CoinSource& coins,
                        std::int32_t height, const MedianTimeAt& median_time_at) {
    // Version 2 and up; the field is read as unsigned.
    if (static_cast<std::uint32_t>(transaction.version) < 2) return true;
    for (const auto& input : transaction.inputs) {
        if ((input.sequence & kSequenceDisabled) != 0) continue;
        const auto coin_height = coins.find(input.previous)->height;
        const auto amount = input.sequence & kSequenceMask;
        if ((input.sequence & kSequenceIsTime) != 0) {
            const std::uint64_t since = median_time_at(std::max(coin_height - 1, 0));
            const auto unlocked = since + (std::uint64_t{amount} << kSequenceGranularity);
            if (median_time_at(height - 1) < unlocked) return false;
        } else if (std::int64_t{coin_height} + amount > height) {
            return false;
        }
    }
    return true;
}

std::expected<std::int64_t, Verdict> check_inputs(const chain::Transaction& transaction,
                                                  const CoinSource& coins, std::int32_t height,
                                                  std::int32_t coinbase_maturity) {
    for (const auto& input : transaction.inputs) {
        if (coins.find(input.previous) == nullptr) {
            return std::unexpected(Verdict::bad_txns_inputs_missingorspent);
        }
    }
    std::int64_t in = 0;
    for (const auto& input : transaction.inputs) {
        const auto* coin = coins.find(input.previous);
        if (coin->coinbase && height - coin->height < coinbase_maturity) {
            return std::unexpected(Verdict::bad_txns_premature_spend_of_coinbase);
        }
        in += coin->output.value_sat;
        if (!in_money_range(coin->output.value_sat) || !in_money_range(in)) {
            return std::unexpected(Verdict::bad_txns_inputvalues_outofrange);
        }
    }
    std::int64_t out = 0;
    for (const auto& output : transaction.outputs)
        out += output.value_sat;
    if (in < out) return std::unexpected(Verdict::bad_txns_in_belowout);
    return in - out;
}

std::int64_t dust_threshold_sat(base::ByteSpan script) {
    if (is_unspendable(script)) return 0;
    constexpr std::int64_t kDustSatPerVbyte = 3;
    // An input that spends it: outpoint, sequence and lengths, and the signature with its key.
    const std::int64_t input = chain::is_witness_program(script) ? 67 : 148;
    // Value and length; scripts of addresses need one byte for the length.
    const std::int64_t output = 9 + static_cast<std::int64_t>(script.size());
    return kDustSatPerVbyte * (input + output);
}

bool signals_replacement(const chain::Transaction& transaction) {
    return std::ranges::any_of(transaction.inputs, [](const chain::TxInput& input) {
        return input.sequence <= kReplaceableSequence;
    });
}

bool check_scripts(const chain::Transaction& transaction, const CoinSource& coins, bool segwit) {
    const auto spent = spent_outputs(transaction, coins);
    for (std::size_t i = 0; i < spent.size(); ++i) {
        if (!verify_spend(transaction, i, *spent[i], segwit)) return false;
    }
    return true;
}

std::int64_t sigop_cost_of(const chain::Transaction& transaction, const CoinSource& coins,
                           bool segwit) {
    return sigop_cost(transaction, spent_outputs(transaction, coins), segwit);
}

}  // namespace adit::sim
