#include "chain/network.h"

#include "base/check.h"

#include <array>

namespace adit::chain {
namespace {

// In the order of the enum.
constexpr std::array<NetworkParams, 4> kNetworks{{
    {.network = Network::main,
     .name = "main",
     .rpc_name = "main",
     .bech32_hrp = "bc",
     .p2pkh_version = 0,
     .p2sh_version = 5,
     .genesis_hash = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
     .pow_limit_bits = 0x1d00ffff,
     .halving_interval = 210'000,
     .bits_need_template = false},
    {.network = Network::testnet4,
     .name = "testnet4",
     .rpc_name = "testnet4",
     .bech32_hrp = "tb",
     .p2pkh_version = 111,
     .p2sh_version = 196,
     .genesis_hash = "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
     .pow_limit_bits = 0x1d00ffff,
     .halving_interval = 210'000,
     .bits_need_template = true},
    {.network = Network::signet,
     .name = "signet",
     .rpc_name = "signet",
     .bech32_hrp = "tb",
     .p2pkh_version = 111,
     .p2sh_version = 196,
     .genesis_hash = "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
     .pow_limit_bits = 0x1e0377ae,
     .halving_interval = 210'000,
     .bits_need_template = false},
    {.network = Network::regtest,
     .name = "regtest",
     .rpc_name = "regtest",
     .bech32_hrp = "bcrt",
     .p2pkh_version = 111,
     .p2sh_version = 196,
     .genesis_hash = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
     .pow_limit_bits = 0x207fffff,
     .halving_interval = 150,
     .bits_need_template = true},
}};

constexpr std::int64_t kFirstSubsidySat = 5'000'000'000;

}  // namespace

const NetworkParams& params(Network network) {
    const auto& found = kNetworks[static_cast<std::size_t>(network)];
    ADIT_CHECK(found.network == network, "the table is in the order of the enum");
    return found;
}

std::optional<Network> network_from_name(std::string_view name) {
    for (const auto& network : kNetworks) {
        if (network.name == name) return network.network;
    }
    return std::nullopt;
}

std::int64_t block_subsidy_sat(const NetworkParams& network, std::int32_t height) {
    ADIT_CHECK(height >= 0, "heights count from 0");
    const auto halvings = height / network.halving_interval;
    return halvings < 64 ? kFirstSubsidySat >> halvings : 0;
}

}  // namespace adit::chain
