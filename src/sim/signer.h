// A key pair and the signing of spends of P2WPKH and P2PKH outputs with it (libsecp256k1, BIP143).
// For the demo's traffic and for tests; never for money. Value type, safe from any thread.
#pragma once

#include "chain/transaction.h"

#include <array>
#include <string_view>

namespace adit::sim {

class SimKey {
 public:
    // The same words give the same key.
    static SimKey from_seed(std::string_view words);

    const std::array<std::uint8_t, 33>& public_key() const { return public_key_; }
    chain::Hash160 key_hash() const;
    base::Bytes p2wpkh_script() const;
    base::Bytes p2pkh_script() const;

    // Fills script or witness of this input, which spends `spent`: an output of one of the two
    // scripts above. SIGHASH_ALL.
    void sign(chain::Transaction& transaction, std::size_t input,
              const chain::TxOutput& spent) const;

 private:
    std::array<std::uint8_t, 32> secret_{};
    std::array<std::uint8_t, 33> public_key_{};
};

}  // namespace adit::sim
