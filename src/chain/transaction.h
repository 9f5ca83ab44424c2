// Bitcoin transactions: the structure, both serialisations, ids and weight. BIP144.
#pragma once

#include "base/bytes.h"
#include "chain/hash.h"

#include <expected>
#include <vector>

namespace adit::chain {

struct OutPoint {
    Hash256 txid;
    std::uint32_t index = 0xffffffff;
    friend auto operator<=>(const OutPoint&, const OutPoint&) = default;
    bool is_null() const { return txid.is_zero() && index == 0xffffffff; }
};

struct TxInput {
    OutPoint previous;
    base::Bytes script;
    std::uint32_t sequence = 0xffffffff;
    std::vector<base::Bytes> witness;
};

struct TxOutput {
    std::int64_t value_sat = 0;
    base::Bytes script;
};

enum class ParseError {
    truncated,
    trailing_bytes,
    too_large,
    non_canonical_size,
    bad_witness_flag
};
std::string_view describe(ParseError error);

struct Transaction {
    std::int32_t version = 2;
    std::vector<TxInput> inputs;
    std::vector<TxOutput> outputs;
    std::uint32_t lock_time = 0;

    bool has_witness() const;
    bool is_coinbase() const { return inputs.size() == 1 && inputs[0].previous.is_null(); }
    // With marker, flag and witness when there is one (BIP144).
    base::Bytes serialize() const;
    base::Bytes serialize_without_witness() const;
    Hash256 txid() const;
    Hash256 wtxid() const;
    // 3 x size without witness + size with witness (BIP141).
    std::size_t weight() const;
};

// Exactly one transaction, either serialisation, at most 4,000,000 bytes.
std::expected<Transaction, ParseError> parse_transaction(base::ByteSpan bytes);
// One transaction from the front of a reader, which is left behind it.
std::expected<Transaction, ParseError> read_transaction(base::ByteReader& reader);

// Bitcoin's variable-length integer.
void append_compact_size(base::Bytes& out, std::uint64_t value);
std::expected<std::uint64_t, ParseError> read_compact_size(base::ByteReader& reader);

}  // namespace adit::chain
