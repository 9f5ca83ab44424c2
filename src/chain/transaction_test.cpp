#include "chain/transaction.h"

#include "chain/test_vectors.h"

#include <gtest/gtest.h>

namespace adit::chain {
namespace {

using base::Bytes;

// One input, one output, no witness.
const std::string kInput = std::string(64, '1') + "00000000" + "00" + "ffffffff";
const std::string kOutput =
    "0100000000000000"
    "00";

std::string error_of(const std::string& hex) {
    const auto transaction = parse_transaction(*base::from_hex(hex));
    return transaction ? "accepted" : std::string(describe(transaction.error()));
}

TEST(Transaction, EveryVectorParsesAndSerialisesBackWithItsIds) {
    for (const auto& entry : test_vectors("transactions", "transactions")) {
        const auto raw = hex_of(entry["raw"]);
        const auto transaction = parse_transaction(raw);
        ASSERT_TRUE(transaction) << entry["name"] << describe(transaction.error());
        EXPECT_EQ(transaction->serialize(), raw) << entry["name"];
        EXPECT_EQ(transaction->txid().rpc_hex(), entry["txid"].get<std::string>()) << entry["name"];
        EXPECT_EQ(transaction->wtxid().rpc_hex(), entry["wtxid"].get<std::string>())
            << entry["name"];
        EXPECT_EQ(transaction->weight(), entry["weight"].get<std::size_t>()) << entry["name"];
        EXPECT_EQ(transaction->inputs.size(), entry["inputs"].get<std::size_t>());
        EXPECT_EQ(transaction->outputs.size(), entry["outputs"].get<std::size_t>());
        EXPECT_EQ(transaction->has_witness(), entry["segwit"].get<bool>());
        EXPECT_EQ(sha256d(transaction->serialize_without_witness()), transaction->txid());
        EXPECT_EQ(transaction->is_coinbase(),
                  entry["name"].get<std::string>().find("coinbase") != std::string::npos);
    }
}

TEST(Transaction, EveryVectorCutAnywhereIsTruncated) {
    for (const auto& entry : test_vectors("transactions", "transactions")) {
        const auto raw = hex_of(entry["raw"]);
        for (std::size_t size = 0; size < raw.size(); ++size) {
            const auto transaction = parse_transaction(base::ByteSpan{raw}.first(size));
            ASSERT_FALSE(transaction) << entry["name"] << size;
            EXPECT_EQ(transaction.error(), ParseError::truncated) << entry["name"] << size;
        }
    }
}

using ParseCase = std::pair<std::string, std::string_view>;  // hex, and what becomes of it

const std::string kGood = std::string("02000000") + "01" + kInput + "01" + kOutput + "00000000";
// Up to the witness.
const std::string kWitness = std::string("02000000") + "0001" + "01" + kInput + "01" + kOutput;

TEST(Transaction, SizesMustTakeAsFewBytesAsTheyNeed) {
    const std::vector<ParseCase> cases{
        // A count or a size in more bytes than it needs.
        {"02000000"
         "fd0100" +
             kInput + "01" + kOutput + "00000000",
         describe(ParseError::non_canonical_size)},
        {"02000000"
         "01" +
             kInput + "fe01000000" + kOutput + "00000000",
         describe(ParseError::non_canonical_size)},
        {"02000000"
         "01" +
             kInput + "ff0100000000000000" + kOutput + "00000000",
         describe(ParseError::non_canonical_size)},
        {"02000000"
         "01" +
             std::string(64, '1') +
             "00000000"
             "fd0000"
             "ffffffff"
             "01" +
             kOutput + "00000000",
         describe(ParseError::non_canonical_size)},
        {kWitness + "01fd0100aa"
                    "00000000",
         describe(ParseError::non_canonical_size)},
        {kWitness + "fd0100"
                    "01aa"
                    "00000000",
         describe(ParseError::non_canonical_size)},
    };
    for (const auto& [hex, error] : cases)
        EXPECT_EQ(error_of(hex), error) << hex;
}

TEST(Transaction, EachRefusalHasItsReason) {
    const std::vector<ParseCase> cases{
        {kGood, "accepted"},
        {kWitness + "0101aa"
                    "00000000",
         "accepted"},
        {kGood + "00", describe(ParseError::trailing_bytes)},
        {kGood.substr(0, kGood.size() - 2), describe(ParseError::truncated)},
        // Counts that the message cannot hold.
        {"02000000"
         "ffffffffffffffffff" +
             kInput,
         describe(ParseError::truncated)},
        {"02000000"
         "01" +
             kInput + "feffffffff" + kOutput,
         describe(ParseError::truncated)},
        {kWitness + "feffffff7f"
                    "00000000",
         describe(ParseError::truncated)},
        {kWitness + "01feffffff7f"
                    "00000000",
         describe(ParseError::truncated)},
        // The witness flag.
        {"02000000"
         "0000"
         "00000000",
         describe(ParseError::bad_witness_flag)},
        {"02000000"
         "0002"
         "01" +
             kInput + "01" + kOutput +
             "0101aa"
             "00000000",
         describe(ParseError::bad_witness_flag)},
        {kWitness + "00"
                    "00000000",
         describe(ParseError::bad_witness_flag)},
        {"", describe(ParseError::truncated)},
    };
    for (const auto& [hex, error] : cases)
        EXPECT_EQ(error_of(hex), error) << hex;
}

TEST(Transaction, LargerThanAnyBlockIsRefusedUnread) {
    EXPECT_EQ(parse_transaction(Bytes(4'000'001, 0)).error(), ParseError::too_large);
    EXPECT_EQ(parse_transaction(Bytes(4'000'000, 0)).error(), ParseError::bad_witness_flag);
}

TEST(Transaction, ReaderIsLeftBehindIt) {
    const auto vectors = test_vectors("transactions", "transactions");
    Bytes both;
    for (const auto& entry : vectors)
        base::append(both, hex_of(entry["raw"]));
    base::ByteReader reader(both);
    for (const auto& entry : vectors) {
        EXPECT_EQ(read_transaction(reader)->txid().rpc_hex(), entry["txid"].get<std::string>());
    }
    EXPECT_TRUE(reader.finished());
}

TEST(Transaction, WithoutWitnessBothIdsAreTheSame) {
    Transaction transaction;
    transaction.inputs.resize(1);
    transaction.outputs.push_back({5'000, Bytes{0x51}});
    EXPECT_EQ(transaction.txid(), transaction.wtxid());
    EXPECT_EQ(transaction.weight(), 4 * transaction.serialize().size());
    const auto id = transaction.txid();
    transaction.inputs[0].witness = {Bytes(32, 0)};
    EXPECT_EQ(transaction.txid(), id);
    EXPECT_NE(transaction.wtxid(), id);
    EXPECT_EQ(transaction.weight(),
              3 * transaction.serialize_without_witness().size() + transaction.serialize().size());
}

TEST(Transaction, OnlyASingleNullInputMakesACoinbase) {
    Transaction transaction;
    EXPECT_FALSE(transaction.is_coinbase());
    transaction.inputs.resize(1);
    EXPECT_TRUE(transaction.is_coinbase());
    transaction.inputs[0].previous.index = 0;
    EXPECT_FALSE(transaction.is_coinbase());
    transaction.inputs.assign(2, {});
    EXPECT_FALSE(transaction.is_coinbase());
}

TEST(CompactSize, IsTheShortestFormAtEveryEdge) {
    const std::pair<std::uint64_t, std::string_view> cases[] = {
        {0, "00"},
        {0xfc, "fc"},
        {0xfd, "fdfd00"},
        {0xffff, "fdffff"},
        {0x10000, "fe00000100"},
        {0xffffffff, "feffffffff"},
        {0x100000000, "ff0000000001000000"},
        {0xffffffffffffffff, "ffffffffffffffffff"},
    };
    for (const auto& [value, hex] : cases) {
        Bytes out;
        append_compact_size(out, value);
        EXPECT_EQ(base::to_hex(out), hex);
        base::ByteReader reader(out);
        EXPECT_EQ(read_compact_size(reader), value);
        EXPECT_TRUE(reader.finished());
        base::ByteReader cut(base::ByteSpan{out}.first(out.size() - 1));
        EXPECT_EQ(read_compact_size(cut).error(), ParseError::truncated);
    }
    for (const auto* hex : {"fdfc00", "feffff0000", "ffffffffff00000000"}) {
        const auto bytes = *base::from_hex(hex);
        base::ByteReader reader(bytes);
        EXPECT_EQ(read_compact_size(reader).error(), ParseError::non_canonical_size);
    }
}

TEST(Transaction, EveryParseErrorIsASentenceOfItsOwn) {
    std::set<std::string_view> sentences;
    for (const auto error :
         {ParseError::truncated, ParseError::trailing_bytes, ParseError::too_large,
          ParseError::non_canonical_size, ParseError::bad_witness_flag}) {
        sentences.insert(describe(error));
    }
    EXPECT_EQ(sentences.size(), 5U);
}

}  // namespace
}  // namespace adit::chain
