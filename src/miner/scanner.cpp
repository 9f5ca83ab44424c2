#include "miner/scanner.h"

#include "base/check.h"
#include "chain/block.h"

namespace adit::miner {

namespace {

constexpr std::size_t kTailOffset = 64;
constexpr std::size_t kTailSize = 16;  // the end of the merkle root, time, bits, nonce
constexpr std::size_t kNonceOffset = 12;
constexpr std::size_t kLanes = chain::kSha256Lanes;

// How many of the lowest bits of a mask are rolled: at most two, so four versions a unit.
unsigned rolled_bits(std::uint32_t mask) {
    return static_cast<unsigned>(std::min(std::popcount(mask), 2));
}

// Puts the low bits of `value` into the set bits of `mask`, lowest first.
std::uint32_t deposit(std::uint64_t value, std::uint32_t mask) {
    std::uint32_t result = 0;
    for (; mask != 0; mask &= mask - 1, value >>= 1) {
        if ((value & 1) != 0) result |= mask & (~mask + 1);
    }
    return result;
}

chain::Hash256 coinbase_txid(const PoolJob& job, base::ByteSpan extranonce2) {
    base::Bytes coinbase;
    coinbase.reserve(job.coinbase1.size() + job.extranonce1.size() + extranonce2.size() +
                     job.coinbase2.size());
    base::append(coinbase, job.coinbase1);
    base::append(coinbase, job.extranonce1);
    base::append(coinbase, extranonce2);
    base::append(coinbase, job.coinbase2);
    return chain::sha256d(coinbase);
}

}  // namespace

WorkUnit make_unit(PoolJobRef job, std::uint64_t number, const chain::Sha256Kernel& kernel) {
    WorkUnit unit;
    const auto roll_bits = rolled_bits(job->version_mask);
    const std::uint64_t roll = number & ((1U << roll_bits) - 1);
    std::uint64_t counter = number >> roll_bits;
    // extranonce2 counts up big-endian; what does not fit moves the nonces.
    unit.extranonce2.resize(job->extranonce2_size);
    for (std::size_t i = job->extranonce2_size; i-- > 0 && counter != 0; counter >>= 8) {
        unit.extranonce2[i] = static_cast<std::uint8_t>(counter);
    }
    unit.first_nonce = static_cast<std::uint32_t>(counter * kNoncesPerUnit);
    unit.version = (job->version & ~job->version_mask) | deposit(roll, job->version_mask);

    chain::BlockHeader header;
    header.version = static_cast<std::int32_t>(unit.version);
    header.previous = job->previous;
    header.merkle_root = chain::fold_branches(coinbase_txid(*job, unit.extranonce2), job->branches);
    header.time = job->ntime;
    header.bits = job->bits;
    unit.header = header.serialize();
    unit.midstate = chain::sha256_midstate(kernel, base::ByteSpan(unit.header).first(kTailOffset));
    unit.job = std::move(job);
    return unit;
}

void scan(const WorkUnit& unit, std::uint64_t from, std::uint64_t count,
          const chain::Sha256Kernel& kernel, std::vector<Share>& found) {
    ADIT_CHECK(from % kLanes == 0 && count % kLanes == 0 && from + count <= kNoncesPerUnit,
               "a scan stays inside its unit");
    std::array<std::array<std::uint8_t, kTailSize>, kLanes> tails;
    std::array<chain::Hash256, kLanes> hashes;
    const chain::Sha256Midstate* midstates[kLanes];
    const std::uint8_t* tail_pointers[kLanes];
    std::array<std::uint8_t, 32>* outs[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::memcpy(tails[lane].data(), unit.header.data() + kTailOffset, kTailSize);
        midstates[lane] = &unit.midstate;
        tail_pointers[lane] = tails[lane].data();
        outs[lane] = &hashes[lane].bytes;
    }
    // The highest 64 bits decide nearly always.
    const std::uint64_t limit = unit.job->share_target.value.limb(3);
    for (std::uint64_t offset = from; offset < from + count; offset += kLanes) {
        const auto nonce = unit.first_nonce + static_cast<std::uint32_t>(offset);
        for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
            base::store_le(tails[lane].data() + kNonceOffset, nonce + lane);
        }
        chain::sha256d_tails(kernel, midstates, tail_pointers, kTailSize, kLanes, outs);
        for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
            const chain::Hash256& hash = hashes[lane];
            if (base::load_le<std::uint64_t>(hash.bytes.data() + 24) > limit) continue;
            if (!unit.job->share_target.met_by(hash)) continue;
            found.push_back({unit.job, unit.extranonce2, unit.job->ntime, nonce + lane,
                             unit.version, hash, unit.job->network_target.met_by(hash)});
        }
    }
}

}  // namespace adit::miner
