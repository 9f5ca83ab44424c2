// SHA-256 for the hot path: an own kernel per instruction set, chosen once at run time, with one to
// four independent messages interleaved. Each kernel is checked against OpenSSL by tests.
// Pure, no allocation, safe from any thread. FIPS 180-4.
#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace adit::chain {

// The eight chaining words between 64-byte blocks, host order.
using Sha256State = std::array<std::uint32_t, 8>;
// A finished hash in internal order.
using Sha256Digest = std::array<std::uint8_t, 32>;

inline constexpr Sha256State kSha256Start{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// As many independent messages as a kernel interleaves.
inline constexpr std::size_t kSha256Lanes = 4;

// One instruction set's functions. Entry n - 1 of each array works on n messages at once; every
// pointer array that it is given has n elements. Inputs are read before outputs are written, so
// an output may overlap an input.
struct Sha256Kernel {
    // Folds `blocks` consecutive 64-byte blocks at data[i] into *states[i].
    using Compress = void (*)(Sha256State* const states[], const std::uint8_t* const data[],
                              std::size_t blocks);
    // SHA-256 of the 32-byte digest that *states[i] is: the second half of SHA-256d.
    using Finish = void (*)(const Sha256State* const states[], Sha256Digest* const out[]);
    // SHA-256d of a message of fixed length at data[i].
    using Double = void (*)(const std::uint8_t* const data[], Sha256Digest* const out[]);

    // Climbs a merkle tree: *nodes[i] = SHA-256d(*nodes[i] ++ branches[i][level]) for each level
    // from 0 to depth - 1.
    using Climb = void (*)(Sha256Digest* const nodes[], const Sha256Digest* const branches[],
                           std::size_t depth);

    std::string_view name;  // "sha-ni" or "portable"
    std::array<Compress, kSha256Lanes> compress;
    std::array<Finish, kSha256Lanes> finish;
    std::array<Double, kSha256Lanes> double_64;  // merkle nodes
    std::array<Double, kSha256Lanes> double_80;  // block headers
    std::array<Climb, kSha256Lanes> climb;
};

// The fastest kernel this processor runs. Chosen on first use.
const Sha256Kernel& sha256_kernel();
// Every kernel that this processor can run, the portable one always among them (for tests and
// bench).
std::span<const Sha256Kernel* const> sha256_kernels();

// A message hashed up to some whole number of 64-byte blocks.
struct Sha256Midstate {
    Sha256State state = kSha256Start;
    std::uint64_t length = 0;  // bytes folded in, a multiple of 64
};

// Folds the whole blocks at the front of prefix into a midstate; prefix.size() % 64 bytes at its
// end are not included and must be given to sha256d_tails() with what follows.
Sha256Midstate sha256_midstate(const Sha256Kernel& kernel, base::ByteSpan prefix);

// SHA-256 of one whole message.
Sha256Digest sha256_digest(const Sha256Kernel& kernel, base::ByteSpan bytes);

// SHA-256d of `count` (1..kSha256Lanes) messages: message i is the bytes of *midstates[i] followed
// by the `tail_size` bytes at tails[i]. Results in internal order at *out[i].
void sha256d_tails(const Sha256Kernel& kernel, const Sha256Midstate* const midstates[],
                   const std::uint8_t* const tails[], std::size_t tail_size, std::size_t count,
                   Sha256Digest* const out[]);

// SHA-256d of `count` (1..kSha256Lanes) 64-byte messages (merkle nodes), written to *out[i].
inline void sha256d_64(const Sha256Kernel& kernel, const std::uint8_t* const data[],
                       std::size_t count, Sha256Digest* const out[]) {
    kernel.double_64[count - 1](data, out);
}

// SHA-256d of `count` (1..kSha256Lanes) 80-byte block headers, written to *out[i].
inline void sha256d_80(const Sha256Kernel& kernel, const std::uint8_t* const data[],
                       std::size_t count, Sha256Digest* const out[]) {
    kernel.double_80[count - 1](data, out);
}

// Folds the first `depth` branches at branches[i] onto *nodes[i], for `count` (1..kSha256Lanes)
// nodes: faster than sha256d_64 level by level, since nothing leaves the registers in between.
inline void sha256d_climb(const Sha256Kernel& kernel, Sha256Digest* const nodes[],
                          const Sha256Digest* const branches[], std::size_t depth,
                          std::size_t count) {
    kernel.climb[count - 1](nodes, branches, depth);
}

}  // namespace adit::chain
