// What the pool knows of the heights of recent blocks, so that a node which is wrong about its
// height is noticed. The height of one block is proven by its coinbase (BIP34), that of every block
// after it by the headers. Where nothing is proven, nodes are compared with each other and with the
// blocks that were refused. Pure; not thread-safe: the node pool's own thread.
#pragma once

#include "node/chain_info.h"

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace adit::node {

class HeightBook {
 public:
    static constexpr std::size_t kMaxBlocks = 256;  // the oldest are forgotten

    explicit HeightBook(std::size_t nodes) : nodes_(nodes) {}

    // A node's best block with the height that it says.
    void heard(std::size_t node, const Tip& tip);
    // From the block itself.
    void prove(const chain::Hash256& hash, std::int32_t height);
    // A block on this one was refused because it is not the one after this height. What is proven
    // stands against it.
    void refute(const chain::Hash256& hash, std::int32_t height);

    // Nothing proves the height of this block, which some node says.
    bool wants_proof(const chain::Hash256& hash) const;
    // What speaks against the height that a node says of this block; a sentence, or empty.
    std::string contradiction(const Tip& tip) const;
    std::size_t size() const { return blocks_.size(); }

 private:
    struct Block {
        chain::Hash256 previous;                        // zero: not known
        std::vector<std::optional<std::int32_t>> said;  // by each node, of this or one before it
        std::optional<std::int32_t> proven;
        std::optional<std::int32_t> refuted;
    };
    Block& block(const chain::Hash256& hash);
    const Block* find(const chain::Hash256& hash) const;

    std::size_t nodes_;
    std::unordered_map<chain::Hash256, Block, chain::Hash256Hasher> blocks_;
    std::deque<chain::Hash256> order_;
};

}  // namespace adit::node
