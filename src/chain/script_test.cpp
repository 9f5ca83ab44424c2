#include "chain/script.h"

#include "chain/address.h"

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

TEST(Script, IsMadeAndRecognised) {
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

TEST(Script, WitnessProgramsAreThoseOfBip141) {
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

// "p2pkh" and so on, all that hold, for a script and for its neighbours of wrong length.
std::string forms_of(const base::Bytes& script) {
    std::string forms;
    if (is_p2pkh(script)) forms += "p2pkh ";
    if (is_witness_program(script)) forms += "program ";
    if (is_p2wpkh(script)) forms += "p2wpkh ";
    if (is_p2tr(script)) forms += "p2tr ";
    return forms;
}

TEST(Script, TellsTheFormsOfAddressesApart) {
    const std::pair<const char*, const char*> cases[] = {
        {"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "p2pkh "},
        {"3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", ""},
        {"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "program p2wpkh "},
        {"bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3", "program "},
        {"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "program p2tr "},
    };
    for (const auto& [address, forms] : cases) {
        SCOPED_TRACE(address);
        auto script = *script_of_address(address, params(Network::main));
        EXPECT_EQ(forms_of(script), forms);
        script.push_back(0);
        EXPECT_EQ(forms_of(script), "");
        script.resize(script.size() - 2);
        EXPECT_EQ(forms_of(script), "");
    }
}

}  // namespace
}  // namespace adit::chain
