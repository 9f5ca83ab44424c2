#include "chain/block.h"

#include "chain/network.h"
#include "chain/test_vectors.h"

#include <gtest/gtest.h>

namespace adit::chain {
namespace {

using base::Bytes;

std::vector<Hash256> some_hashes(std::size_t count) {
    std::vector<Hash256> hashes;
    for (std::size_t i = 0; i < count; ++i) {
        hashes.push_back(sha256(base::as_bytes(std::to_string(i))));
    }
    return hashes;
}

// The tree as the paper draws it, one pair at a time.
Hash256 root_by_hand(std::vector<Hash256> level) {
    while (level.size() > 1) {
        if (level.size() % 2 != 0) level.push_back(level.back());
        std::vector<Hash256> next;
        for (std::size_t i = 0; i < level.size(); i += 2) {
            Bytes both(level[i].bytes.begin(), level[i].bytes.end());
            base::append(both, level[i + 1].bytes);
            next.push_back(sha256d(both));
        }
        level = next;
    }
    return level[0];
}

TEST(Block, EveryHistoricBlockParsesAndSerialisesBack) {
    for (const auto& entry : test_vectors("blocks", "blocks")) {
        const auto raw = hex_of(entry["raw"]);
        const auto block = parse_block(raw);
        ASSERT_TRUE(block) << entry["name"] << describe(block.error());
        EXPECT_EQ(block->serialize(), raw);
        EXPECT_EQ(block->header.hash().rpc_hex(), entry["hash"].get<std::string>());
        EXPECT_EQ(block->merkle_root(), block->header.merkle_root) << entry["name"];
        EXPECT_EQ(block->merkle_root().rpc_hex(), entry["merkle_root"].get<std::string>());
        EXPECT_EQ(block->witness_merkle_root().rpc_hex(), entry["witness_root"].get<std::string>());
        EXPECT_EQ(block->weight(), entry["weight"].get<std::size_t>());
        ASSERT_EQ(block->transactions.size(), entry["transactions"].size());
        for (std::size_t i = 0; i < block->transactions.size(); ++i) {
            EXPECT_EQ(block->transactions[i].txid().rpc_hex(),
                      entry["transactions"][i].get<std::string>());
        }
        const auto target = target_from_compact(block->header.bits);
        EXPECT_TRUE(target->met_by(block->header.hash())) << entry["name"];
    }
}

TEST(Block, SegwitBlocksCommitToTheirWitness) {
    std::size_t checked = 0;
    for (const auto& entry : test_vectors("blocks", "blocks")) {
        const auto block = parse_block(hex_of(entry["raw"]));
        const auto& coinbase = block->transactions[0];
        const auto commitment = witness_commitment_of(coinbase);
        EXPECT_EQ(commitment.has_value(), !entry["commitment"].is_null());
        if (!commitment) continue;
        EXPECT_EQ(base::to_hex(commitment->bytes), entry["commitment"].get<std::string>());
        const auto script = witness_commitment_script(block->witness_merkle_root(), Hash256{});
        EXPECT_TRUE(std::any_of(coinbase.outputs.begin(), coinbase.outputs.end(),
                                [&](const TxOutput& output) { return output.script == script; }));
        EXPECT_EQ(height_of_coinbase(coinbase.inputs[0].script),
                  entry["height"].get<std::int32_t>());
        ++checked;
    }
    EXPECT_EQ(checked, 2U);
}

TEST(Block, GenesisBlocksAreThoseOfTheNetworks) {
    std::size_t checked = 0;
    for (const auto& entry : test_vectors("blocks", "blocks")) {
        const auto network = network_from_name(entry["chain"].get<std::string>());
        if (!network || entry["height"] != 0) continue;
        const auto block = parse_block(hex_of(entry["raw"]));
        EXPECT_EQ(block->header.hash().rpc_hex(), params(*network).genesis_hash);
        EXPECT_EQ(block->header.bits, params(*network).pow_limit_bits);
        EXPECT_EQ(block->transactions[0].outputs[0].value_sat,
                  block_subsidy_sat(params(*network), 0));
        ++checked;
    }
    EXPECT_EQ(checked, 3U);
}

TEST(Block, HeaderOf125552HashesToItsHashAndItsTransactionsToItsRoot) {
    const auto vectors = test_vectors("blocks");
    const auto& entry = vectors["headers"][0];
    const auto raw = hex_of(entry["header"]);
    const auto header =
        BlockHeader::parse(std::span<const std::uint8_t, kHeaderSize>{raw.data(), kHeaderSize});
    EXPECT_EQ(header.version, 1);
    EXPECT_EQ(header.time, 1305998791U);
    EXPECT_EQ(header.bits, 0x1a44b9f2U);
    EXPECT_EQ(header.nonce, 2504433986U);
    EXPECT_EQ(header.previous.rpc_hex(),
              "00000000000008a3a41b85b8b29ad444def299fee21793cd8b9e567eab02cd81");
    EXPECT_EQ(header.hash(), hash_of(entry["hash"]));
    EXPECT_TRUE(std::ranges::equal(header.serialize(), raw));

    std::vector<Hash256> ids;
    for (const auto& id : entry["transactions"])
        ids.push_back(hash_of(id));
    EXPECT_EQ(merkle_root(ids), header.merkle_root);
    const auto branches = merkle_branches({ids.begin() + 1, ids.end()});
    EXPECT_EQ(branches.size(), 2U);
    EXPECT_EQ(fold_branches(ids[0], branches), header.merkle_root);
}

TEST(Block, CutAnywhereItIsTruncatedAndLongerItHasTrailingBytes) {
    for (const auto& entry : test_vectors("blocks", "blocks")) {
        auto raw = hex_of(entry["raw"]);
        for (std::size_t size = 0; size < raw.size(); ++size) {
            const auto block = parse_block(base::ByteSpan{raw}.first(size));
            ASSERT_FALSE(block);
            EXPECT_EQ(block.error(), ParseError::truncated) << entry["name"] << size;
        }
        raw.push_back(0);
        EXPECT_EQ(parse_block(raw).error(), ParseError::trailing_bytes);
    }
}

TEST(Block, RefusesCountsAndSizesThatCannotBe) {
    EXPECT_EQ(parse_block(Bytes(4'000'001, 0)).error(), ParseError::too_large);
    Bytes many(kHeaderSize, 0);
    base::append(many, *base::from_hex("ffffffffffffffffff"));
    EXPECT_EQ(parse_block(many).error(), ParseError::truncated);
    Bytes long_form(kHeaderSize, 0);
    base::append(long_form, *base::from_hex("fd0100"));
    EXPECT_EQ(parse_block(long_form).error(), ParseError::non_canonical_size);
    EXPECT_TRUE(parse_block(Bytes(kHeaderSize + 1, 0)));
}

TEST(Merkle, RootsOfEverySizeAreThoseByHand) {
    EXPECT_TRUE(merkle_root({}).is_zero());
    for (std::size_t count = 1; count <= 70; ++count) {
        bool mutated = true;
        EXPECT_EQ(merkle_root(some_hashes(count), &mutated), root_by_hand(some_hashes(count)));
        EXPECT_FALSE(mutated) << count;
    }
}

TEST(Merkle, BranchesFoldToTheRootForEverySize) {
    EXPECT_TRUE(merkle_branches({}).empty());
    EXPECT_EQ(fold_branches(some_hashes(1)[0], {}), some_hashes(1)[0]);
    for (std::size_t count = 1; count <= 70; ++count) {
        const auto all = some_hashes(count);
        const auto branches = merkle_branches({all.begin() + 1, all.end()});
        EXPECT_EQ(branches.size(), static_cast<std::size_t>(std::bit_width(count - 1)));
        EXPECT_EQ(fold_branches(all[0], branches), merkle_root(all)) << count;
    }
}

TEST(Merkle, RepeatedSubtreesThatKeepTheRootAreNoticed) {
    auto leaves = some_hashes(6);
    const auto root = merkle_root(leaves);
    // CVE-2012-2459: the last pair again gives the same root.
    leaves.push_back(leaves[4]);
    leaves.push_back(leaves[5]);
    bool mutated = false;
    EXPECT_EQ(merkle_root(leaves, &mutated), root);
    EXPECT_TRUE(mutated);
    auto twice = some_hashes(3);
    twice.push_back(twice[2]);
    EXPECT_EQ(merkle_root(twice, &mutated), merkle_root(some_hashes(3)));
    EXPECT_TRUE(mutated);
}

TEST(Height, EveryVectorIsPushedAndReadBack) {
    for (const auto& entry : test_vectors("heights", "heights")) {
        const std::int32_t height = entry["height"];
        const auto push = height_push(height);
        EXPECT_EQ(base::to_hex(push), entry["push"].get<std::string>()) << height;
        EXPECT_EQ(height_of_coinbase(push), height);
        auto script = push;
        base::append(script, base::as_bytes("/Adit/"));
        EXPECT_EQ(height_of_coinbase(script), height);
    }
}

TEST(Height, OfRealCoinbasesIsTheirBlocks) {
    for (const auto& entry : test_vectors("transactions", "transactions")) {
        if (!entry.contains("height")) continue;
        const auto coinbase = parse_transaction(hex_of(entry["raw"]));
        EXPECT_EQ(height_of_coinbase(coinbase->inputs[0].script),
                  entry["height"].get<std::int32_t>());
    }
}

TEST(Height, OfAScriptThatDoesNotBeginWithOneIsNone) {
    for (const auto* script : {
             "",            // nothing
             "4f",          // minus one
             "61",          // an opcode
             "02",          // a push that is not there
             "0320a1",      // half of one
             "0101",        // a small number pushed as a byte
             "0110",        // the same with 16
             "020100",      // a needless zero
             "0200",        // cut
             "0180",        // negative zero
             "0181",        // minus one as a byte
             "03ffff80",    // negative
             "0500000001",  // cut
             "050000000001",
         }) {
        EXPECT_EQ(height_of_coinbase(*base::from_hex(script)), std::nullopt) << script;
    }
}

TEST(HeightDeathTest, BelowZeroIsABrokenInvariant) {
    EXPECT_DEATH(height_push(-1), "heights count from 0");
}

TEST(Commitment, IsTheOneOfTheLastMatchingOutput) {
    Transaction coinbase;
    coinbase.inputs.resize(1);
    EXPECT_EQ(witness_commitment_of(coinbase), std::nullopt);
    const auto first = witness_commitment_script(some_hashes(2)[0], Hash256{});
    const auto second = witness_commitment_script(some_hashes(2)[1], Hash256{});
    ASSERT_EQ(first.size(), 38U);
    coinbase.outputs.push_back({0, first});
    coinbase.outputs.push_back({0, second});
    coinbase.outputs.push_back({1, Bytes(38, 0x6a)});
    auto short_one = first;
    short_one.pop_back();
    coinbase.outputs.push_back({1, short_one});
    const auto found = witness_commitment_of(coinbase);
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, sha256d_pair(some_hashes(2)[1], Hash256{}));
    // Bytes after the commitment are allowed.
    auto longer = first;
    longer.push_back(0xff);
    coinbase.outputs.push_back({0, longer});
    EXPECT_EQ(*witness_commitment_of(coinbase), sha256d_pair(some_hashes(2)[0], Hash256{}));
}

TEST(Commitment, OfABlockWithoutOtherTransactionsIsTheWellKnownOne) {
    EXPECT_EQ(base::to_hex(witness_commitment_script(Hash256{}, Hash256{})),
              "6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9");
}

}  // namespace
}  // namespace adit::chain
