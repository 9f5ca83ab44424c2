// The hashes of Bitcoin: double SHA-256 for blocks and transactions, RIPEMD-160(SHA-256) for
// addresses. Pure functions on values, safe from any thread.
#pragma once

#include "base/bytes.h"

#include <array>
#include <compare>
#include <functional>

namespace adit::chain {

// 32 bytes in internal order (as hashed and as in block headers). People and RPC write such a hash
// with the bytes reversed.
struct Hash256 {
    std::array<std::uint8_t, 32> bytes{};

    // 64 hex digits in the order of RPC and block explorers; nullopt for anything else.
    static std::optional<Hash256> from_rpc_hex(std::string_view hex);
    std::string rpc_hex() const;

    bool is_zero() const { return *this == Hash256{}; }
    friend auto operator<=>(const Hash256&, const Hash256&) = default;
};

// For unordered containers: hashes are uniformly distributed already.
struct Hash256Hasher {
    std::size_t operator()(const Hash256& hash) const {
        return base::load_le<std::size_t>(hash.bytes.data());
    }
};

using Hash160 = std::array<std::uint8_t, 20>;

Hash256 sha256(base::ByteSpan bytes);
// SHA-256 of SHA-256.
Hash256 sha256d(base::ByteSpan bytes);
// RIPEMD-160 of SHA-256.
Hash160 hash160(base::ByteSpan bytes);
// SHA-256d of the 64 bytes left ++ right: one node of a merkle tree.
Hash256 sha256d_pair(const Hash256& left, const Hash256& right);

}  // namespace adit::chain
