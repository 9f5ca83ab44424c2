#include "ledger/payout_transaction.h"

#include "ledger/payout_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace adit::ledger {
namespace {

constexpr std::int64_t kWitnessScale = 4;  // BIP141
// Version, lock time and two counts of up to five bytes, marker and flag.
constexpr std::int64_t kOverheadWeight = kWitnessScale * (4 + 4 + 5 + 5) + 2;
// Outpoint, empty script and sequence.
constexpr std::int64_t kInputWeight = kWitnessScale * (32 + 4 + 1 + 4);
// P2WPKH: count, signature of at most 72 bytes and key of 33, each with its length. P2TR by key
// takes less.
constexpr std::int64_t kWitnessWeight = 1 + 1 + 72 + 1 + 33;
constexpr std::int64_t kRatePer = 1'000;
constexpr std::int64_t kRelayRate = 1'000;  // Bitcoin Core's incremental relay fee

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
}

std::int64_t script_length_size(std::size_t size) {
    return size < 0xfd ? 1 : 3;
}

std::int64_t size_of(std::size_t inputs, std::int64_t outputs_size) {
    const auto weight = kOverheadWeight +
                        static_cast<std::int64_t>(inputs) * (kInputWeight + kWitnessWeight) +
                        outputs_size * kWitnessScale;
    return ceil_div(weight, kWitnessScale);
}

Amount fee_of(std::int64_t size, const FundingRequest& request) {
    return std::max(Amount::of(ceil_div(size * request.fee_rate, kRatePer)), request.min_fee);
}

bool is_better(const Coin& a, const Coin& b) {
    return a.value != b.value ? a.value > b.value : a.outpoint < b.outpoint;
}

// With these coins; nullopt: they do not suffice.
std::optional<Funding> try_coins(const FundingRequest& request, std::span<const Coin> coins,
                                 Amount wanted, std::int64_t outputs_size) {
    Amount sum;
    for (const auto& coin : coins)
        sum += coin.value;
    Funding funding;
    funding.size = size_of(coins.size(), outputs_size + output_size(request.change_script));
    funding.fee = fee_of(funding.size, request);
    if (sum >= wanted + funding.fee + dust_limit(request.change_script)) {
        funding.change = sum - wanted - funding.fee;
    } else {
        funding.size = size_of(coins.size(), outputs_size);
        if (sum < wanted + fee_of(funding.size, request)) return std::nullopt;
        funding.fee = sum - wanted;
    }
    funding.coins.assign(coins.begin(), coins.end());
    return funding;
}

}  // namespace

std::int64_t virtual_size(const chain::Transaction& transaction) {
    return ceil_div(static_cast<std::int64_t>(transaction.weight()), kWitnessScale);
}

std::int64_t output_size(base::ByteSpan script) {
    return 8 + script_length_size(script.size()) + static_cast<std::int64_t>(script.size());
}

std::vector<PayoutOutput> outputs_of(std::span<const share::Payee> payees) {
    std::vector<PayoutOutput> outputs;
    outputs.reserve(payees.size());
    for (const auto& payee : payees)
        outputs.push_back({payee.script, Amount::of(payee.output_sat)});
    return outputs;
}

std::string Shortage::text() const {
    return too_large ? fmt::format(
                           "the wallet's coins are too small: more of them are needed than "
                           "fit into {} virtual bytes; send them together to one output",
                           kMaxPayoutSize)
                     : fmt::format("{} BTC are missing", missing.btc());
}

std::expected<Funding, Shortage> fund(const FundingRequest& request) {
    Amount wanted;
    std::int64_t outputs_size = 0;
    for (const auto& output : request.outputs) {
        wanted += output.value;
        outputs_size += output_size(output.script);
    }
    auto coins = request.first;
    auto more = request.more;
    std::ranges::sort(more, is_better);
    const auto largest = size_of(0, outputs_size + output_size(request.change_script));
    const auto per_input = size_of(1, 0) - size_of(0, 0) + 1;
    const auto most =
        static_cast<std::size_t>(std::max<std::int64_t>(0, (kMaxPayoutSize - largest) / per_input));
    for (auto next = more.begin();; ++next) {
        if (coins.size() > most) return std::unexpected(Shortage{Amount{}, true});
        if (auto funding = try_coins(request, coins, wanted, outputs_size)) {
            return std::move(*funding);
        }
        if (next == more.end()) break;
        coins.push_back(*next);
    }
    Amount sum;
    for (const auto& coin : coins)
        sum += coin.value;
    const auto needed = wanted + fee_of(size_of(coins.size(), outputs_size), request);
    return std::unexpected(Shortage{needed - sum, false});
}

chain::Transaction build_payout(const Funding& funding, std::span<const PayoutOutput> outputs,
                                const base::Bytes& change_script) {
    chain::Transaction transaction;
    transaction.version = 2;
    for (const auto& coin : funding.coins) {
        chain::TxInput input;
        input.previous = coin.outpoint;
        input.sequence = kReplaceable;
        transaction.inputs.push_back(std::move(input));
    }
    for (const auto& output : outputs)
        transaction.outputs.push_back({output.value.sat(), output.script});
    if (!funding.change.is_zero()) {
        transaction.outputs.push_back({funding.change.sat(), change_script});
    }
    return transaction;
}

bool spends(const chain::Transaction& transaction, const chain::OutPoint& outpoint) {
    return std::ranges::any_of(transaction.inputs, [&](const chain::TxInput& input) {
        return input.previous == outpoint;
    });
}

bool pays_all(const chain::Transaction& transaction, std::span<const share::Payee> payees) {
    std::map<std::pair<base::Bytes, std::int64_t>, std::int64_t> outputs;
    for (const auto& output : transaction.outputs)
        ++outputs[{output.script, output.value_sat}];
    return std::ranges::all_of(payees, [&](const share::Payee& payee) {
        return outputs[{payee.script, payee.output_sat}]-- > 0;
    });
}

std::optional<std::string> fault_of(const chain::Transaction& transaction,
                                    const chain::OutPoint& anchor,
                                    std::span<const share::Payee> payees,
                                    base::ByteSpan change_script) {
    if (!spends(transaction, anchor)) return "it does not spend the payout's anchor";
    const auto& outputs = transaction.outputs;
    if (outputs.size() < payees.size()) return "it does not pay every payee";
    for (std::size_t i = 0; i < payees.size(); ++i) {
        if (outputs[i].value_sat != payees[i].output_sat || outputs[i].script != payees[i].script) {
            return fmt::format("its output {} is not what {} is to be paid", i, payees[i].account);
        }
    }
    if (outputs.size() > payees.size() + 1) return "it pays more than its payees and the wallet";
    if (outputs.size() == payees.size() + 1 &&
        !std::ranges::equal(outputs.back().script, change_script)) {
        return "its change does not go back to the wallet";
    }
    return std::nullopt;
}

std::optional<BumpedFee> bump(Amount last_fee, std::int64_t last_size, std::int64_t wanted_rate,
                              std::int64_t max_rate) {
    const auto last_rate =
        ceil_div(last_fee.sat() * kRatePer, std::max<std::int64_t>(last_size, 1));
    const auto least = last_rate + std::max(last_rate / 4, kRelayRate);
    if (least > max_rate) return std::nullopt;
    BumpedFee bumped;
    bumped.fee_rate = std::clamp(wanted_rate, least, max_rate);
    bumped.min_fee = last_fee + Amount::of(ceil_div(last_size * kRelayRate, kRatePer));
    return bumped;
}

}  // namespace adit::ledger
