#include "node/height_book.h"

namespace adit::node {
namespace {

std::optional<std::int32_t> next(std::optional<std::int32_t> height) {
    return height ? std::optional(*height + 1) : std::nullopt;
}

}  // namespace

const HeightBook::Block* HeightBook::find(const chain::Hash256& hash) const {
    const auto found = blocks_.find(hash);
    return found == blocks_.end() ? nullptr : &found->second;
}

HeightBook::Block& HeightBook::block(const chain::Hash256& hash) {
    const auto [at, fresh] = blocks_.try_emplace(hash);
    if (!fresh) return at->second;
    at->second.said.resize(nodes_);
    order_.push_back(hash);
    if (order_.size() > kMaxBlocks) {
        blocks_.erase(order_.front());
        order_.pop_front();
    }
    return blocks_.at(hash);
}

void HeightBook::heard(std::size_t node, const Tip& tip) {
    Block& known = block(tip.hash);
    if (known.previous.is_zero()) known.previous = tip.header.previous;
    if (const auto* before = find(known.previous)) {
        // What was said, proven and refuted of the block before holds one higher up.
        for (std::size_t i = 0; i < nodes_; ++i) {
            if (!known.said[i]) known.said[i] = next(before->said[i]);
        }
        if (!known.proven) known.proven = next(before->proven);
        if (!known.refuted) known.refuted = next(before->refuted);
    }
    known.said[node] = tip.height;
}

void HeightBook::prove(const chain::Hash256& hash, std::int32_t height) {
    block(hash).proven = height;
}

void HeightBook::refute(const chain::Hash256& hash, std::int32_t height) {
    block(hash).refuted = height;
}

bool HeightBook::wants_proof(const chain::Hash256& hash) const {
    const auto* known = find(hash);
    return known != nullptr && !known->proven;
}

std::string HeightBook::contradiction(const Tip& tip) const {
    const auto* known = find(tip.hash);
    if (known == nullptr) return {};
    const auto claim = fmt::format("the node says that block {} has height {}, but ",
                                   tip.hash.rpc_hex(), tip.height);
    if (known->proven) {
        if (*known->proven == tip.height) return {};
        return claim + fmt::format("its coinbase and the headers since prove {}", *known->proven);
    }
    if (known->refuted == tip.height) return claim + "a block made for it was refused";
    const auto agreeing = std::ranges::count(known->said, std::optional(tip.height));
    for (const auto& other : known->said) {
        const auto votes = std::ranges::count(known->said, other);
        if (other && other != tip.height && other != known->refuted && votes > agreeing) {
            return claim + fmt::format("{} other nodes say {}", votes, *other);
        }
    }
    return {};
}

}  // namespace adit::node
