#include "chain/block.h"

#include "chain/sha256.h"

namespace adit::chain {
namespace {

constexpr std::size_t kMaxBlockSize = 4'000'000;
constexpr std::size_t kMinTransactionSize = 4 + 1 + 1 + 4;

base::Bytes transaction_count(const Block& block) {
    base::Bytes count;
    append_compact_size(count, block.transactions.size());
    return count;
}

}  // namespace

std::array<std::uint8_t, kHeaderSize> BlockHeader::serialize() const {
    std::array<std::uint8_t, kHeaderSize> bytes;
    base::store_le(bytes.data(), version);
    std::copy(previous.bytes.begin(), previous.bytes.end(), bytes.begin() + 4);
    std::copy(merkle_root.bytes.begin(), merkle_root.bytes.end(), bytes.begin() + 36);
    base::store_le(bytes.data() + 68, time);
    base::store_le(bytes.data() + 72, bits);
    base::store_le(bytes.data() + 76, nonce);
    return bytes;
}

BlockHeader BlockHeader::parse(std::span<const std::uint8_t, kHeaderSize> bytes) {
    BlockHeader header;
    header.version = base::load_le<std::int32_t>(bytes.data());
    std::copy_n(bytes.begin() + 4, 32, header.previous.bytes.begin());
    std::copy_n(bytes.begin() + 36, 32, header.merkle_root.bytes.begin());
    header.time = base::load_le<std::uint32_t>(bytes.data() + 68);
    header.bits = base::load_le<std::uint32_t>(bytes.data() + 72);
    header.nonce = base::load_le<std::uint32_t>(bytes.data() + 76);
    return header;
}

Hash256 BlockHeader::hash() const {
    const auto bytes = serialize();
    const std::uint8_t* const data = bytes.data();
    Hash256 hash;
    auto* const out = &hash.bytes;
    sha256d_80(sha256_kernel(), &data, 1, &out);
    return hash;
}

base::Bytes Block::serialize() const {
    base::Bytes out;
    base::append(out, header.serialize());
    base::append(out, transaction_count(*this));
    for (const auto& transaction : transactions)
        base::append(out, transaction.serialize());
    return out;
}

Hash256 Block::merkle_root() const {
    std::vector<Hash256> ids;
    ids.reserve(transactions.size());
    for (const auto& transaction : transactions)
        ids.push_back(transaction.txid());
    return chain::merkle_root(std::move(ids));
}

Hash256 Block::witness_merkle_root() const {
    std::vector<Hash256> ids;
    ids.reserve(transactions.size());
    for (const auto& transaction : transactions) {
        ids.push_back(ids.empty() ? Hash256{} : transaction.wtxid());
    }
    return chain::merkle_root(std::move(ids));
}

std::size_t Block::weight() const {
    std::size_t weight = 4 * (kHeaderSize + transaction_count(*this).size());
    for (const auto& transaction : transactions)
        weight += transaction.weight();
    return weight;
}

std::expected<Block, ParseError> parse_block(base::ByteSpan bytes) {
    if (bytes.size() > kMaxBlockSize) return std::unexpected(ParseError::too_large);
    if (bytes.size() < kHeaderSize) return std::unexpected(ParseError::truncated);
    Block block;
    block.header = BlockHeader::parse(bytes.first<kHeaderSize>());
    base::ByteReader reader(bytes.subspan(kHeaderSize));
    const auto count = read_compact_size(reader);
    if (!count) return std::unexpected(count.error());
    if (*count > reader.left() / kMinTransactionSize) {
        return std::unexpected(ParseError::truncated);
    }
    block.transactions.reserve(static_cast<std::size_t>(*count));
    for (std::uint64_t i = 0; i < *count; ++i) {
        auto transaction = read_transaction(reader);
        if (!transaction) return std::unexpected(transaction.error());
        block.transactions.push_back(std::move(*transaction));
    }
    if (!reader.finished()) return std::unexpected(ParseError::trailing_bytes);
    return block;
}

}  // namespace adit::chain
