#include "chain/sha256.h"

#include "chain/hash.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <random>

namespace adit::chain {
namespace {

using base::Bytes;

Bytes random_bytes(std::mt19937_64& random, std::size_t size) {
    Bytes bytes(size);
    for (auto& byte : bytes)
        byte = static_cast<std::uint8_t>(random());
    return bytes;
}

Sha256Digest openssl_once(base::ByteSpan bytes) {
    Sha256Digest digest;
    SHA256(bytes.data(), bytes.size(), digest.data());
    return digest;
}
Sha256Digest openssl_twice(base::ByteSpan bytes) {
    return openssl_once(openssl_once(bytes));
}

// A few messages and where their hashes go.
struct Lanes {
    std::vector<Bytes> messages;
    std::array<const std::uint8_t*, kSha256Lanes> data{};
    std::array<Sha256Digest, kSha256Lanes> digests{};
    std::array<Sha256Digest*, kSha256Lanes> out{};

    Lanes(std::mt19937_64& random, std::size_t count, std::size_t size) {
        for (std::size_t i = 0; i < count; ++i) {
            messages.push_back(random_bytes(random, size));
            out[i] = &digests[i];
        }
        for (std::size_t i = 0; i < count; ++i)
            data[i] = messages[i].data();
    }
};

class EveryKernel : public testing::TestWithParam<const Sha256Kernel*> {
 protected:
    const Sha256Kernel& kernel() const { return *GetParam(); }
};

TEST_P(EveryKernel, HashesMessagesOfEveryLengthAsOpensslDoes) {
    std::mt19937_64 random(1);
    for (std::size_t size = 0; size <= 300; ++size) {
        const auto message = random_bytes(random, size);
        ASSERT_EQ(sha256_digest(kernel(), message), openssl_once(message)) << size;
    }
}

TEST_P(EveryKernel, HashesTailsBehindMidstatesAsOpensslHashesTheWhole) {
    std::mt19937_64 random(2);
    for (std::size_t count = 1; count <= kSha256Lanes; ++count) {
        for (std::size_t tail = 0; tail <= 330; ++tail) {
            Lanes lanes(random, count, tail);
            std::array<Sha256Midstate, kSha256Lanes> midstates;
            std::array<const Sha256Midstate*, kSha256Lanes> midstate{};
            std::vector<Bytes> prefixes;
            for (std::size_t i = 0; i < count; ++i) {
                prefixes.push_back(random_bytes(random, 64 * (random() % 4)));
                midstates[i] = sha256_midstate(kernel(), prefixes[i]);
                midstate[i] = &midstates[i];
            }
            sha256d_tails(kernel(), midstate.data(), lanes.data.data(), tail, count,
                          lanes.out.data());
            for (std::size_t i = 0; i < count; ++i) {
                base::append(prefixes[i], lanes.messages[i]);
                ASSERT_EQ(lanes.digests[i], openssl_twice(prefixes[i])) << count << " " << tail;
            }
        }
    }
}

TEST_P(EveryKernel, HashesMerkleNodesAndHeadersAsOpensslDoes) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 200; ++round) {
        for (std::size_t count = 1; count <= kSha256Lanes; ++count) {
            Lanes nodes(random, count, 64);
            Lanes headers(random, count, 80);
            sha256d_64(kernel(), nodes.data.data(), count, nodes.out.data());
            sha256d_80(kernel(), headers.data.data(), count, headers.out.data());
            for (std::size_t i = 0; i < count; ++i) {
                ASSERT_EQ(nodes.digests[i], openssl_twice(nodes.messages[i])) << count;
                ASSERT_EQ(headers.digests[i], openssl_twice(headers.messages[i])) << count;
            }
        }
    }
}

