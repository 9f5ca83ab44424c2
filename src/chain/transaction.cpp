#include "chain/transaction.h"

namespace adit::chain {
namespace {

// Block weight divided by the weight of a byte of witness: nothing larger fits into a block.
constexpr std::size_t kMaxTransactionSize = 4'000'000;
constexpr std::size_t kMinInputSize = 32 + 4 + 1 + 4;
constexpr std::size_t kMinOutputSize = 8 + 1;
constexpr std::uint8_t kWitnessFlag = 1;

void append_with_size(base::Bytes& out, base::ByteSpan bytes) {
    append_compact_size(out, bytes.size());
    base::append(out, bytes);
}

std::size_t compact_size_size(std::uint64_t value) {
    return value < 0xfd ? 1 : value <= 0xffff ? 3 : value <= 0xffffffff ? 5 : 9;
}
std::size_t size_with_prefix(const base::Bytes& bytes) {
    return compact_size_size(bytes.size()) + bytes.size();
}

std::size_t size_without_witness(const Transaction& transaction) {
    std::size_t size = 4 + compact_size_size(transaction.inputs.size()) +
                       compact_size_size(transaction.outputs.size()) + 4;
    for (const auto& input : transaction.inputs)
        size += 36 + size_with_prefix(input.script) + 4;
    for (const auto& output : transaction.outputs)
        size += 8 + size_with_prefix(output.script);
    return size;
}

// Marker, flag and stacks; 0 for a transaction without witness.
std::size_t witness_size(const Transaction& transaction) {
    if (!transaction.has_witness()) return 0;
    std::size_t size = 2;
    for (const auto& input : transaction.inputs) {
        size += compact_size_size(input.witness.size());
        for (const auto& item : input.witness)
            size += size_with_prefix(item);
    }
    return size;
}

base::Bytes serialize_transaction(const Transaction& transaction, bool with_witness) {
    base::Bytes out;
    out.reserve(size_without_witness(transaction) + (with_witness ? witness_size(transaction) : 0));
    base::append_le(out, transaction.version);
    if (with_witness) {
        out.push_back(0);
        out.push_back(kWitnessFlag);
    }
    append_compact_size(out, transaction.inputs.size());
    for (const auto& input : transaction.inputs) {
        base::append(out, input.previous.txid.bytes);
        base::append_le(out, input.previous.index);
        append_with_size(out, input.script);
        base::append_le(out, input.sequence);
    }
    append_compact_size(out, transaction.outputs.size());
    for (const auto& output : transaction.outputs) {
        base::append_le(out, output.value_sat);
        append_with_size(out, output.script);
    }
    if (with_witness) {
        for (const auto& input : transaction.inputs) {
            append_compact_size(out, input.witness.size());
            for (const auto& item : input.witness)
                append_with_size(out, item);
        }
    }
    base::append_le(out, transaction.lock_time);
    return out;
}

template <class T>
using Parsed = std::expected<T, ParseError>;
using Done = std::expected<void, ParseError>;

// A count of things that take at least min_size bytes each, so that nobody can make us reserve
// memory for more than the message could hold.
Parsed<std::size_t> read_count(base::ByteReader& reader, std::size_t min_size) {
    const auto count = read_compact_size(reader);
    if (!count) return std::unexpected(count.error());
    if (*count > reader.left() / min_size) return std::unexpected(ParseError::truncated);
    return static_cast<std::size_t>(*count);
}

Done read_with_size(base::ByteReader& reader, base::Bytes& out) {
    const auto size = read_count(reader, 1);
    if (!size) return std::unexpected(size.error());
    const auto bytes = reader.take(*size);
    out.assign(bytes.begin(), bytes.end());
    return {};
}

Done read_inputs(base::ByteReader& reader, std::size_t count, std::vector<TxInput>& inputs) {
    inputs.resize(count);
    for (auto& input : inputs) {
        const auto txid = reader.take(input.previous.txid.bytes.size());
        std::copy(txid.begin(), txid.end(), input.previous.txid.bytes.begin());
        input.previous.index = reader.le<std::uint32_t>();
        if (const auto done = read_with_size(reader, input.script); !done) return done;
        input.sequence = reader.le<std::uint32_t>();
    }
    return {};
}

Done read_outputs(base::ByteReader& reader, std::vector<TxOutput>& outputs) {
    const auto count = read_count(reader, kMinOutputSize);
    if (!count) return std::unexpected(count.error());
    outputs.resize(*count);
    for (auto& output : outputs) {
        output.value_sat = reader.le<std::int64_t>();
        if (const auto done = read_with_size(reader, output.script); !done) return done;
    }
    return {};
}

Done read_witness(base::ByteReader& reader, std::vector<TxInput>& inputs) {
    for (auto& input : inputs) {
        const auto count = read_count(reader, 1);
        if (!count) return std::unexpected(count.error());
        // Grown as items arrive: an empty item takes one byte here and a vector in memory.
        for (std::size_t i = 0; i < *count; ++i) {
            auto& item = input.witness.emplace_back();
            if (const auto done = read_with_size(reader, item); !done) return done;
        }
    }
    return {};
}

}  // namespace

std::string_view describe(ParseError error) {
    switch (error) {
        case ParseError::truncated:
            return "it ends before what it announces";
        case ParseError::trailing_bytes:
            return "bytes follow its end";
        case ParseError::too_large:
            return "it is larger than any block may be";
        case ParseError::non_canonical_size:
            return "a size is not in its shortest form";
        case ParseError::bad_witness_flag:
            return "the witness flag is wrong or superfluous";
    }
    return "unknown";
}

void append_compact_size(base::Bytes& out, std::uint64_t value) {
    if (value < 0xfd) {
        out.push_back(static_cast<std::uint8_t>(value));
    } else if (value <= 0xffff) {
        out.push_back(0xfd);
        base::append_le(out, static_cast<std::uint16_t>(value));
    } else if (value <= 0xffffffff) {
        out.push_back(0xfe);
        base::append_le(out, static_cast<std::uint32_t>(value));
    } else {
        out.push_back(0xff);
        base::append_le(out, value);
    }
}

std::expected<std::uint64_t, ParseError> read_compact_size(base::ByteReader& reader) {
    const auto first = reader.le<std::uint8_t>();
    std::uint64_t value = first;
    if (first == 0xfd) value = reader.le<std::uint16_t>();
    if (first == 0xfe) value = reader.le<std::uint32_t>();
    if (first == 0xff) value = reader.le<std::uint64_t>();
    if (!reader.ok()) return std::unexpected(ParseError::truncated);
    const std::size_t used = first < 0xfd ? 1 : first == 0xfd ? 3 : first == 0xfe ? 5 : 9;
    if (used != compact_size_size(value)) return std::unexpected(ParseError::non_canonical_size);
    return value;
}

bool Transaction::has_witness() const {
    return std::any_of(inputs.begin(), inputs.end(),
                       [](const TxInput& input) { return !input.witness.empty(); });
}

base::Bytes Transaction::serialize() const {
    return serialize_transaction(*this, has_witness());
}

base::Bytes Transaction::serialize_without_witness() const {
    return serialize_transaction(*this, false);
}

Hash256 Transaction::txid() const {
    return sha256d(serialize_without_witness());
}

Hash256 Transaction::wtxid() const {
    return sha256d(serialize());
}

std::size_t Transaction::weight() const {
    return 4 * size_without_witness(*this) + witness_size(*this);
}

std::expected<Transaction, ParseError> read_transaction(base::ByteReader& reader) {
    Transaction transaction;
    transaction.version = reader.le<std::int32_t>();
    auto count = read_count(reader, kMinInputSize);
    if (!count) return std::unexpected(count.error());
    // No inputs: what looks like their count is BIP144's marker.
    const bool with_witness = *count == 0;
    if (with_witness) {
        const auto flag = reader.le<std::uint8_t>();
        if (!reader.ok()) return std::unexpected(ParseError::truncated);
        if (flag != kWitnessFlag) return std::unexpected(ParseError::bad_witness_flag);
        count = read_count(reader, kMinInputSize);
        if (!count) return std::unexpected(count.error());
    }
    if (const auto done = read_inputs(reader, *count, transaction.inputs); !done) {
        return std::unexpected(done.error());
    }
    if (const auto done = read_outputs(reader, transaction.outputs); !done) {
        return std::unexpected(done.error());
    }
    if (with_witness) {
        if (const auto done = read_witness(reader, transaction.inputs); !done) {
            return std::unexpected(done.error());
        }
        if (!transaction.has_witness()) return std::unexpected(ParseError::bad_witness_flag);
    }
    transaction.lock_time = reader.le<std::uint32_t>();
    if (!reader.ok()) return std::unexpected(ParseError::truncated);
    return transaction;
}

std::expected<Transaction, ParseError> parse_transaction(base::ByteSpan bytes) {
    if (bytes.size() > kMaxTransactionSize) return std::unexpected(ParseError::too_large);
    base::ByteReader reader(bytes);
    auto transaction = read_transaction(reader);
    if (transaction && !reader.finished()) return std::unexpected(ParseError::trailing_bytes);
    return transaction;
}

}  // namespace adit::chain
