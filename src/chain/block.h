// Block headers, blocks and merkle trees.
#pragma once

#include "chain/transaction.h"

namespace adit::chain {

inline constexpr std::size_t kHeaderSize = 80;

struct BlockHeader {
    std::int32_t version = 0;
    Hash256 previous;
    Hash256 merkle_root;
    std::uint32_t time = 0;
    std::uint32_t bits = 0;
    std::uint32_t nonce = 0;

    std::array<std::uint8_t, kHeaderSize> serialize() const;
    static BlockHeader parse(std::span<const std::uint8_t, kHeaderSize> bytes);
    Hash256 hash() const;
};

struct Block {
    BlockHeader header;
    std::vector<Transaction> transactions;

    base::Bytes serialize() const;
    Hash256 merkle_root() const;          // over txids
    Hash256 witness_merkle_root() const;  // over wtxids, the coinbase's taken as zero (BIP141)
    std::size_t weight() const;
};

std::expected<Block, ParseError> parse_block(base::ByteSpan bytes);

// Root of the tree over these leaves; zero for none. Set *mutated when two equal subtrees stand
// side by side (CVE-2012-2459).
Hash256 merkle_root(std::vector<Hash256> leaves, bool* mutated = nullptr);
// Stratum's branches: the hashes to fold, in order, onto the coinbase txid to get the root.
// `others` are the txids of all transactions but the coinbase.
std::vector<Hash256> merkle_branches(std::vector<Hash256> others);
Hash256 fold_branches(Hash256 coinbase_txid, std::span<const Hash256> branches);

// The script that pushes a height as BIP34 demands (minimal CScriptNum push; 1..16 as opcodes).
base::Bytes height_push(std::int32_t height);
// The BIP34 height that a coinbase script starts with; nullopt when there is none.
std::optional<std::int32_t> height_of_coinbase(base::ByteSpan script);

// OP_RETURN output script with the BIP141 commitment SHA256d(witness root ++ reserved value).
base::Bytes witness_commitment_script(const Hash256& witness_root, const Hash256& reserved);
// The commitment in the last matching output of a coinbase; nullopt when there is none.
std::optional<Hash256> witness_commitment_of(const Transaction& coinbase);

}  // namespace adit::chain
