// All slices of one log, packed: about 16 bytes for each account of a slice, so that an audit can
// keep those of years. Not thread-safe.
#pragma once

#include "ledger/slice_store.h"

#include <map>
#include <vector>

namespace adit::ledger {

class SliceBook {
 public:
    using Rows = std::vector<std::pair<share::AccountId, Sum>>;  // accounts in their order
    using Packed = std::map<SliceKey, base::Bytes>;

    // Adds the slices of a piece of the log.
    void add(const TallyDelta& delta);

    // In order.
    const Packed& packed() const { return slices_; }
    static Rows unpack(const base::Bytes& packed);

 private:
    static base::Bytes pack(const Rows& rows);
    Packed slices_;
};

}  // namespace adit::ledger
