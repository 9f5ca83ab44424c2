// Whatever parses as a transaction serialises back to the same bytes, and its ids and weight agree
// with its two serialisations.
#include "chain/transaction.h"

#include "base/check.h"

#include <algorithm>

using namespace adit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const base::ByteSpan bytes{data, size};
    const auto transaction = chain::parse_transaction(bytes);
    if (!transaction) {
        ADIT_CHECK(!chain::describe(transaction.error()).empty(), "every error has a sentence");
        return 0;
    }
    const auto raw = transaction->serialize();
    ADIT_CHECK(std::ranges::equal(raw, bytes), "one transaction has one encoding");
    const auto stripped = transaction->serialize_without_witness();
    ADIT_CHECK(transaction->wtxid() == chain::sha256d(raw), "the wtxid covers the witness");
    ADIT_CHECK(transaction->txid() == chain::sha256d(stripped), "the txid does not");
    ADIT_CHECK(transaction->weight() == 3 * stripped.size() + raw.size(), "BIP141's weight");
    ADIT_CHECK(transaction->has_witness() == (raw.size() != stripped.size()),
               "only a witness makes the difference");
    return 0;
}
