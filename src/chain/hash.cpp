#include "chain/hash.h"

#include "base/check.h"
#include "chain/sha256.h"

#include <openssl/evp.h>

#include <algorithm>

namespace adit::chain {

std::optional<Hash256> Hash256::from_rpc_hex(std::string_view hex) {
    Hash256 hash;
    if (!base::from_hex(hex, hash.bytes)) return std::nullopt;
    std::reverse(hash.bytes.begin(), hash.bytes.end());
    return hash;
}

std::string Hash256::rpc_hex() const {
    auto reversed = bytes;
    std::reverse(reversed.begin(), reversed.end());
    return base::to_hex(reversed);
}

Hash256 sha256(base::ByteSpan bytes) {
    return {sha256_digest(sha256_kernel(), bytes)};
}

Hash256 sha256d(base::ByteSpan bytes) {
    const auto& kernel = sha256_kernel();
    const auto midstate = sha256_midstate(kernel, bytes);
    const auto* const midstates = &midstate;
    const std::uint8_t* const tail = bytes.data() + midstate.length;
    Hash256 hash;
    auto* const out = &hash.bytes;
    sha256d_tails(kernel, &midstates, &tail, bytes.size() - midstate.length, 1, &out);
    return hash;
}

Hash160 hash160(base::ByteSpan bytes) {
    const auto inner = sha256(bytes);
    Hash160 hash;
    unsigned size = 0;
    const bool done = EVP_Digest(inner.bytes.data(), inner.bytes.size(), hash.data(), &size,
                                 EVP_ripemd160(), nullptr) == 1;
    ADIT_CHECK(done && size == hash.size(), "OpenSSL without RIPEMD-160");
    return hash;
}

Hash256 sha256d_pair(const Hash256& left, const Hash256& right) {
    std::array<std::uint8_t, 64> both;
    std::copy(left.bytes.begin(), left.bytes.end(), both.begin());
    std::copy(right.bytes.begin(), right.bytes.end(), both.begin() + 32);
    const std::uint8_t* const data = both.data();
    Hash256 hash;
    auto* const out = &hash.bytes;
    sha256d_64(sha256_kernel(), &data, 1, &out);
    return hash;
}

}  // namespace adit::chain
