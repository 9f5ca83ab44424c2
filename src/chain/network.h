// The chains Adit mines on and their constants (Bitcoin Core chainparams).
#pragma once

#include "chain/hash.h"
#include "chain/target.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace adit::chain {

enum class Network { main, testnet4, signet, regtest };

struct NetworkParams {
    Network network;
    std::string_view name;        // in the configuration: "main", "testnet4", "signet", "regtest"
    std::string_view rpc_name;    // getblockchaininfo's "chain" of Bitcoin Core
    std::string_view bech32_hrp;  // "bc", "tb", "bcrt"
    std::uint8_t p2pkh_version;
    std::uint8_t p2sh_version;
    std::string_view genesis_hash;  // RPC order
    std::uint32_t pow_limit_bits;
    std::int32_t halving_interval;
    // Difficulty may fall between retargets (testnet4, regtest), so the next block's bits cannot be
    // told from the tip's header alone.
    bool bits_need_template;
};

const NetworkParams& params(Network network);
std::optional<Network> network_from_name(std::string_view name);

// New coins of a block at this height, in satoshis.
std::int64_t block_subsidy_sat(const NetworkParams& network, std::int32_t height);

}  // namespace adit::chain
