// What a share check costs in hashing: a 300-byte coinbase whose first block is in the midstate,
// twelve branches, and the header, on every kernel and on OpenSSL. Compare items_per_second within
// one run: one lane is to be at least 1.3 x OpenSSL, four lanes at least 2.5 x.
// OpenSSL's low-level functions are deprecated but are its fastest, so they are the yardstick.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "chain/sha256.h"

#include <benchmark/benchmark.h>
#include <openssl/sha.h>

#include <random>

namespace {

using adit::chain::kSha256Lanes;
using adit::chain::Sha256Digest;
using adit::chain::Sha256Kernel;
using adit::chain::Sha256Midstate;

constexpr std::size_t kCoinbaseSize = 300;
constexpr std::size_t kBranches = 12;
constexpr std::size_t kRootAt = 36;  // in a header

struct Material {
    std::array<std::array<std::uint8_t, kCoinbaseSize>, kSha256Lanes> coinbases;
    std::array<Sha256Digest, kBranches> branches;
    std::array<std::array<std::uint8_t, 80>, kSha256Lanes> headers;

    Material() {
        std::mt19937_64 random(1);
        const auto fill = [&](auto& bytes) {
            for (auto& byte : bytes)
                byte = static_cast<std::uint8_t>(random());
        };
        for (auto& coinbase : coinbases)
            fill(coinbase);
        for (auto& branch : branches)
            fill(branch);
        for (auto& header : headers)
            fill(header);
    }
};

void openssl_twice(const SHA256_CTX& before, const std::uint8_t* data, std::size_t size,
                   std::uint8_t* out) {
    SHA256_CTX context = before;
    Sha256Digest once;
    SHA256_Update(&context, data, size);
    SHA256_Final(once.data(), &context);
    SHA256_Init(&context);
    SHA256_Update(&context, once.data(), once.size());
    SHA256_Final(out, &context);
}

void share_check_openssl(benchmark::State& state) {
    Material material;
    SHA256_CTX start;
    SHA256_Init(&start);
    SHA256_CTX midstate = start;
    SHA256_Update(&midstate, material.coinbases[0].data(), 64);
    std::array<std::uint8_t, 64> node;
    for (auto _ : state) {
        ++material.coinbases[0][100];
        openssl_twice(midstate, material.coinbases[0].data() + 64, kCoinbaseSize - 64, node.data());
        for (const auto& branch : material.branches) {
            std::copy(branch.begin(), branch.end(), node.begin() + 32);
            openssl_twice(start, node.data(), node.size(), node.data());
        }
        auto& header = material.headers[0];
        std::copy_n(node.begin(), 32, header.begin() + kRootAt);
        openssl_twice(start, header.data(), header.size(), node.data());
        benchmark::DoNotOptimize(node);
    }
    state.SetItemsProcessed(state.iterations());
}

void share_check(benchmark::State& state, const Sha256Kernel& kernel, std::size_t lanes) {
    Material material;
    const auto midstate = sha256_midstate(kernel, std::span{material.coinbases[0]}.first(64));
    std::array<Sha256Digest, kSha256Lanes> nodes;
    std::array<const Sha256Midstate*, kSha256Lanes> midstates{};
    std::array<const std::uint8_t*, kSha256Lanes> tails{}, header{};
    std::array<const Sha256Digest*, kSha256Lanes> branches{};
    std::array<Sha256Digest*, kSha256Lanes> out{};
    for (std::size_t i = 0; i < lanes; ++i) {
        midstates[i] = &midstate;
        tails[i] = material.coinbases[i].data() + 64;
        branches[i] = material.branches.data();
        header[i] = material.headers[i].data();
        out[i] = &nodes[i];
    }
    for (auto _ : state) {
        for (std::size_t i = 0; i < lanes; ++i)
            ++material.coinbases[i][100];
        sha256d_tails(kernel, midstates.data(), tails.data(), kCoinbaseSize - 64, lanes,
                      out.data());
        sha256d_climb(kernel, out.data(), branches.data(), kBranches, lanes);
        for (std::size_t i = 0; i < lanes; ++i) {
            std::copy(nodes[i].begin(), nodes[i].end(), material.headers[i].begin() + kRootAt);
        }
        sha256d_80(kernel, header.data(), lanes, out.data());
        benchmark::DoNotOptimize(nodes);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(lanes));
}

void merkle_nodes(benchmark::State& state, const Sha256Kernel& kernel, std::size_t lanes) {
    Material material;
    std::array<const std::uint8_t*, kSha256Lanes> data{};
    std::array<Sha256Digest, kSha256Lanes> digests;
    std::array<Sha256Digest*, kSha256Lanes> out{};
    for (std::size_t i = 0; i < lanes; ++i) {
        data[i] = material.coinbases[i].data();
        out[i] = &digests[i];
    }
    for (auto _ : state) {
        sha256d_64(kernel, data.data(), lanes, out.data());
        benchmark::DoNotOptimize(digests);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(lanes));
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RegisterBenchmark("share_check/openssl", share_check_openssl);
    for (const auto* kernel : adit::chain::sha256_kernels()) {
        for (std::size_t lanes = 1; lanes <= kSha256Lanes; ++lanes) {
            const auto name = fmt::format("{}/{}", kernel->name, lanes);
            benchmark::RegisterBenchmark(
                fmt::format("share_check/{}", name).c_str(),
                [=](benchmark::State& state) { share_check(state, *kernel, lanes); });
            benchmark::RegisterBenchmark(
                fmt::format("merkle_nodes/{}", name).c_str(),
                [=](benchmark::State& state) { merkle_nodes(state, *kernel, lanes); });
        }
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
