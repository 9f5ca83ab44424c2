// Ids and weight of a serialised transaction without building its parts: the cold path of a
// template has thousands of them. BIP141, BIP144.
#pragma once

#include "base/bytes.h"
#include "chain/hash.h"

#include <optional>

namespace adit::node {

struct TransactionIds {
    chain::Hash256 txid;
    chain::Hash256 wtxid;
    std::uint32_t weight = 0;
};

// nullopt when the bytes are not exactly one transaction. `scratch` is reused between calls.
std::optional<TransactionIds> ids_of_transaction(base::ByteSpan raw, base::Bytes& scratch);

}  // namespace adit::node
