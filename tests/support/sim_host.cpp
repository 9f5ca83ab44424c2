#include "tests/support/sim_host.h"

#include "sim/difficulty.h"

namespace adit::tests {

sim::SimParams rules_with_block_hashes(std::uint64_t hashes) {
    auto params = sim::SimParams::regtest();
    // A window of one block never has the history that would move the bits.
    params.retarget = sim::RetargetRule{1, sim::bits_for_hashes(hashes, params.pow_limit_bits), 1};
    return params;
}

}  // namespace adit::tests
