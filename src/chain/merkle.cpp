// Merkle trees over transaction ids, four nodes at a time.
#include "chain/block.h"
#include "chain/sha256.h"

namespace adit::chain {
namespace {

// Replaces pairs of hashes, beginning at `first`, by their parents, which are moved to `to`. An odd
// last hash is its own neighbour. Returns how many parents there are.
std::size_t hash_level(std::vector<Hash256>& hashes, std::size_t first, std::size_t to) {
    if ((hashes.size() - first) % 2 != 0) hashes.push_back(hashes.back());
    const auto& kernel = sha256_kernel();
    const std::size_t parents = (hashes.size() - first) / 2;
    static_assert(sizeof(Hash256) == 32, "two neighbours are one 64-byte message");
    for (std::size_t i = 0; i < parents; i += kSha256Lanes) {
        const std::size_t count = std::min(kSha256Lanes, parents - i);
        std::array<const std::uint8_t*, kSha256Lanes> data{};
        std::array<Sha256Digest*, kSha256Lanes> out{};
        for (std::size_t lane = 0; lane < count; ++lane) {
            data[lane] = hashes[first + 2 * (i + lane)].bytes.data();
            out[lane] = &hashes[to + i + lane].bytes;
        }
        sha256d_64(kernel, data.data(), count, out.data());
    }
    return parents;
}

}  // namespace

Hash256 merkle_root(std::vector<Hash256> leaves, bool* mutated) {
    if (mutated != nullptr) *mutated = false;
    if (leaves.empty()) return {};
    while (leaves.size() > 1) {
        for (std::size_t i = 0; mutated != nullptr && i + 1 < leaves.size(); i += 2) {
            if (leaves[i] == leaves[i + 1]) *mutated = true;
        }
        leaves.resize(hash_level(leaves, 0, 0));
    }
    return leaves[0];
}

std::vector<Hash256> merkle_branches(std::vector<Hash256> others) {
    // Every level begins with the coinbase's side, which is not known here: the level's first hash
    // is the branch, and the rest are paired among themselves.
    std::vector<Hash256> branches;
    while (!others.empty()) {
        branches.push_back(others[0]);
        if (others.size() == 1) break;
        others.resize(hash_level(others, 1, 0));
    }
    return branches;
}

Hash256 fold_branches(Hash256 coinbase_txid, std::span<const Hash256> branches) {
    for (const auto& branch : branches)
        coinbase_txid = sha256d_pair(coinbase_txid, branch);
    return coinbase_txid;
}

}  // namespace adit::chain
