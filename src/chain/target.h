// Targets, difficulties and work. Targets and work are exact integers; a difficulty is the double
// that goes over the wire, and it turns into a target by integer arithmetic on its mantissa and
// exponent, so every machine computes the same. Pure, safe from any thread.
#pragma once

#include "base/u256.h"
#include "chain/hash.h"

#include <compare>
#include <string>

namespace adit::chain {

// A hash meets a target when, read as a little-endian integer, it is at most the target.
struct Target {
    base::U256 value;

    bool met_by(const Hash256& hash) const { return base::U256::from_le(hash.bytes) <= value; }
    friend auto operator<=>(const Target&, const Target&) = default;
};

// nBits to target and back (Bitcoin's compact format). Negative, zero and overflowing encodings
// yield nullopt.
std::optional<Target> target_from_compact(std::uint32_t bits);
std::uint32_t compact_from_target(const Target& target);

// bdiff: difficulty 1 is the target 0x00000000ffff0000...00. Finite and > 0, at most 2^53.
class Difficulty {
 public:
    // nullopt for NaN, infinities, zero, negatives and values above 2^53 or below 2^-40. From 1 up
    // the value is rounded down to an integer, as Stratum sends it, so that what a miner reads is
    // exactly what its shares are judged by.
    static std::optional<Difficulty> from_double(double value);
    // The largest wire difficulty whose target is at least `target` (so a share of this difficulty
    // never demands more than a block does).
    static Difficulty from_target(const Target& target);

    // floor(difficulty-1 target / difficulty), saturated to 2^256 - 1. Exact.
    Target target() const;
    double value() const { return value_; }
    // As Stratum sends it: an integer from 1 up, below 1 the shortest decimal (never with an
    // exponent) that reads back as the same double.
    std::string wire() const;

    Difficulty() = default;
    friend auto operator<=>(const Difficulty&, const Difficulty&) = default;

 private:
    explicit Difficulty(double value) : value_(value) {}
    double value_ = 1;
};

// Expected hashes to meet a target, as fixed point with kWorkFraction binary places:
// floor(2^(256 + 16) / (target + 1)). Saturates at 2^128 - 1. Sums are exact. A bit-by-bit
// division: compute it once per difficulty, not once per share.
inline constexpr unsigned kWorkFraction = 16;
using Work = base::U128;
Work work_of(const Target& target);
// For people: work as expected hashes.
double hashes_of(Work work);

}  // namespace adit::chain
