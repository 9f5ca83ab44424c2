#include "node/signed_check.h"

#include "chain/script.h"

#include <algorithm>

namespace adit::node {
namespace {

constexpr std::uint8_t kSighashAll = 0x01;
constexpr std::size_t kPublicKey = 33, kSchnorr = 64;
constexpr std::size_t kShortestDer = 9, kLongestDer = 73;  // with the type of hash

// BIP141: signature and public key; the script holds the key's hash.
bool fits_key_hash(const std::vector<base::Bytes>& witness, base::ByteSpan script) {
    if (witness.size() != 2 || witness[1].size() != kPublicKey) return false;
    const auto& signature = witness[0];
    return signature.size() >= kShortestDer && signature.size() <= kLongestDer &&
           signature.back() == kSighashAll &&
           std::ranges::equal(chain::hash160(witness[1]), script.subspan(2));
}

// BIP341: one signature by the output's key. 64 bytes stand for SIGHASH_DEFAULT.
bool fits_taproot(const std::vector<base::Bytes>& witness) {
    if (witness.size() != 1) return false;
    const auto& signature = witness[0];
    return signature.size() == kSchnorr ||
           (signature.size() == kSchnorr + 1 && signature.back() == kSighashAll);
}

bool same_outputs(const chain::Transaction& a, const chain::Transaction& b) {
    return std::ranges::equal(a.outputs, b.outputs, [](const auto& x, const auto& y) {
        return x.value_sat == y.value_sat && x.script == y.script;
    });
}

std::optional<std::string> fault_of_input(const chain::TxInput& asked, const chain::TxInput& got,
                                          std::span<const ledger::Coin> coins) {
    if (got.previous != asked.previous || got.sequence != asked.sequence || !got.script.empty()) {
        return "is not the one that was asked for";
    }
    const auto coin = std::ranges::find(coins, asked.previous, &ledger::Coin::outpoint);
    if (coin == coins.end()) return "spends none of the coins that were named";
    const bool fits = chain::is_p2wpkh(coin->script) ? fits_key_hash(got.witness, coin->script)
                      : chain::is_p2tr(coin->script) ? fits_taproot(got.witness)
                                                     : false;
    if (!fits) return "has no signature by its coin's key over the whole transaction";
    return std::nullopt;
}

}  // namespace

std::optional<std::string> fault_of_signed(const chain::Transaction& asked,
                                           const chain::Transaction& got,
                                           std::span<const ledger::Coin> coins) {
    if (got.inputs.size() != asked.inputs.size()) return "it has another number of inputs";
    for (std::size_t i = 0; i < asked.inputs.size(); ++i) {
        if (const auto fault = fault_of_input(asked.inputs[i], got.inputs[i], coins)) {
            return fmt::format("input {} {}", i, *fault);
        }
    }
    if (!same_outputs(asked, got)) return "its outputs are not those that were asked for";
    if (got.version != asked.version || got.lock_time != asked.lock_time) {
        return "it has another version or lock time";
    }
    return std::nullopt;
}

}  // namespace adit::node
