// SHA-256 for the hot path: an own kernel per instruction set, chosen once at run time, with one,
// two or four independent messages interleaved. Each kernel is checked against OpenSSL by tests.
// Pure, no allocation, safe from any thread. FIPS 180-4.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace adit::chain {

// The eight chaining words between 64-byte blocks, host order.
using Sha256State = std::array<std::uint32_t, 8>;

inline constexpr Sha256State kSha256Start{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// One instruction set's compression functions. Lanes are independent messages.
struct Sha256Kernel {
    std::string_view name;  // "sha-ni" or "portable"
    // Folds `blocks` consecutive 64-byte blocks at `data` into the state.
    void (*compress)(Sha256State& state, const std::uint8_t* data, std::size_t blocks);
    // The same for 2 and 4 messages at once, each with its own state and data, equal block counts.
    void (*compress2)(Sha256State* const states[2], const std::uint8_t* const data[2],
                      std::size_t blocks);
    void (*compress4)(Sha256State* const states[4], const std::uint8_t* const data[4],
                      std::size_t blocks);
};

// The fastest kernel this processor runs. Chosen on first use.
const Sha256Kernel& sha256_kernel();
// Every kernel that this processor can run, the portable one always among them (for tests and bench).
std::span<const Sha256Kernel* const> sha256_kernels();

// A message hashed up to some whole number of 64-byte blocks.
struct Sha256Midstate {
    Sha256State state = kSha256Start;
    std::uint64_t length = 0;  // bytes folded in, a multiple of 64
};

// Folds the whole blocks at the front of prefix into a midstate; prefix.size() % 64 bytes at its end
// are not included and must be given to finish_*().
Sha256Midstate sha256_midstate(const Sha256Kernel& kernel, base::ByteSpan prefix);

// SHA-256d of N messages of equal length that share one midstate: message i is the midstate's bytes
// followed by the `tail_size` bytes at tails[i]. Results in internal order at out[i].
// count is 1..kSha256Lanes; the kernel interleaves as many as it can.
inline constexpr std::size_t kSha256Lanes = 4;
void sha256d_tails(const Sha256Kernel& kernel, const Sha256Midstate* const midstates[],
                   const std::uint8_t* const tails[], std::size_t tail_size, std::size_t count,
                   std::array<std::uint8_t, 32>* const out[]);

// SHA-256d of `count` (1..4) 64-byte messages (merkle nodes), written to out[i].
void sha256d_64(const Sha256Kernel& kernel, const std::uint8_t* const data[], std::size_t count,
                std::array<std::uint8_t, 32>* const out[]);

// SHA-256d of `count` (1..4) 80-byte block headers, written to out[i].
void sha256d_80(const Sha256Kernel& kernel, const std::uint8_t* const data[], std::size_t count,
                std::array<std::uint8_t, 32>* const out[]);

}  // namespace adit::chain
