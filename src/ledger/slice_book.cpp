#include "ledger/slice_book.h"

namespace adit::ledger {
namespace {

// Seven bits a byte, the lowest first; all but the last have the highest bit set.
void append_number(base::Bytes& out, chain::Work number) {
    for (; number >= 0x80; number >>= 7)
        out.push_back(static_cast<std::uint8_t>(number) | 0x80);
    out.push_back(static_cast<std::uint8_t>(number));
}

chain::Work read_number(base::ByteReader& reader) {
    // Most fit into 64 bits, which are quicker to put together.
    std::uint64_t low = 0;
    unsigned shift = 0;
    for (; shift < 63; shift += 7) {
        const auto byte = reader.le<std::uint8_t>();
        low |= std::uint64_t{byte & 0x7fu} << shift;
        if (byte < 0x80) return low;
    }
    chain::Work number = low;
    for (;; shift += 7) {
        const auto byte = reader.le<std::uint8_t>();
        number |= chain::Work{byte & 0x7fu} << shift;
        if (byte < 0x80) return number;
    }
}

}  // namespace

void SliceBook::add(const TallyDelta& delta) {
    for (auto at = delta.slices.begin(); at != delta.slices.end();) {
        const auto slice = at->first.first;
        auto& packed = slices_[slice];
        const auto rows = unpack(packed);
        Rows merged;
        merged.reserve(rows.size());
        auto row = rows.begin();
        for (; at != delta.slices.end() && at->first.first == slice; ++at) {
            const auto account = at->first.second;
            while (row != rows.end() && row->first < account)
                merged.push_back(*row++);
            merged.emplace_back(account, at->second);
            if (row != rows.end() && row->first == account) merged.back().second += row++->second;
        }
        merged.insert(merged.end(), row, rows.end());
        packed = pack(merged);
    }
}

base::Bytes SliceBook::pack(const Rows& rows) {
    base::Bytes out;
    share::AccountId last = 0;
    for (const auto& [account, sum] : rows) {
        append_number(out, account - last);
        append_number(out, sum.work);
        append_number(out, sum.shares);
        append_number(out, sum.uncredited);
        last = account;
    }
    out.shrink_to_fit();
    return out;
}

SliceBook::Rows SliceBook::unpack(const base::Bytes& packed) {
    Rows rows;
    base::ByteReader reader(packed);
    share::AccountId account = 0;
    while (reader.left() > 0) {
        account += static_cast<share::AccountId>(read_number(reader));
        Sum sum;
        sum.work = read_number(reader);
        sum.shares = static_cast<std::uint64_t>(read_number(reader));
        sum.uncredited = static_cast<std::uint64_t>(read_number(reader));
        rows.emplace_back(account, sum);
    }
    return rows;
}

}  // namespace adit::ledger
