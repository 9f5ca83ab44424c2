#include "chain/hash.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace adit::chain {
namespace {

using base::as_bytes;
using base::to_hex;

TEST(Hash, Sha256MatchesThePublishedExamples) {
    // FIPS 180-2 appendix B.
    EXPECT_EQ(to_hex(sha256(as_bytes("abc")).bytes),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(
        to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).bytes),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(to_hex(sha256({}).bytes),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Hash, DoubleSha256IsShaOfSha) {
    EXPECT_EQ(sha256d(as_bytes("hello")), sha256(sha256(as_bytes("hello")).bytes));
    EXPECT_EQ(to_hex(sha256d(as_bytes("hello")).bytes),
              "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50");
}

TEST(Hash, Hash160OfThePublicKeyOfSecretOne) {
    const auto key =
        base::from_hex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    EXPECT_EQ(to_hex(hash160(*key)), "751e76e8199196d454941c45d1b3a323f1433bd6");
}

TEST(Hash, PairIsTheHashOfBothInOrder) {
    const auto left = sha256(as_bytes("left"));
    const auto right = sha256(as_bytes("right"));
    base::Bytes both(left.bytes.begin(), left.bytes.end());
    base::append(both, right.bytes);
    EXPECT_EQ(sha256d_pair(left, right), sha256d(both));
    EXPECT_NE(sha256d_pair(left, right), sha256d_pair(right, left));
}

TEST(Hash, RpcHexReversesTheBytes) {
    const std::string hex = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    const auto hash = Hash256::from_rpc_hex(hex);
    ASSERT_TRUE(hash);
    EXPECT_EQ(hash->bytes[0], 0x6f);
    EXPECT_EQ(hash->bytes[31], 0);
    EXPECT_EQ(hash->rpc_hex(), hex);
}

TEST(Hash, RpcHexRefusesOtherLengthsAndCharacters) {
    EXPECT_FALSE(Hash256::from_rpc_hex(""));
    EXPECT_FALSE(Hash256::from_rpc_hex(std::string(63, '0')));
    EXPECT_FALSE(Hash256::from_rpc_hex(std::string(65, '0')));
    std::string hex(64, '0');
    EXPECT_TRUE(Hash256::from_rpc_hex(hex));
    hex.back() = 'g';
    EXPECT_FALSE(Hash256::from_rpc_hex(hex));
}

TEST(Hash, ZeroIsZeroAndHashesFindTheirBuckets) {
    EXPECT_TRUE(Hash256{}.is_zero());
    EXPECT_FALSE(sha256({}).is_zero());
    std::unordered_set<Hash256, Hash256Hasher> set{Hash256{}, sha256({}), Hash256{}};
    EXPECT_EQ(set.size(), 2U);
    EXPECT_TRUE(set.contains(sha256({})));
}

}  // namespace
}  // namespace adit::chain
