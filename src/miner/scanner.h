// The search itself: headers of one work unit, four nonces at a time from the midstate of the
// header's first 64 bytes. Pure, no threads, no clock.
#pragma once

#include "chain/sha256.h"
#include "miner/pool_job.h"

namespace adit::miner {

// Nonces per unit; then extranonce2 or the version moves on.
inline constexpr std::uint64_t kNoncesPerUnit = 1 << 22;

// One (extranonce2, version) of a job and a range of nonces. ntime is never rolled.
struct WorkUnit {
    PoolJobRef job;
    base::Bytes extranonce2;
    std::uint32_t version = 0;
    std::uint32_t first_nonce = 0;  // kNoncesPerUnit of them from here
    std::array<std::uint8_t, 80> header{};
    chain::Sha256Midstate midstate;  // of header[0..64)
};

// The unit with this number. Units with different numbers never contain the same header until the
// job's whole space is used up (2^32 x extranonce2 values x four versions when there is a mask).
WorkUnit make_unit(PoolJobRef job, std::uint64_t number, const chain::Sha256Kernel& kernel);

// Hashes `count` nonces of the unit from offset `from` (from + count <= kNoncesPerUnit; both
// multiples of four) and appends what meets the share target.
void scan(const WorkUnit& unit, std::uint64_t from, std::uint64_t count,
          const chain::Sha256Kernel& kernel, std::vector<Share>& found);

}  // namespace adit::miner
