#include "chain/output_script.h"

#include <gtest/gtest.h>

namespace adit::chain {
namespace {

base::Bytes script(std::string_view hex) {
    return base::from_hex(hex).value();
}
constexpr std::string_view kHash = "06afd46bcdfd22ef94ac122aa11f241244a37ecc";

Hash160 key_hash() {
    Hash160 hash{};
    EXPECT_TRUE(base::from_hex(kHash, hash));
    return hash;
}

TEST(OutputScript, IsMadeAndRecognised) {
    const auto hash = key_hash();
    const auto p2pkh = p2pkh_script(hash);
    const auto p2wpkh = p2wpkh_script(hash);
    EXPECT_EQ(p2pkh, script("76a914" + std::string(kHash) + "88ac"));
    EXPECT_EQ(p2wpkh, script("0014" + std::string(kHash)));
    EXPECT_TRUE(std::ranges::equal(p2pkh_hash(p2pkh), hash));
    EXPECT_TRUE(std::ranges::equal(p2wpkh_hash(p2wpkh), hash));
    const auto p2sh = script("a914" + std::string(kHash) + "87");
    EXPECT_TRUE(std::ranges::equal(p2sh_hash(p2sh), hash));
    const auto p2tr = script("5120" + std::string(64, '3'));
    EXPECT_TRUE(std::ranges::equal(p2tr_key(p2tr), script(std::string(64, '3'))));
    // Each is of one form, and nothing shorter or longer is of any.
    for (const auto& one : {p2pkh, p2wpkh, p2sh, p2tr}) {
        EXPECT_EQ(!p2pkh_hash(one).empty() + !p2wpkh_hash(one).empty() + !p2sh_hash(one).empty() +
                      !p2tr_key(one).empty(),
                  1);
        auto other = one;
        other.push_back(0);
        for (const auto& wrong : {other, base::Bytes(one.begin(), one.end() - 1)}) {
            EXPECT_TRUE(p2pkh_hash(wrong).empty() && p2wpkh_hash(wrong).empty() &&
                        p2sh_hash(wrong).empty() && p2tr_key(wrong).empty());
        }
    }
}

TEST(OutputScript, WitnessProgramsAreThoseOfBip141) {
    struct Row {
        std::string hex;
        bool is_one;
    };
    for (const auto& row :
         {Row{"00021234", true}, Row{"51021234", true}, Row{"60021234", true},
          Row{"0028" + std::string(80, '0'), true}, Row{"", false}, Row{"000112", false},
          Row{"0029" + std::string(82, '0'), false}, Row{"50021234", false}, Row{"61021234", false},
          Row{"00031234", false}, Row{"0002123456", false}}) {
        EXPECT_EQ(is_witness_program(script(row.hex)), row.is_one) << row.hex;
    }
}

}  // namespace
}  // namespace adit::chain
