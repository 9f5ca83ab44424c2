// Whatever parses as a block serialises back to the same bytes, and both ways to its merkle root
// agree.
#include "chain/block.h"

#include "base/check.h"

#include <algorithm>

using namespace adit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const base::ByteSpan bytes{data, size};
    const auto block = chain::parse_block(bytes);
    if (!block) return 0;
    const auto raw = block->serialize();
    ADIT_CHECK(std::ranges::equal(raw, bytes), "one block has one encoding");
    ADIT_CHECK(block->weight() >= raw.size() && block->weight() <= 4 * raw.size(),
               "a byte weighs one to four");
    ADIT_CHECK(block->header.hash() == chain::sha256d(bytes.first(chain::kHeaderSize)),
               "a block's hash is its header's");
    block->witness_merkle_root();
    if (block->transactions.empty()) return 0;

    std::vector<chain::Hash256> others;
    for (const auto& transaction : block->transactions)
        others.push_back(transaction.txid());
    const auto coinbase = others.front();
    others.erase(others.begin());
    const auto branches = chain::merkle_branches(std::move(others));
    ADIT_CHECK(chain::fold_branches(coinbase, branches) == block->merkle_root(),
               "branches fold to the root");

    const auto& first = block->transactions.front();
    chain::witness_commitment_of(first);
    for (const auto& input : first.inputs) {
        const auto height = chain::height_of_coinbase(input.script);
        if (!height) continue;
        const auto push = chain::height_push(*height);
        ADIT_CHECK(std::equal(push.begin(), push.end(), input.script.begin()),
                   "a height has one push");
    }
    return 0;
}
