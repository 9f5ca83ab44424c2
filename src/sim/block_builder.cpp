#include "sim/block_builder.h"

#include "chain/sha256.h"
#include "chain/target.h"
#include "sim/tx_rules.h"

#include <algorithm>
#include <functional>

namespace adit::sim {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::size_t kNonceOffset = 76;

}  // namespace

chain::Block build_block(const SimTemplate& source, base::ByteSpan script, std::uint64_t extra) {
    chain::Transaction coinbase;
    auto& input = coinbase.inputs.emplace_back();
    input.script = chain::height_push(source.height);
    input.script.push_back(8);  // a push of eight bytes
    base::append_le(input.script, extra);
    coinbase.outputs.push_back({source.coinbase_value_sat, {script.begin(), script.end()}});
    if (source.segwit) {
        input.witness = {base::Bytes(32)};
        coinbase.outputs.push_back({0, source.commitment_script});
    }
    chain::Block block;
    block.transactions.push_back(std::move(coinbase));
    for (const auto& item : source.transactions) {
        block.transactions.push_back(item.entry->transaction);
    }
    block.header.version = static_cast<std::int32_t>(source.version);
    block.header.previous = source.previous;
    block.header.time = source.current_time;
    block.header.bits = source.bits;
    block.header.merkle_root = block.merkle_root();
    return block;
}

void refresh_commitments(chain::Block& block) {
    auto& coinbase = block.transactions.front();
    if (chain::witness_commitment_of(coinbase)) {
        chain::Hash256 reserved;
        const auto& witness = coinbase.inputs[0].witness;
        if (witness.size() == 1 && witness[0].size() == reserved.bytes.size()) {
            std::ranges::copy(witness[0], reserved.bytes.begin());
        }
        // Builders here put the commitment into the last output.
        coinbase.outputs.back().script =
            chain::witness_commitment_script(block.witness_merkle_root(), reserved);
    }
    block.header.merkle_root = block.merkle_root();
}

bool grind(chain::BlockHeader& header, std::uint64_t max_tries) {
    const auto target = chain::target_from_compact(header.bits);
    if (!target) return false;
    const auto& kernel = chain::sha256_kernel();
    std::array<std::array<std::uint8_t, chain::kHeaderSize>, kLanes> headers;
    std::array<std::array<std::uint8_t, 32>, kLanes> hashes;
    const std::uint8_t* data[kLanes];
    std::array<std::uint8_t, 32>* out[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        headers[lane] = header.serialize();
        data[lane] = headers[lane].data();
        out[lane] = &hashes[lane];
    }
    for (std::uint64_t tried = 0; tried < max_tries; tried += kLanes) {
        for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
            base::store_le(headers[lane].data() + kNonceOffset, header.nonce + lane);
        }
        chain::sha256d_80(kernel, data, kLanes, out);
        for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
            if (!target->met_by(chain::Hash256{hashes[lane]})) continue;
            header.nonce += lane;
            return true;
        }
        header.nonce += kLanes;
    }
    return false;
}

namespace {

// Counts `extra` and the nonce until the block is mined, and submits it.
std::optional<chain::Hash256> mine_and_submit(
    SimChain& chain, const std::function<chain::Block(std::uint64_t extra)>& build,
    std::uint64_t& max_tries) {
    constexpr std::uint64_t kNonces = std::uint64_t{1} << 32U;
    for (std::uint64_t extra = 0; max_tries > 0; ++extra) {
        auto block = build(extra);
        const auto tries = std::min(max_tries, kNonces);
        const bool found = grind(block.header, tries);
        max_tries -= found ? std::min<std::uint64_t>(tries, block.header.nonce + 1ULL) : tries;
        if (!found) continue;
        const auto hash = block.header.hash();
        const auto verdict = chain.submit(std::move(block));
        // The same block again, as when two branches are mined alike: another one is made.
        if (verdict == Verdict::duplicate) continue;
        if (verdict == Verdict::accepted || verdict == Verdict::inconclusive) return hash;
        return std::nullopt;
    }
    return std::nullopt;
}

// The value that transactions leave to the miner; those whose inputs are unknown leave nothing (the
// chain refuses their block anyway).
std::int64_t fees_of(const SimChain& chain, const std::vector<chain::Transaction>& transactions,
                     std::int32_t height) {
    CoinOverlay coins(chain.coins());
    std::int64_t fees = 0;
    for (const auto& transaction : transactions) {
        fees += check_inputs(transaction, coins, height, 0).value_or(0);
        for (const auto& input : transaction.inputs)
            coins.spend(input.previous);
        coins.add_outputs(transaction, transaction.txid(), height);
    }
    return fees;
}

}  // namespace

std::optional<chain::Hash256> mine_block(SimChain& chain, base::ByteSpan script,
                                         std::uint64_t& max_tries) {
    const auto source = chain.make_template();
    return mine_and_submit(
        chain, [&](std::uint64_t extra) { return build_block(source, script, extra); }, max_tries);
}

std::optional<chain::Hash256> mine_block_on(SimChain& chain, const BlockEntry& parent,
                                            const std::vector<chain::Transaction>& transactions,
                                            base::ByteSpan script, std::uint64_t& max_tries) {
    auto source = chain.make_empty_template(parent);
    // The coins of another branch are not at hand; a block there claims no fees.
    if (&parent == &chain.tip()) {
        source.coinbase_value_sat += fees_of(chain, transactions, source.height);
    }
    // No coinbase of another branch has the same bytes.
    const auto first_extra = static_cast<std::uint64_t>(chain.known_headers()) << 32U;
    return mine_and_submit(
        chain,
        [&](std::uint64_t extra) {
            auto block = build_block(source, script, first_extra + extra);
            block.transactions.insert(block.transactions.end(), transactions.begin(),
                                      transactions.end());
            refresh_commitments(block);
            return block;
        },
        max_tries);
}

}  // namespace adit::sim
