#include "node/raw_transaction.h"

#include "chain/transaction.h"

namespace adit::node {
namespace {

// A count whose elements take at least `element_size` bytes each of what is left.
std::optional<std::size_t> read_count(base::ByteReader& reader, std::size_t element_size) {
    const auto count = chain::read_compact_size(reader);
    if (!count || *count > reader.left() / element_size) return std::nullopt;
    return static_cast<std::size_t>(*count);
}

bool skip_bytes(base::ByteReader& reader) {
    const auto size = read_count(reader, 1);
    if (!size) return false;
    reader.take(*size);
    return reader.ok();
}

// Inputs and outputs; the number of inputs, or nullopt.
std::optional<std::size_t> skip_body(base::ByteReader& reader) {
    const auto inputs = read_count(reader, 41);
    if (!inputs || *inputs == 0) return std::nullopt;
    for (std::size_t i = 0; i < *inputs; ++i) {
        reader.take(36);
        if (!skip_bytes(reader)) return std::nullopt;
        reader.take(4);
    }
    const auto outputs = read_count(reader, 9);
    if (!outputs || *outputs == 0) return std::nullopt;
    for (std::size_t i = 0; i < *outputs; ++i) {
        reader.take(8);
        if (!skip_bytes(reader)) return std::nullopt;
    }
    return reader.ok() ? inputs : std::nullopt;
}

bool skip_witness(base::ByteReader& reader, std::size_t inputs) {
    for (std::size_t i = 0; i < inputs; ++i) {
        const auto items = read_count(reader, 1);
        if (!items) return false;
        for (std::size_t item = 0; item < *items; ++item) {
            if (!skip_bytes(reader)) return false;
        }
    }
    return true;
}

}  // namespace

std::optional<TransactionIds> ids_of_transaction(base::ByteSpan raw, base::Bytes& scratch) {
    constexpr std::size_t kSmallest = 60, kLargest = 4'000'000;
    if (raw.size() < kSmallest || raw.size() > kLargest) return std::nullopt;
    const bool witness = raw[4] == 0 && raw[5] == 1;
    const std::size_t body_at = witness ? 6 : 4;
    base::ByteReader reader(raw.subspan(body_at));
    const auto inputs = skip_body(reader);
    if (!inputs) return std::nullopt;
    const std::size_t body_size = raw.size() - body_at - reader.left();
    if (witness && !skip_witness(reader, *inputs)) return std::nullopt;
    if (!reader.ok() || reader.left() != 4) return std::nullopt;

    TransactionIds ids;
    ids.wtxid = chain::sha256d(raw);
    ids.txid = ids.wtxid;
    std::size_t stripped_size = raw.size();
    if (witness) {
        scratch.assign(raw.begin(), raw.begin() + 4);
        base::append(scratch, raw.subspan(body_at, body_size));
        base::append(scratch, raw.last(4));
        ids.txid = chain::sha256d(scratch);
        stripped_size = scratch.size();
    }
    ids.weight = static_cast<std::uint32_t>(3 * stripped_size + raw.size());
    return ids;
}

}  // namespace adit::node
