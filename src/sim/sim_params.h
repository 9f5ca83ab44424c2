// The consensus rules that differ between the embedded chain's uses. Plain values; safe from any
// thread. Every use shares Bitcoin Core's regtest genesis block.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace adit::sim {

// Retargets at every block so that one is found per `block_s` seconds (see sim/difficulty.h for the
// rule). Without it every block has the genesis block's bits, as in Bitcoin Core's regtest.
struct RetargetRule {
    std::int32_t block_s = 20;
    std::uint32_t initial_bits = 0x207fffff;  // of the first blocks, until the rule has history
    std::int32_t window = 20;                 // blocks that the rule looks back
    // Blocks up to this height have the limit's bits, so that a chain can be given coins at once.
    std::int32_t easy_blocks = 0;
};

struct SimParams {
    static constexpr std::int32_t kNever = std::numeric_limits<std::int32_t>::max();

    // First heights at which a rule holds.
    std::int32_t bip34_height = 1;   // coinbases begin with the height; versions below 2 refused
    std::int32_t bip66_height = 1;   // versions below 3 refused
    std::int32_t bip65_height = 1;   // versions below 4 refused
    std::int32_t csv_height = 1;     // BIP68 relative locks, BIP113 median time
    std::int32_t segwit_height = 1;  // BIP141, BIP143

    std::int32_t halving_interval = 150;
    std::int32_t coinbase_maturity = 100;
    std::uint32_t pow_limit_bits = 0x207fffff;
    std::optional<RetargetRule> retarget;

    std::uint32_t block_version = 0x20000000;  // of templates
    // Whole blocks and undo data kept below the tip; older blocks keep their header alone.
    std::int32_t keep_blocks = 10'000;
    std::size_t max_mempool_transactions = 50'000;

    // Bitcoin Core's regtest (24 and later): all rules hold from the first block.
    static SimParams regtest() { return {}; }
    // bcoin's regtest: no BIP34 rule; CSV and segwit by BIP9 from 432, for which blocks signal.
    static SimParams bcoin_regtest() {
        SimParams params;
        params.bip34_height = kNever;
        params.bip66_height = 1251;
        params.bip65_height = 1351;
        params.csv_height = 432;
        params.segwit_height = 432;
        params.block_version = 0x20000003;
        return params;
    }
    // The demo's chain: regtest with a retarget to one block per block_s, after enough easy blocks
    // to make some coinbases mature. A coinbase is mature after few blocks, so that whoever looks
    // on sees it paid out.
    static SimParams demo(std::int32_t block_s, std::uint32_t initial_bits) {
        SimParams params;
        params.retarget = RetargetRule{block_s, initial_bits, 20, 110};
        params.coinbase_maturity = 5;
        params.keep_blocks = 1'000;
        return params;
    }
};

}  // namespace adit::sim