TEST_P(EveryKernel, WritesEachOutputOverItsInput) {
    std::mt19937_64 random(4);
    for (std::size_t count = 1; count <= kSha256Lanes; ++count) {
        Lanes nodes(random, count, 64);
        std::array<Sha256Digest*, kSha256Lanes> out{};
        std::vector<Sha256Digest> expected;
        for (std::size_t i = 0; i < count; ++i) {
            expected.push_back(openssl_twice(nodes.messages[i]));
            out[i] = reinterpret_cast<Sha256Digest*>(nodes.messages[i].data());
        }
        sha256d_64(kernel(), nodes.data.data(), count, out.data());
        for (std::size_t i = 0; i < count; ++i)
            EXPECT_EQ(*out[i], expected[i]);
    }
}

TEST_P(EveryKernel, ClimbsAMerkleTreeAsOpensslDoesLevelByLevel) {
    std::mt19937_64 random(6);
    for (std::size_t count = 1; count <= kSha256Lanes; ++count) {
        for (std::size_t depth = 0; depth <= 14; ++depth) {
            std::array<Sha256Digest, kSha256Lanes> nodes;
            std::array<std::vector<Sha256Digest>, kSha256Lanes> branches;
            std::array<Sha256Digest*, kSha256Lanes> node{};
            std::array<const Sha256Digest*, kSha256Lanes> branch{};
            std::array<Sha256Digest, kSha256Lanes> expected;
            for (std::size_t i = 0; i < count; ++i) {
                nodes[i] = expected[i] = openssl_once(random_bytes(random, 8));
                for (std::size_t level = 0; level < depth; ++level) {
                    branches[i].push_back(openssl_once(random_bytes(random, 8)));
                    Bytes both(expected[i].begin(), expected[i].end());
                    base::append(both, branches[i].back());
                    expected[i] = openssl_twice(both);
                }
                node[i] = &nodes[i];
                branch[i] = branches[i].data();
            }
            sha256d_climb(kernel(), node.data(), branch.data(), depth, count);
            for (std::size_t i = 0; i < count; ++i)
                ASSERT_EQ(nodes[i], expected[i]) << depth;
        }
    }
}

TEST_P(EveryKernel, MidstateCoversOnlyWholeBlocks) {
    std::mt19937_64 random(5);
    const auto prefix = random_bytes(random, 200);
    const auto midstate = sha256_midstate(kernel(), prefix);
    EXPECT_EQ(midstate.length, 192U);
    EXPECT_EQ(midstate.state, sha256_midstate(kernel(), base::ByteSpan{prefix}.first(192)).state);
    const auto empty = sha256_midstate(kernel(), base::ByteSpan{prefix}.first(63));
    EXPECT_EQ(empty.length, 0U);
    EXPECT_EQ(empty.state, kSha256Start);
}

INSTANTIATE_TEST_SUITE_P(Sha256, EveryKernel,
                         testing::ValuesIn(sha256_kernels().begin(), sha256_kernels().end()),
                         [](const auto& kernel) {
                             std::string name(kernel.param->name);
                             std::erase(name, '-');
                             return name;
                         });

TEST(Sha256, PrefersTheFirstKernelAndAlwaysHasThePortableOne) {
    EXPECT_EQ(&sha256_kernel(), sha256_kernels().front());
    EXPECT_EQ(sha256_kernels().back()->name, "portable");
}

TEST(Sha256DeathTest, RefusesLaneCountsThatNoKernelHas) {
    const Sha256Midstate midstate;
    const std::array<const Sha256Midstate*, 5> midstates{&midstate, &midstate, &midstate, &midstate,
                                                         &midstate};
    const std::uint8_t byte = 0;
    const std::array<const std::uint8_t*, 5> tails{&byte, &byte, &byte, &byte, &byte};
    std::array<Sha256Digest, 5> digests;
    const std::array<Sha256Digest*, 5> out{&digests[0], &digests[1], &digests[2], &digests[3],
                                           &digests[4]};
    EXPECT_DEATH(sha256d_tails(sha256_kernel(), midstates.data(), tails.data(), 1, 5, out.data()),
                 "no such lane count");
    EXPECT_DEATH(sha256d_tails(sha256_kernel(), midstates.data(), tails.data(), 1, 0, out.data()),
                 "no such lane count");
}

}  // namespace
}  // namespace adit::chain
