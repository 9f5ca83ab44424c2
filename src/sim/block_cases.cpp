#include "sim/block_cases.h"

#include "chain/target.h"
#include "sim/block_builder.h"
#include "sim/tx_rules.h"

namespace adit::sim {
namespace {

using Blocks = std::vector<chain::Block>;
constexpr std::uint8_t kOpReturn = 0x6a;
constexpr std::uint8_t kOpCheckSig = 0xac;

// A case that changes the plain block before its commitments are computed and it is mined.
template <class Change>
auto changed(Change change) {
    return [change](const CaseBuilder& builder) {
        auto block = builder.base();
        change(block);
        return Blocks{builder.finish(std::move(block))};
    };
}

// The same, mined as the change left it.
template <class Change>
auto changed_late(Change change) {
    return [change](const CaseBuilder& builder) {
        auto block = builder.base();
        refresh_commitments(block);
        change(block, builder);
        return Blocks{builder.mine(std::move(block))};
    };
}

// A block with one signed spend that was changed (and so not signed again).
template <class Change>
auto spoiled_spend(Change change) {
    return [change](const CaseBuilder& builder) {
        auto transaction = builder.spend(builder.mature_coin());
        change(transaction, builder);
        return Blocks{builder.finish(builder.with({transaction}, CaseBuilder::kFee))};
    };
}

chain::Transaction& coinbase_of(chain::Block& block) {
    return block.transactions.front();
}

Blocks hash_above_target(const CaseBuilder& builder) {
    auto block = builder.base();
    refresh_commitments(block);
    const auto target = chain::target_from_compact(block.header.bits);
    while (target->met_by(block.header.hash()))
        ++block.header.nonce;
    return {block};
}

Blocks repeated_transactions(const CaseBuilder& builder) {
    const auto first = builder.spend(builder.mature_coin());
    const auto second = builder.spend({{first.txid(), 0}, first.outputs.front()});
    auto block = builder.with({first, second}, 2 * CaseBuilder::kFee);
    for (auto& transaction : block.transactions) {
        for (auto& input : transaction.inputs)
            input.witness.clear();
    }
    block = builder.finish(std::move(block));
    // Three leaves: the last one repeated gives the same root (CVE-2012-2459).
    block.transactions.push_back(block.transactions.back());
    return {block};
}

Blocks two_inputs_alike(const CaseBuilder& builder) {
    auto transaction = builder.spend(builder.mature_coin());
    transaction.inputs.push_back(transaction.inputs.front());
    return {builder.finish(builder.with({transaction}, 0))};
}

Blocks double_spend(const CaseBuilder& builder) {
    const auto first = builder.spend(builder.mature_coin());
    const auto second = builder.spend(builder.mature_coin(), 2 * CaseBuilder::kFee);
    return {builder.finish(builder.with({first, second}, 3 * CaseBuilder::kFee))};
}

Blocks child_before_parent(const CaseBuilder& builder) {
    const auto first = builder.spend(builder.mature_coin());
    auto second = builder.unsigned_spend({{first.txid(), 0}, first.outputs.front()}, 0);
    return {builder.finish(builder.with({second, first}, CaseBuilder::kFee))};
}

Blocks bad_signature_hash(const CaseBuilder& builder) {
    auto transaction = builder.spend(builder.mature_coin());
    transaction.outputs.front().value_sat -= 1;  // after signing
    return {builder.finish(builder.with({transaction}, CaseBuilder::kFee))};
}

Blocks bad_witness_signature(const CaseBuilder& builder) {
    const auto first = builder.spend(builder.mature_coin());
    auto second = builder.spend_again(first);
    second.inputs[0].witness[0][10] ^= 1;
    return {builder.finish(builder.with({first, second}, 2 * CaseBuilder::kFee))};
}

Blocks heavy_witness(const CaseBuilder& builder) {
    // Just under four million bytes, which weigh more: what is no witness counts four times.
    auto first = builder.spend(builder.mature_coin());
    auto second = builder.spend_again(first);
    first.inputs[0].witness = {base::Bytes(kMaxBlockWeight / 2 - 400)};
    second.inputs[0].witness = {base::Bytes(kMaxBlockWeight / 2 - 400)};
    return {builder.finish(builder.with({first, second}, 2 * CaseBuilder::kFee))};
}

Blocks witness_without_commitment(const CaseBuilder& builder) {
    const auto first = builder.spend(builder.mature_coin());
    auto block = builder.with({first, builder.spend_again(first)}, 2 * CaseBuilder::kFee);
    auto& coinbase = coinbase_of(block);
    coinbase.outputs.resize(1);
    coinbase.inputs[0].witness.clear();
    return {builder.finish(std::move(block))};
}

Blocks same_coinbase_again(const CaseBuilder& builder) {
    auto block = builder.base();
    coinbase_of(block) = builder.chain().tip().block->transactions.front();
    return {builder.finish(std::move(block))};
}

Blocks rival_of_the_tip(const CaseBuilder& builder) {
    const auto& chain = builder.chain();
    auto source = chain.make_empty_template(*chain.tip().parent);
    return {builder.finish(build_block(source, builder.key().p2pkh_script(), 99))};
}

Blocks on_a_refused_block(const CaseBuilder& builder) {
    auto bad = builder.base();
    coinbase_of(bad).outputs[0].value_sat += 5;
    bad = builder.finish(std::move(bad));
    auto child = builder.base();
    child.header.previous = bad.header.hash();
    return {bad, builder.finish(std::move(child))};
}

Blocks refused_again(const CaseBuilder& builder) {
    auto bad = builder.base();
    coinbase_of(bad).outputs[0].value_sat += 6;
    bad = builder.finish(std::move(bad));
    return {bad, bad};
}

Blocks tip_again(const CaseBuilder& builder) {
    return {*builder.chain().tip().block};
}

Blocks not_yet_final(const CaseBuilder& builder) {
    const auto coin = builder.mature_coin();
    auto transaction = builder.unsigned_spend(coin, CaseBuilder::kFee);
    transaction.inputs[0].sequence = 0;
    transaction.lock_time = static_cast<std::uint32_t>(builder.chain().tip().height + 10);
    builder.key().sign(transaction, 0, coin.output);
    return {builder.finish(builder.with({transaction}, CaseBuilder::kFee))};
}

Blocks relative_lock(const CaseBuilder& builder) {
    const auto coin = builder.mature_coin();
    auto transaction = builder.unsigned_spend(coin, CaseBuilder::kFee);
    transaction.inputs[0].sequence = 60'000;  // blocks
    builder.key().sign(transaction, 0, coin.output);
    return {builder.finish(builder.with({transaction}, CaseBuilder::kFee))};
}

std::vector<BlockCase> header_cases() {
    using enum Verdict;
    return {
        {"hash above the target", CaseNeeds::nothing, high_hash, {}, hash_above_target},
        // bcoin meets the wrong bits first: it knows no limit while it looks at the hash.
        {"bits above the limit", CaseNeeds::nothing, high_hash, "bad-diffbits",
         changed_late([](auto& block, auto&) { block.header.bits = 0x2100ffff; })},
        {"bits that are not required",
         CaseNeeds::nothing,
         bad_diffbits,
         {},
         changed_late([](auto& block, auto&) { block.header.bits = 0x207ffffe; })},
        // bcoin keeps it as an orphan and calls that so.
        {"unknown parent", CaseNeeds::nothing, prev_blk_not_found, "bad-prevblk",
         changed_late([](auto& block, auto&) { block.header.previous.bytes[3] ^= 1; })},
        {"time at the median",
         CaseNeeds::nothing,
         time_too_old,
         {},
         changed_late([](auto& block, const CaseBuilder& builder) {
             block.header.time = builder.chain().median_time_past(builder.chain().tip());
         })},
        {"time three hours ahead",
         CaseNeeds::nothing,
         time_too_new,
         {},
         changed_late([](auto& block, auto&) { block.header.time += 3 * 3600; })},
        {"version 1", CaseNeeds::bip34, bad_version, {}, changed_late([](auto& block, auto&) {
             block.header.version = 1;
         })},
        {"the tip again", CaseNeeds::nothing, duplicate, {}, tip_again},
        // bcoin does not tell a refused block from a known one.
        {"a refused block again", CaseNeeds::nothing, duplicate_invalid, "duplicate",
         refused_again},
        {"on top of a refused block", CaseNeeds::nothing, bad_prevblk, "duplicate",
         on_a_refused_block},
        // bcoin answers null to whatever it stores.
        {"a rival of the tip", CaseNeeds::nothing, inconclusive, "", rival_of_the_tip},
    };
}

std::vector<BlockCase> body_cases() {
    using enum Verdict;
    return {
        {"wrong merkle root",
         CaseNeeds::nothing,
         bad_txnmrklroot,
         {},
         changed_late([](auto& block, auto&) { block.header.merkle_root.bytes[0] ^= 1; })},
        {"a repeated transaction",
         CaseNeeds::nothing,
         bad_txns_duplicate,
         {},
         repeated_transactions},
        {"no coinbase",
         CaseNeeds::nothing,
         bad_cb_missing,
         {},
         [](const CaseBuilder& builder) {
             auto block = builder.base();
             block.transactions = {builder.spend(builder.mature_coin())};
             block.header.merkle_root = block.merkle_root();
             return Blocks{builder.mine(std::move(block))};
         }},
        {"two coinbases", CaseNeeds::nothing, bad_cb_multiple, {}, changed([](auto& block) {
             auto second = block.transactions.front();
             second.inputs[0].script.push_back(0);
             second.inputs[0].witness.clear();
             block.transactions.push_back(second);
         })},
        {"coinbase script of one byte",
         CaseNeeds::nothing,
         bad_cb_length,
         {},
         changed([](auto& block) { coinbase_of(block).inputs[0].script = {0x51}; })},
        {"coinbase script of 101 bytes",
         CaseNeeds::nothing,
         bad_cb_length,
         {},
         changed([](auto& block) { coinbase_of(block).inputs[0].script.resize(101); })},
        {"stripped size above a million bytes",
         CaseNeeds::nothing,
         bad_blk_length,
         {},
         changed([](auto& block) {
             base::Bytes script(1'000'000);
             script[0] = kOpReturn;
             coinbase_of(block).outputs.insert(coinbase_of(block).outputs.begin() + 1, {0, script});
         })},
        {"20,001 signature operations",
         CaseNeeds::nothing,
         bad_blk_sigops,
         {},
         changed([](auto& block) {
             coinbase_of(block).outputs[0].script = base::Bytes(20'001, kOpCheckSig);
         })},
        {"wrong height in the coinbase",
         CaseNeeds::bip34,
         bad_cb_height,
         {},
         changed([](auto& block) { coinbase_of(block).inputs[0].script[1] ^= 1; })},
    };
}

std::vector<BlockCase> witness_cases() {
    using enum Verdict;
    return {
        {"commitment with a reserved value of 31 bytes",
         CaseNeeds::segwit,
         bad_witness_nonce_size,
         {},
         changed_late(
             [](auto& block, auto&) { coinbase_of(block).inputs[0].witness[0].resize(31); })},
        {"commitment with two witness items",
         CaseNeeds::segwit,
         bad_witness_nonce_size,
         {},
         changed_late(
             [](auto& block, auto&) { coinbase_of(block).inputs[0].witness.push_back({}); })},
        {"wrong witness commitment",
         CaseNeeds::segwit,
         bad_witness_merkle_match,
         {},
         changed_late([](auto& block, auto&) {
             coinbase_of(block).outputs.back().script[10] ^= 1;
             block.header.merkle_root = block.merkle_root();
         })},
        {"witness without commitment",
         CaseNeeds::nothing,
         unexpected_witness,
         {},
         witness_without_commitment},
        {"weight above four million", CaseNeeds::segwit, bad_blk_weight, {}, heavy_witness},
    };
}

std::vector<BlockCase> transaction_cases() {
    using enum Verdict;
    return {
        {"transaction without outputs",
         CaseNeeds::nothing,
         bad_txns_vout_empty,
         {},
         spoiled_spend([](auto& transaction, auto&) { transaction.outputs.clear(); })},
        {"negative output",
         CaseNeeds::nothing,
         bad_txns_vout_negative,
         {},
         spoiled_spend([](auto& transaction, auto&) { transaction.outputs[0].value_sat = -1; })},
        {"output above 21 million",
         CaseNeeds::nothing,
         bad_txns_vout_toolarge,
         {},
         spoiled_spend(
             [](auto& transaction, auto&) { transaction.outputs[0].value_sat = kMaxMoney + 1; })},
        {"outputs above 21 million together",
         CaseNeeds::nothing,
         bad_txns_txouttotal_toolarge,
         {},
         spoiled_spend([](auto& transaction, auto&) {
             transaction.outputs[0].value_sat = kMaxMoney;
             transaction.outputs.push_back({1, {0x51}});
         })},
        {"the same input twice",
         CaseNeeds::nothing,
         bad_txns_inputs_duplicate,
         {},
         two_inputs_alike},
        {"a null input",
         CaseNeeds::nothing,
         bad_txns_prevout_null,
         {},
         spoiled_spend([](auto& transaction, auto&) { transaction.inputs.emplace_back(); })},
        {"lock time ahead", CaseNeeds::nothing, bad_txns_nonfinal, {}, not_yet_final},
        {"relative lock not over", CaseNeeds::csv, bad_txns_nonfinal, {}, relative_lock},
    };
}

std::vector<BlockCase> coin_cases() {
    using enum Verdict;
    return {
        {"unknown input",
         CaseNeeds::nothing,
         bad_txns_inputs_missingorspent,
         {},
         spoiled_spend(
             [](auto& transaction, auto&) { transaction.inputs[0].previous.txid.bytes[5] ^= 1; })},
        {"spent twice in the block",
         CaseNeeds::nothing,
         bad_txns_inputs_missingorspent,
         {},
         double_spend},
        {"child before its parent",
         CaseNeeds::nothing,
         bad_txns_inputs_missingorspent,
         {},
         child_before_parent},
        {"immature coinbase spent",
         CaseNeeds::nothing,
         bad_txns_premature_spend_of_coinbase,
         {},
         [](const CaseBuilder& builder) {
             const auto early = builder.spend(builder.immature_coin());
             return Blocks{builder.finish(builder.with({early}, CaseBuilder::kFee))};
         }},
        {"more out than in",
         CaseNeeds::nothing,
         bad_txns_in_belowout,
         {},
         [](const CaseBuilder& builder) {
             const auto greedy = builder.spend(builder.mature_coin(), -1);
             return Blocks{builder.finish(builder.with({greedy}, 0))};
         }},
        {"one satoshi too much claimed",
         CaseNeeds::nothing,
         bad_cb_amount,
         {},
         [](const CaseBuilder& builder) {
             const auto spend = builder.spend(builder.mature_coin());
             return Blocks{builder.finish(builder.with({spend}, CaseBuilder::kFee + 1))};
         }},
        {"amount changed after signing", CaseNeeds::nothing, script_failed, {}, bad_signature_hash},
        {"broken witness signature", CaseNeeds::segwit, script_failed, {}, bad_witness_signature},
        {"P2WPKH spent without witness",
         CaseNeeds::segwit,
         script_failed,
         {},
         [](const CaseBuilder& builder) {
             const auto first = builder.spend(builder.mature_coin());
             auto second = builder.spend_again(first);
             second.inputs[0].witness.clear();
             return Blocks{builder.finish(builder.with({first, second}, 2 * CaseBuilder::kFee))};
         }},
        {"witness beside a P2PKH script",
         CaseNeeds::segwit,
         script_failed,
         {},
         spoiled_spend(
             [](auto& transaction, auto&) { transaction.inputs[0].witness = {base::Bytes(1)}; })},
        {"a coinbase that exists", CaseNeeds::no_bip34, bad_txns_bip30, {}, same_coinbase_again},
    };
}

std::vector<BlockCase> accepted_cases() {
    using enum Verdict;
    return {
        {"no transactions", CaseNeeds::nothing, accepted, {}, changed([](auto&) {})},
        {"time one second above the median",
         CaseNeeds::nothing,
         accepted,
         {},
         changed_late([](auto& block, const CaseBuilder& builder) {
             block.header.time = builder.chain().median_time_past(builder.chain().tip()) + 1;
         })},
        {"coinbase script of 100 bytes", CaseNeeds::nothing, accepted, {}, changed([](auto& block) {
             coinbase_of(block).inputs[0].script.resize(100);
         })},
        {"less claimed than allowed", CaseNeeds::nothing, accepted, {}, changed([](auto& block) {
             coinbase_of(block).outputs[0].value_sat -= 1;
         })},
        {"rolled version bits",
         CaseNeeds::nothing,
         accepted,
         {},
         changed_late([](auto& block, auto&) { block.header.version |= 0x1fffe000; })},
        {"a P2PKH spend with its fee",
         CaseNeeds::nothing,
         accepted,
         {},
         spoiled_spend([](auto&, auto&) {})},
        {"a P2WPKH spend of the same block",
         CaseNeeds::segwit,
         accepted,
         {},
         [](const CaseBuilder& builder) {
             const auto first = builder.spend(builder.mature_coin());
             const auto second = builder.spend_again(first);
             return Blocks{builder.finish(builder.with({first, second}, 2 * CaseBuilder::kFee))};
         }},
        {"a P2WPKH coin spent by anybody",
         CaseNeeds::no_segwit,
         accepted,
         {},
         [](const CaseBuilder& builder) {
             const auto first = builder.spend(builder.mature_coin());
             const auto second = builder.unsigned_spend({{first.txid(), 0}, first.outputs.front()},
                                                        CaseBuilder::kFee);
             return Blocks{builder.finish(builder.with({first, second}, 2 * CaseBuilder::kFee))};
         }},
        {"no commitment and no witness", CaseNeeds::segwit, accepted, {}, changed([](auto& block) {
             coinbase_of(block).outputs.resize(1);
             coinbase_of(block).inputs[0].witness.clear();
         })},
        {"commitment whose reserved value is left out",
         CaseNeeds::segwit,
         accepted,
         {},
         changed_late([](auto& block, auto&) { coinbase_of(block).inputs[0].witness.clear(); })},
    };
}

}  // namespace

std::vector<BlockCase> block_cases() {
    std::vector<BlockCase> all;
    for (auto part : {header_cases(), body_cases(), witness_cases(), transaction_cases(),
                      coin_cases(), accepted_cases()}) {
        std::ranges::move(part, std::back_inserter(all));
    }
    return all;
}

}  // namespace adit::sim
