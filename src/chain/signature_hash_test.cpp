#include "chain/signature_hash.h"

#include "chain/script.h"

#include <gtest/gtest.h>

namespace adit::chain {
namespace {

// BIP143, "Native P2WPKH".
TEST(SignatureHash, OfAWitnessIsThatOfBip143) {
    const auto raw = base::from_hex(
        "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffff"
        "ffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202c"
        "b206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143b"
        "de42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000");
    const auto transaction = parse_transaction(*raw);
    ASSERT_TRUE(transaction);
    Hash160 key_hash{};
    ASSERT_TRUE(base::from_hex("1d0f172a0ecb48aee1be1f2687d2963ae33f71a1", key_hash));
    const auto hash =
        witness_signature_hash(*transaction, 1, p2pkh_script(key_hash), 600'000'000, 1);
    EXPECT_EQ(base::to_hex(hash.bytes),
              "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670");
}

TEST(SignatureHash, SingleWithoutItsOutputSignsTheNumberOne) {
    Transaction transaction;
    transaction.inputs.resize(2);
    transaction.outputs.push_back({1, {}});
    Hash256 one;
    one.bytes[0] = 1;
    EXPECT_EQ(legacy_signature_hash(transaction, 1, {}, 3), one);
    EXPECT_NE(legacy_signature_hash(transaction, 0, {}, 3), one);
}

// BIP341, wallet-test-vectors.json: the key path with ALL and with DEFAULT.
TEST(SignatureHash, OfTaprootIsThatOfBip341) {
    const auto raw = base::from_hex(
        "02000000097de20cbff686da83a54981d2b9bab3586f4ca7e48f57f5b55963115f3b334e9c01000000000000"
        "0000d7b7cab57b1393ace2d064f4d4a2cb8af6def61273e127517d44759b6dafdd990000000000fffffffff8"
        "e1f583384333689228c5d28eac13366be082dc57441760d957275419a418420000000000fffffffff0689180"
        "aa63b30cb162a73c6d2a38b7eeda2a83ece74310fda0843ad604853b0100000000feffffffaa5202bdf6d8cc"
        "d2ee0f0202afbbb7461d9264a25e5bfd3c5a52ee1239e0ba6c0000000000feffffff956149bdc66faa968eb2"
        "be2d2faa29718acbfe3941215893a2a3446d32acd050000000000000000000e664b9773b88c09c32cb70a2a3"
        "e4da0ced63b7ba3b22f848531bbb1d5d5f4c94010000000000000000e9aa6b8e6c9de67619e6a3924ae25696"
        "bb7b694bb677a632a74ef7eadfd4eabf0000000000ffffffffa778eb6a263dc090464cd125c466b5a9966772"
        "0b1c110468831d058aa1b82af10100000000ffffffff0200ca9a3b000000001976a91406afd46bcdfd22ef94"
        "ac122aa11f241244a37ecc88ac807840cb0000000020ac9a87f5594be208f8532db38cff670c450ed2fea8fc"
        "defcc9a663f78bab962b0065cd1d");
    const auto transaction = parse_transaction(*raw);
    ASSERT_TRUE(transaction);
    std::vector<TxOutput> spent;
    for (const auto& [sat, script] : std::initializer_list<std::pair<std::int64_t, const char*>>{
             {420000000, "512053a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"},
             {462000000, "5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3"},
             {294000000, "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac"},
             {504000000, "5120e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e"},
             {630000000, "512091b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605"},
             {378000000, "00147dd65592d0ab2fe0d0257d571abf032cd9db93dc"},
             {672000000, "512075169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831"},
             {546000000, "5120712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5"},
             {588000000, "512077e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220"},
         }) {
        spent.push_back({sat, *base::from_hex(script)});
    }
    EXPECT_EQ(base::to_hex(taproot_signature_hash(*transaction, 3, spent, 1).bytes),
              "bf013ea93474aa67815b1b6cc441d23b64fa310911d991e713cd34c7f5d46669");
    EXPECT_EQ(base::to_hex(taproot_signature_hash(*transaction, 4, spent, 0).bytes),
              "4f900a0bae3f1446fd48490c2958b5a023228f01661cda3496a11da502a7f7ef");
}

// What each hash type leaves open for others to change.
TEST(SignatureHash, CoversWhatItsTypeSays) {
    Transaction plain;
    plain.inputs.resize(2);
    plain.outputs = {{10, {0x51}}, {20, {0x52}}};
    const auto changed = [&](auto change) {
        auto copy = plain;
        change(copy);
        return copy;
    };
    const auto other_input = changed([](auto& t) { t.inputs.emplace_back(); });
    const auto other_sequence = changed([](auto& t) { t.inputs[1].sequence = 7; });
    const auto own_output = changed([](auto& t) { t.outputs[0].value_sat = 11; });
    const auto other_output = changed([](auto& t) { t.outputs[1].value_sat = 21; });
    struct Row {
        std::uint32_t type;
        bool input, sequence, own, other;  // whether such a change is noticed
    };
    const std::array rows{
        Row{0x01, true, true, true, true},     Row{0x02, true, false, false, false},
        Row{0x03, true, false, true, false},   Row{0x81, false, false, true, true},
        Row{0x82, false, false, false, false}, Row{0x83, false, false, true, false},
    };
    const base::Bytes code{0xac};
    for (const auto& row : rows) {
        const auto notices = [&](const Transaction& other) {
            const bool legacy = legacy_signature_hash(plain, 0, code, row.type) !=
                                legacy_signature_hash(other, 0, code, row.type);
            const bool witness = witness_signature_hash(plain, 0, code, 5, row.type) !=
                                 witness_signature_hash(other, 0, code, 5, row.type);
            EXPECT_EQ(legacy, witness) << row.type;
            return witness;
        };
        EXPECT_EQ(notices(other_input), row.input) << row.type;
        EXPECT_EQ(notices(other_sequence), row.sequence) << row.type;
        EXPECT_EQ(notices(own_output), row.own) << row.type;
        EXPECT_EQ(notices(other_output), row.other) << row.type;
        EXPECT_NE(witness_signature_hash(plain, 0, code, 5, row.type),
                  witness_signature_hash(plain, 0, code, 6, row.type));
    }
}

}  // namespace
}  // namespace adit::chain
