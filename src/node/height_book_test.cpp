#include "node/height_book.h"

#include <gtest/gtest.h>

namespace adit::node {
namespace {

chain::Hash256 hash_at(std::int32_t at) {
    chain::Hash256 hash;
    base::store_le(hash.bytes.data(), at);
    hash.bytes[9] = 1;
    return hash;
}

// Block number `at` of one chain, as a node that says `height` of it.
Tip tip(std::int32_t at, std::int32_t height) {
    Tip made{.hash = hash_at(at), .height = height, .chainwork = {}, .header = {}};
    made.header.previous = hash_at(at - 1);
    return made;
}

TEST(HeightBook, SaysNothingAgainstANodeThatStandsAlone) {
    HeightBook book(1);
    EXPECT_TRUE(book.contradiction(tip(100, 100)).empty());
    book.heard(0, tip(100, 100));
    EXPECT_TRUE(book.contradiction(tip(100, 100)).empty());
    EXPECT_TRUE(book.wants_proof(hash_at(100)));
    EXPECT_FALSE(book.wants_proof(hash_at(7))) << "nobody spoke of it";
}

TEST(HeightBook, AProvenHeightHoldsForTheBlocksThatFollow) {
    HeightBook book(1);
    book.heard(0, tip(100, 100));
    book.prove(hash_at(100), 100);
    book.heard(0, tip(101, 101));
    EXPECT_FALSE(book.wants_proof(hash_at(101)));
    EXPECT_TRUE(book.contradiction(tip(101, 101)).empty());
    EXPECT_EQ(book.contradiction(tip(101, 106)),
              fmt::format("the node says that block {} has height 106, but its coinbase and the "
                          "headers since prove 101",
                          hash_at(101).rpc_hex()));
    book.heard(0, tip(105, 105));
    EXPECT_TRUE(book.wants_proof(hash_at(105))) << "blocks between are not known";
}

TEST(HeightBook, OneNodeAgainstAnotherIsNoProofButTwoAre) {
    HeightBook book(3);
    book.heard(0, tip(100, 105));
    book.heard(1, tip(100, 100));
    EXPECT_TRUE(book.contradiction(tip(100, 105)).empty());
    EXPECT_TRUE(book.contradiction(tip(100, 100)).empty());
    // The third has moved on; what it says of the next block speaks of this one too.
    book.heard(2, tip(99, 99));
    book.heard(2, tip(100, 100));
    EXPECT_NE(book.contradiction(tip(100, 105)).find("2 other nodes say 100"), std::string::npos);
    EXPECT_TRUE(book.contradiction(tip(100, 100)).empty());
    book.heard(0, tip(101, 106));
    EXPECT_NE(book.contradiction(tip(101, 106)).find("2 other nodes say 101"), std::string::npos);
    book.prove(hash_at(101), 106);
    EXPECT_TRUE(book.contradiction(tip(101, 106)).empty()) << "a proof beats any number of nodes";
}

TEST(HeightBook, ARefusedBlockSpeaksAgainstTheHeightAndWhatFollows) {
    HeightBook book(2);
    book.heard(0, tip(100, 105));
    book.refute(hash_at(100), 105);
    EXPECT_FALSE(book.contradiction(tip(100, 105)).empty());
    EXPECT_TRUE(book.contradiction(tip(100, 100)).empty());
    book.heard(0, tip(101, 106));
    EXPECT_FALSE(book.contradiction(tip(101, 106)).empty());
    EXPECT_TRUE(book.contradiction(tip(101, 101)).empty());
    book.prove(hash_at(101), 106);
    EXPECT_TRUE(book.contradiction(tip(101, 106)).empty()) << "whoever refused it was wrong";
}

TEST(HeightBook, ForgetsTheOldestBlocks) {
    HeightBook book(1);
    book.heard(0, tip(1, 1));
    book.prove(hash_at(1), 1);
    const auto last = 1 + 2 * static_cast<std::int32_t>(HeightBook::kMaxBlocks);
    for (std::int32_t at = 2; at <= last; ++at)
        book.heard(0, tip(at, at));
    EXPECT_EQ(book.size(), HeightBook::kMaxBlocks);
    EXPECT_TRUE(book.contradiction(tip(1, 9)).empty());
    EXPECT_FALSE(book.contradiction(tip(last, 9)).empty());
}

}  // namespace
}  // namespace adit::node
