#include "miner/scanner.h"

#include "chain/block.h"

#include <gtest/gtest.h>

namespace adit::miner {
namespace {

base::Bytes bytes(std::string_view hex) {
    return *base::from_hex(hex);
}

// The genesis block as a job: extranonce1 and extranonce2 are bytes of its famous headline.
std::shared_ptr<PoolJob> genesis_job() {
    auto job = std::make_shared<PoolJob>();
    job->coinbase1 = bytes(
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff"
        "001d0104");
    job->extranonce1 = bytes("45");
    job->extranonce2_size = 2;
    job->coinbase2 = bytes(
        "652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365"
        "636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548"
        "271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7"
        "ba0b8d578a4c702b6bf11d5fac00000000");
    job->version = 1;
    job->bits = 0x1d00ffff;
    job->ntime = 1231006505;
    job->difficulty = *chain::Difficulty::from_double(1);
    job->share_target = job->difficulty.target();
    job->network_target = *chain::target_from_compact(job->bits);
    return job;
}

// Every hash of the present kernel meets this.
chain::Target easy(unsigned zero_bits) {
    return {base::U256::max() >> zero_bits};
}

chain::Hash256 rebuild(const Share& share) {
    base::Bytes coinbase = share.job->coinbase1;
    base::append(coinbase, share.job->extranonce1);
    base::append(coinbase, share.extranonce2);
    base::append(coinbase, share.job->coinbase2);
    chain::BlockHeader header;
    header.version = static_cast<std::int32_t>(share.version);
    header.previous = share.job->previous;
    header.merkle_root = chain::fold_branches(chain::sha256d(coinbase), share.job->branches);
    header.time = share.ntime;
    header.bits = share.job->bits;
    header.nonce = share.nonce;
    return header.hash();
}

TEST(Scanner, FindsTheGenesisBlock) {
    constexpr std::uint32_t kNonce = 2083236893;
    constexpr std::uint64_t kExtranonce2 = 0x5468;  // "Th"
    constexpr std::uint64_t kLap = kNonce / kNoncesPerUnit;
    for (const auto* kernel : chain::sha256_kernels()) {
        const auto unit = make_unit(genesis_job(), kLap << 16 | kExtranonce2, *kernel);
        const auto offset = (kNonce - unit.first_nonce) / 64 * 64;
        std::vector<Share> found;
        scan(unit, offset, 64, *kernel, found);
        ASSERT_EQ(found.size(), 1U) << kernel->name;
        EXPECT_EQ(found[0].nonce, kNonce);
        EXPECT_TRUE(found[0].block);
        EXPECT_EQ(found[0].extranonce2, bytes("5468"));
        EXPECT_EQ(found[0].hash.rpc_hex(),
                  "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
    }
}

TEST(Scanner, FindsExactlyTheHeadersThatMeetTheTarget) {
    auto job = genesis_job();
    job->share_target = easy(5);
    job->network_target = easy(8);
    job->branches.resize(3);
    job->branches[1].bytes.fill(7);
    job->version_mask = 0x1fffe000;
    const auto& kernel = chain::sha256_kernel();
    const auto unit = make_unit(job, 6, kernel);
    std::vector<Share> found;
    scan(unit, 128, 1024, kernel, found);

    std::set<std::uint32_t> expected;
    for (std::uint32_t nonce = 128; nonce < 128 + 1024; ++nonce) {
        const Share share{job, unit.extranonce2, job->ntime, nonce, unit.version, {}, false};
        if (job->share_target.met_by(rebuild(share))) expected.insert(nonce);
    }
    std::set<std::uint32_t> nonces;
    for (const auto& share : found) {
        nonces.insert(share.nonce);
        EXPECT_EQ(share.hash, rebuild(share));
        EXPECT_EQ(share.block, job->network_target.met_by(share.hash));
    }
    EXPECT_EQ(nonces, expected);
    EXPECT_GT(expected.size(), 0U);
}

TEST(Scanner, RollsTheVersionInsideTheMaskOnly) {
    auto job = genesis_job();
    job->version = 0x3fffe001;
    job->version_mask = 0x1fffe000;
    std::set<std::uint32_t> versions;
    for (std::uint64_t number = 0; number < 4; ++number) {
        const auto unit = make_unit(job, number, chain::sha256_kernel());
        EXPECT_EQ(unit.version & ~job->version_mask, 0x20000001U);
        EXPECT_EQ(unit.extranonce2, bytes("0000"));
        versions.insert(unit.version);
    }
    EXPECT_EQ(versions, (std::set<std::uint32_t>{0x20000001, 0x20002001, 0x20004001, 0x20006001}));
    EXPECT_EQ(make_unit(job, 4, chain::sha256_kernel()).extranonce2, bytes("0001"));
}

TEST(Scanner, NeverRepeatsAHeaderUntilTheSpaceIsUsedUp) {
    auto job = genesis_job();
    job->extranonce2_size = 1;
    job->version_mask = 0x6000;
    std::set<std::tuple<base::Bytes, std::uint32_t, std::uint32_t>> seen;
    constexpr std::uint64_t kUnits = 256 * 4 * 8;
    for (std::uint64_t number = 0; number < kUnits; ++number) {
        const auto unit = make_unit(job, number, chain::sha256_kernel());
        seen.insert({unit.extranonce2, unit.version, unit.first_nonce});
    }
    EXPECT_EQ(seen.size(), kUnits);
}

TEST(Scanner, LeavesTheVersionAloneWithoutAMask) {
    const auto unit = make_unit(genesis_job(), 3, chain::sha256_kernel());
    EXPECT_EQ(unit.version, 1U);
    EXPECT_EQ(unit.extranonce2, bytes("0003"));
}

}  // namespace
}  // namespace adit::miner
