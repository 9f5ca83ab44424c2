#include "chain/network.h"

#include <gtest/gtest.h>

namespace adit::chain {
namespace {

TEST(Network, EveryNetworkIsFoundByItsName) {
    for (const auto network :
         {Network::main, Network::testnet4, Network::signet, Network::regtest}) {
        EXPECT_EQ(params(network).network, network);
        EXPECT_EQ(network_from_name(params(network).name), network);
        EXPECT_TRUE(Hash256::from_rpc_hex(params(network).genesis_hash));
        EXPECT_TRUE(target_from_compact(params(network).pow_limit_bits));
    }
    EXPECT_FALSE(network_from_name("testnet"));
    EXPECT_FALSE(network_from_name("Main"));
    EXPECT_FALSE(network_from_name(""));
}

TEST(Network, TestNetworksShareAddressesButNotChains) {
    const auto& testnet4 = params(Network::testnet4);
    const auto& signet = params(Network::signet);
    EXPECT_EQ(testnet4.bech32_hrp, signet.bech32_hrp);
    EXPECT_EQ(testnet4.p2pkh_version, signet.p2pkh_version);
    EXPECT_NE(testnet4.genesis_hash, signet.genesis_hash);
    EXPECT_EQ(params(Network::regtest).bech32_hrp, "bcrt");
}

TEST(Network, GenesisHashesMeetTheirProofOfWorkLimit) {
    for (const auto network :
         {Network::main, Network::testnet4, Network::signet, Network::regtest}) {
        const auto limit = target_from_compact(params(network).pow_limit_bits);
        EXPECT_TRUE(limit->met_by(*Hash256::from_rpc_hex(params(network).genesis_hash)));
    }
}

TEST(Network, OnlyChainsWhoseDifficultyFallsBetweenRetargetsNeedATemplate) {
    EXPECT_FALSE(params(Network::main).bits_need_template);
    EXPECT_FALSE(params(Network::signet).bits_need_template);
    EXPECT_TRUE(params(Network::testnet4).bits_need_template);
    EXPECT_TRUE(params(Network::regtest).bits_need_template);
}

TEST(Network, SubsidyHalvesUntilNothingIsLeft) {
    const auto& main = params(Network::main);
    EXPECT_EQ(block_subsidy_sat(main, 0), 5'000'000'000);
    EXPECT_EQ(block_subsidy_sat(main, 209'999), 5'000'000'000);
    EXPECT_EQ(block_subsidy_sat(main, 210'000), 2'500'000'000);
    EXPECT_EQ(block_subsidy_sat(main, 840'000), 312'500'000);
    EXPECT_EQ(block_subsidy_sat(main, 32 * 210'000), 1);
    EXPECT_EQ(block_subsidy_sat(main, 33 * 210'000), 0);
    EXPECT_EQ(block_subsidy_sat(main, 64 * 210'000), 0);
    EXPECT_EQ(block_subsidy_sat(main, 2'147'483'647), 0);
    EXPECT_EQ(block_subsidy_sat(params(Network::regtest), 150), 2'500'000'000);
}

TEST(Network, AllSubsidiesTogetherStayBelowTwentyOneMillion) {
    const auto& main = params(Network::main);
    std::int64_t sum = 0;
    for (std::int32_t era = 0; era < 64; ++era) {
        sum += block_subsidy_sat(main, era * main.halving_interval) * main.halving_interval;
    }
    EXPECT_EQ(sum, 2'099'999'997'690'000);
}

}  // namespace
}  // namespace adit::chain
