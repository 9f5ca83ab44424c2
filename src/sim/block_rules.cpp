#include "sim/block_rules.h"

#include "chain/target.h"
#include "sim/script_rules.h"

#include <algorithm>

namespace adit::sim {
namespace {

constexpr std::size_t kReservedValueSize = 32;

std::size_t stripped_size(const chain::Block& block) {
    base::Bytes count;
    chain::append_compact_size(count, block.transactions.size());
    auto size = chain::kHeaderSize + count.size();
    for (const auto& transaction : block.transactions) {
        size += transaction.serialize_without_witness().size();
    }
    return size;
}

Verdict check_merkle_root(const chain::Block& block) {
    std::vector<chain::Hash256> txids;
    txids.reserve(block.transactions.size());
    for (const auto& transaction : block.transactions)
        txids.push_back(transaction.txid());
    bool mutated = false;
    const auto root = chain::merkle_root(std::move(txids), &mutated);
    if (root != block.header.merkle_root) return Verdict::bad_txnmrklroot;
    return mutated ? Verdict::bad_txns_duplicate : Verdict::accepted;
}

Verdict check_witness(const chain::Block& block, bool segwit) {
    const auto& coinbase = block.transactions.front();
    const auto commitment = segwit ? chain::witness_commitment_of(coinbase) : std::nullopt;
    if (commitment) {
        const auto& witness = coinbase.inputs[0].witness;
        if (witness.size() != 1 || witness[0].size() != kReservedValueSize) {
            return Verdict::bad_witness_nonce_size;
        }
        auto committed = base::Bytes{};
        base::append(committed, block.witness_merkle_root().bytes);
        base::append(committed, witness[0]);
        return chain::sha256d(committed) == *commitment ? Verdict::accepted
                                                        : Verdict::bad_witness_merkle_match;
    }
    const bool any = std::ranges::any_of(block.transactions, &chain::Transaction::has_witness);
    return any ? Verdict::unexpected_witness : Verdict::accepted;
}

}  // namespace

bool meets_own_bits(const chain::BlockHeader& header, std::uint32_t pow_limit_bits) {
    const auto target = chain::target_from_compact(header.bits);
    const auto limit = chain::target_from_compact(pow_limit_bits);
    return target && limit && *target <= *limit && target->met_by(header.hash());
}

Verdict check_block(const chain::Block& block, std::uint32_t pow_limit_bits, bool proof_of_work) {
    if (proof_of_work && !meets_own_bits(block.header, pow_limit_bits)) return Verdict::high_hash;
    if (const auto verdict = check_merkle_root(block); verdict != Verdict::accepted) return verdict;
    const auto& transactions = block.transactions;
    if (transactions.empty() || transactions.size() * kWitnessScale > kMaxBlockWeight ||
        stripped_size(block) * kWitnessScale > kMaxBlockWeight) {
        return Verdict::bad_blk_length;
    }
    if (!transactions.front().is_coinbase()) return Verdict::bad_cb_missing;
    for (std::size_t i = 1; i < transactions.size(); ++i) {
        if (transactions[i].is_coinbase()) return Verdict::bad_cb_multiple;
    }
    for (const auto& transaction : transactions) {
        const auto verdict = check_transaction(transaction);
        if (verdict != Verdict::accepted) return verdict;
    }
    std::int64_t sigops = 0;
    for (const auto& transaction : transactions)
        sigops += legacy_sigops(transaction);
    return sigops * kWitnessScale > kMaxBlockSigopCost ? Verdict::bad_blk_sigops
                                                       : Verdict::accepted;
}

BlockContext context_at(const SimParams& params, std::int32_t height) {
    BlockContext context;
    context.height = height;
    context.segwit = height >= params.segwit_height;
    context.csv = height >= params.csv_height;
    return context;
}

Verdict check_block_context(const chain::Block& block, const SimParams& params,
                            const BlockContext& context) {
    const auto lock_time_reference = context.csv ? context.median_time_past : block.header.time;
    for (const auto& transaction : block.transactions) {
        if (!is_final(transaction, context.height, lock_time_reference)) {
            return Verdict::bad_txns_nonfinal;
        }
    }
    if (context.height >= params.bip34_height) {
        const auto& script = block.transactions.front().inputs[0].script;
        const auto expected = chain::height_push(context.height);
        if (script.size() < expected.size() ||
            !std::equal(expected.begin(), expected.end(), script.begin())) {
            return Verdict::bad_cb_height;
        }
    }
    const auto verdict = check_witness(block, context.segwit);
    if (verdict != Verdict::accepted) return verdict;
    return block.weight() > kMaxBlockWeight ? Verdict::bad_blk_weight : Verdict::accepted;
}

Verdict check_connect(const chain::Block& block, const CoinSource& coins, const SimParams& params,
                      const BlockContext& context) {
    for (const auto& transaction : block.transactions) {
        const auto txid = transaction.txid();
        for (std::uint32_t i = 0; i < transaction.outputs.size(); ++i) {
            if (coins.find({txid, i}) != nullptr) return Verdict::bad_txns_bip30;
        }
    }
    CoinOverlay view(coins);
    std::int64_t fees = 0;
    std::int64_t sigops = 0;
    bool scripts_good = true;
    for (const auto& transaction : block.transactions) {
        if (!transaction.is_coinbase()) {
            const auto fee =
                check_inputs(transaction, view, context.height, params.coinbase_maturity);
            if (!fee) return fee.error();
            fees += *fee;
            if (fees > kMaxMoney) return Verdict::bad_txns_accumulated_fee_outofrange;
            if (context.csv &&
                !sequence_locks_met(transaction, view, context.height, context.median_time_at)) {
                return Verdict::bad_txns_nonfinal;
            }
        }
        sigops += sigop_cost_of(transaction, view, context.segwit);
        if (sigops > kMaxBlockSigopCost) return Verdict::bad_blk_sigops;
        // Scripts are judged after the amounts, as Bitcoin Core's checking queue does.
        scripts_good = scripts_good && check_scripts(transaction, view, context.segwit);
        if (!transaction.is_coinbase()) {
            for (const auto& input : transaction.inputs)
                view.spend(input.previous);
        }
        view.add_outputs(transaction, transaction.txid(), context.height);
    }
    std::int64_t claimed = 0;
    for (const auto& output : block.transactions.front().outputs)
        claimed += output.value_sat;
    if (claimed > context.subsidy_sat + fees) return Verdict::bad_cb_amount;
    return scripts_good ? Verdict::accepted : Verdict::script_failed;
}

}  // namespace adit::sim
