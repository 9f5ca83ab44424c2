#include "tests/support/sim_host.h"

#include "sim/difficulty.h"

namespace adit::tests {

sim::SimParams rules_with_block_hashes(std::uint64_t hashes, std::int32_t block_s) {
    const auto limit = sim::SimParams::regtest().pow_limit_bits;
    return sim::SimParams::demo(block_s, sim::bits_for_hashes(hashes, limit));
}

}  // namespace adit::tests
