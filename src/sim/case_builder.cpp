#include "base/check.h"
#include "sim/block_builder.h"
#include "sim/block_cases.h"

#include <algorithm>

namespace adit::sim {
namespace {

constexpr std::uint64_t kManyTries = 100'000'000;
constexpr std::string_view kKeySeed = "block cases";

}  // namespace

CaseBuilder::CaseBuilder(const SimChain& chain)
    : chain_(chain), key_(SimKey::from_seed(kKeySeed)) {}

chain::Block CaseBuilder::base() const {
    auto source = chain_.make_empty_template(chain_.tip());
    return build_block(source, key_.p2pkh_script(), 7);
}

chain::Block CaseBuilder::with(std::vector<chain::Transaction> transactions,
                               std::int64_t fees_sat) const {
    auto block = base();
    block.transactions.front().outputs.front().value_sat += fees_sat;
    for (auto& transaction : transactions)
        block.transactions.push_back(std::move(transaction));
    return block;
}

chain::Block CaseBuilder::finish(chain::Block block) const {
    refresh_commitments(block);
    return mine(std::move(block));
}

chain::Block CaseBuilder::mine(chain::Block block) const {
    ADIT_CHECK(grind(block.header, kManyTries), "a test chain's target is met soon");
    return block;
}

CaseBuilder::Spendable CaseBuilder::mature_coin() const {
    const auto last = chain_.tip().height + 1 - chain_.params().coinbase_maturity;
    for (std::int32_t height = 1; height <= last; ++height) {
        const auto& coinbase = chain_.at_height(height)->block->transactions.front();
        const chain::OutPoint outpoint{coinbase.txid(), 0};
        const auto* coin = chain_.coin(outpoint);
        if (coin != nullptr && coin->output.script == key_.p2pkh_script()) {
            return {outpoint, coin->output};
        }
    }
    ADIT_CHECK(false, "the chain has a mature coin of the key");
    return {};
}

CaseBuilder::Spendable CaseBuilder::immature_coin() const {
    // 99 blocks deep in the next block: one too few.
    const auto height = chain_.tip().height + 2 - chain_.params().coinbase_maturity;
    const auto& coinbase = chain_.at_height(height)->block->transactions.front();
    return {{coinbase.txid(), 0}, coinbase.outputs.front()};
}

chain::Transaction CaseBuilder::unsigned_spend(const Spendable& coin, std::int64_t fee_sat) const {
    chain::Transaction transaction;
    transaction.inputs.emplace_back().previous = coin.outpoint;
    transaction.outputs.push_back({coin.output.value_sat - fee_sat, key_.p2wpkh_script()});
    return transaction;
}

chain::Transaction CaseBuilder::spend(const Spendable& coin, std::int64_t fee_sat) const {
    auto transaction = unsigned_spend(coin, fee_sat);
    key_.sign(transaction, 0, coin.output);
    return transaction;
}

chain::Transaction CaseBuilder::spend_again(const chain::Transaction& parent,
                                            std::int64_t fee_sat) const {
    return spend({{parent.txid(), 0}, parent.outputs.front()}, fee_sat);
}

void grow_to(SimChain& chain, std::int32_t height,
             const std::function<void(const chain::Block&)>& also) {
    const CaseBuilder builder(chain);
    while (chain.tip().height < height) {
        const auto block = builder.finish(builder.base());
        const auto verdict = chain.process(block);
        ADIT_CHECK(verdict == Verdict::accepted, "a plain block is accepted");
        if (also) also(block);
    }
}

bool applies(const BlockCase& row, const SimChain& chain) {
    const auto next = chain.tip().height + 1;
    const auto& params = chain.params();
    switch (row.needs) {
        case CaseNeeds::nothing:
            return true;
        case CaseNeeds::segwit:
            return next >= params.segwit_height;
        case CaseNeeds::no_segwit:
            return next < params.segwit_height;
        case CaseNeeds::bip34:
            return next >= params.bip34_height;
        case CaseNeeds::no_bip34:
            return next < params.bip34_height;
        case CaseNeeds::csv:
            return next >= params.csv_height;
    }
    return false;
}

}  // namespace adit::sim
