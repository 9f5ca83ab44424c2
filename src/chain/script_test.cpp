#include "chain/script.h"

#include "chain/address.h"

#include <gtest/gtest.h>

namespace adit::chain {
namespace {

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

TEST(Script, KnowsTheBoundsOfWitnessPrograms) {
    const auto script = [](std::uint8_t opcode, std::size_t size) {
        base::Bytes bytes(size + 2, 7);
        bytes[0] = opcode;
        bytes[1] = static_cast<std::uint8_t>(size);
        return bytes;
    };
    EXPECT_FALSE(is_witness_program(script(0x51, 1)));
    EXPECT_TRUE(is_witness_program(script(0x51, 2)));
    EXPECT_TRUE(is_witness_program(script(0x60, 40)));
    EXPECT_FALSE(is_witness_program(script(0x60, 41)));
    EXPECT_FALSE(is_witness_program(script(0x61, 20)));
    EXPECT_FALSE(is_witness_program(script(0x50, 20)));
    EXPECT_FALSE(is_witness_program({}));
    EXPECT_FALSE(is_p2pkh({}));
}

}  // namespace
}  // namespace adit::chain
