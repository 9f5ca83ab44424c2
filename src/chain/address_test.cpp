#include "chain/address.h"

#include "chain/test_vectors.h"

#include <gtest/gtest.h>

namespace adit::chain {
namespace {

constexpr std::array kNetworks{Network::main, Network::testnet4, Network::signet, Network::regtest};

std::string name_of(AddressError error) {
    switch (error) {
        case AddressError::empty:
            return "empty";
        case AddressError::bad_character:
            return "bad_character";
        case AddressError::mixed_case:
            return "mixed_case";
        case AddressError::bad_checksum:
            return "bad_checksum";
        case AddressError::wrong_network:
            return "wrong_network";
        case AddressError::bad_length:
            return "bad_length";
        case AddressError::bad_padding:
            return "bad_padding";
        case AddressError::bad_version:
            return "bad_version";
        case AddressError::unknown_format:
            return "unknown_format";
    }
    return "?";
}

std::string text_of(const nlohmann::json& hex) {
    return std::string(base::as_text(hex_of(hex)));
}
std::string lower_case(std::string text) {
    for (auto& c : text)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
}

// The vectors name no chain: "bc" is main, "tb" is a test chain, anything else none of ours.
const NetworkParams& network_of(const std::string& address) {
    const bool main = address.starts_with("bc1") || address.starts_with("BC1");
    return params(main ? Network::main : Network::testnet4);
}

TEST(Bech32, EveryValidStringOfBothProposalsDecodesAndEncodesBack) {
    const auto vectors = test_vectors("bech32");
    for (const auto& [key, variant] : {std::pair{"valid_bech32", Bech32Variant::bech32},
                                       std::pair{"valid_bech32m", Bech32Variant::bech32m}}) {
        ASSERT_EQ(vectors[key].size(), 7U);
        for (const auto& entry : vectors[key]) {
            const auto text = text_of(entry);
            const auto content = bech32_decode(text);
            ASSERT_TRUE(content) << text << " " << name_of(content.error());
            EXPECT_EQ(content->variant, variant) << text;
            EXPECT_EQ(bech32_encode(*content), lower_case(text));
        }
    }
}

TEST(Bech32, EveryInvalidStringOfBothProposalsIsRefusedForItsReason) {
    const auto vectors = test_vectors("bech32");
    for (const auto* key : {"invalid_bech32", "invalid_bech32m"}) {
        ASSERT_GE(vectors[key].size(), 12U);
        for (const auto& entry : vectors[key]) {
            const auto content = bech32_decode(text_of(entry["text"]));
            ASSERT_FALSE(content) << entry;
            EXPECT_EQ(name_of(content.error()), entry["error"].get<std::string>()) << entry;
        }
    }
}

TEST(Bech32, RefusesTheEmptyStringAndAnyChangedCharacter) {
    EXPECT_EQ(bech32_decode("").error(), AddressError::empty);
    const std::string good = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    ASSERT_TRUE(bech32_decode(good));
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bad = good;
        bad[i] = bad[i] == 'q' ? 'p' : 'q';
        EXPECT_FALSE(bech32_decode(bad)) << bad;
    }
}

TEST(Address, EveryValidSegwitVectorGivesItsScriptAndComesBack) {
    const auto vectors = test_vectors("segwit_addresses");
    for (const auto* proposal : {"bip173", "bip350"}) {
        for (const auto& entry : vectors[proposal]["valid"]) {
            const std::string address = entry["address"];
            const auto& network = network_of(address);
            const auto script = script_of_address(address, network);
            ASSERT_TRUE(script) << address << " " << name_of(script.error());
            EXPECT_EQ(base::to_hex(*script), entry["script"].get<std::string>());
            EXPECT_EQ(address_of_script(*script, network), lower_case(address));
            EXPECT_EQ(canonical_address(address, network), lower_case(address));
        }
    }
}

TEST(Address, EveryInvalidSegwitVectorIsRefused) {
    const auto vectors = test_vectors("segwit_addresses");
    for (const auto* proposal : {"bip173", "bip350"}) {
        ASSERT_GE(vectors[proposal]["invalid"].size(), 13U);
        for (const auto& entry : vectors[proposal]["invalid"]) {
            const std::string address = entry["address"];
            const auto script = script_of_address(address, network_of(address));
            ASSERT_FALSE(script) << entry;
            // BIP350 made the checksum of some BIP173 vectors wrong before their own fault shows.
            if (entry.contains("error")) {
                EXPECT_EQ(name_of(script.error()), entry["error"].get<std::string>()) << entry;
            }
        }
    }
}

TEST(Address, EveryKindOnEveryChainGivesItsScriptAndComesBack) {
    for (const auto& entry : test_vectors("addresses", "valid")) {
        const std::string address = entry["address"];
        const auto& network = params(*network_from_name(entry["chain"].get<std::string>()));
        const auto script = script_of_address(address, network);
        ASSERT_TRUE(script) << entry << name_of(script.error());
        EXPECT_EQ(base::to_hex(*script), entry["script"].get<std::string>());
        EXPECT_EQ(address_of_script(*script, network), address);
        EXPECT_EQ(canonical_address(address, network), address);
    }
}

TEST(Address, WhatIsWrongOnEveryChainIsRefusedOnEveryChain) {
    for (const auto& entry : test_vectors("addresses", "invalid")) {
        for (const auto network : kNetworks) {
            EXPECT_FALSE(script_of_address(entry.get<std::string>(), params(network))) << entry;
        }
    }
}

TEST(Address, OfAnotherChainIsNamedAsSuch) {
    for (const auto& entry : test_vectors("addresses", "wrong_chain")) {
        const auto& network = params(*network_from_name(entry["chain"].get<std::string>()));
        const auto script = script_of_address(entry["address"].get<std::string>(), network);
        ASSERT_FALSE(script) << entry;
        EXPECT_EQ(script.error(), AddressError::wrong_network) << entry;
        EXPECT_EQ(canonical_address(entry["address"].get<std::string>(), network).error(),
                  AddressError::wrong_network);
    }
}

TEST(Address, EachRefusalHasItsReason) {
    const base::Bytes hash(20, 7);
    const auto with_version = [&](std::uint8_t version, std::size_t size) {
        base::Bytes payload(size, 7);
        payload[0] = version;
        return base58check_encode(payload);
    };
    const std::pair<std::string, AddressError> cases[] = {
        {"", AddressError::empty},
        {"0", AddressError::bad_character},
        {"1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2m0", AddressError::bad_character},
        {"1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mp", AddressError::bad_checksum},
        {"bc1Qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv", AddressError::mixed_case},
        {"mzK2FFDEhxqHcmrJw1ysqFkVyhUULo45hZ", AddressError::wrong_network},
        {std::string(129, '1'), AddressError::bad_length},
        {"11", AddressError::bad_length},
        {with_version(0, 20), AddressError::bad_length},
        {with_version(0, 22), AddressError::bad_length},
        {with_version(30, 21), AddressError::bad_version},
        {"bc1" + std::string(100, 'q'), AddressError::bad_length},
        {"tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty", AddressError::unknown_format},
    };
    for (const auto& [address, error] : cases) {
        const auto script = script_of_address(address, params(Network::main));
        ASSERT_FALSE(script) << address;
        EXPECT_EQ(name_of(script.error()), name_of(error)) << address;
    }
}

TEST(Address, EveryErrorIsASentenceOfItsOwn) {
    std::set<std::string_view> sentences;
    for (const auto error :
         {AddressError::empty, AddressError::bad_character, AddressError::mixed_case,
          AddressError::bad_checksum, AddressError::wrong_network, AddressError::bad_length,
          AddressError::bad_padding, AddressError::bad_version, AddressError::unknown_format}) {
        EXPECT_GE(describe(error).size(), 20U);
        sentences.insert(describe(error));
    }
    EXPECT_EQ(sentences.size(), 9U);
}

TEST(Address, ScriptsWithoutOneHaveNone) {
    const auto& main = params(Network::main);
    for (const auto* script : {
             "",
             "6a",
             "6a24aa21a9ed5c748e121c0fe146d973a4ac26fa4a68b0549d46ee22d25f50a5e46fe1b377ee",
             "410478ac",
             // P2PKH with a wrong last byte, and one byte too long.
             "76a914a31c06bd463e3923bc1aadbde48b16976c08071788ad",
             "76a914a31c06bd463e3923bc1aadbde48b16976c08071788ac00",
             "a914373b819a068f32b7a6b38b6b38729647cfde01c288",
             // Witness programs: of 19 bytes in version 0, of 1 and of 41 bytes, with a wrong push.
             "001300000000000000000000000000000000000000",
             "510100",
             "512900000000000000000000000000000000000000000000000000000000000000000000000000000000"
             "00",
             "5120751e",
             // OP_RESERVED is no version.
             "5002751e",
         }) {
        EXPECT_EQ(address_of_script(*base::from_hex(script), main), std::nullopt) << script;
    }
}

TEST(Base58, EncodesLeadingZeroesAsOnes) {
    EXPECT_EQ(base58check_encode(base::Bytes(21, 0)), "1111111111111111111114oLvT2");
    EXPECT_EQ(base58check_decode("1111111111111111111114oLvT2"), base::Bytes(21, 0));
}

TEST(Base58, AnyPayloadComesBack) {
    base::Bytes payload;
    for (std::size_t size = 0; size < 60; ++size) {
        EXPECT_EQ(base58check_decode(base58check_encode(payload)), payload);
        payload.push_back(static_cast<std::uint8_t>(size * 37));
    }
}

TEST(Base58, RefusesWhatItCannotDecode) {
    EXPECT_EQ(base58check_decode("").error(), AddressError::empty);
    EXPECT_EQ(base58check_decode("l").error(), AddressError::bad_character);
    EXPECT_EQ(base58check_decode(std::string_view("1\0", 2)).error(), AddressError::bad_character);
    EXPECT_EQ(base58check_decode("111").error(), AddressError::bad_length);
    EXPECT_EQ(base58check_decode("1111").error(), AddressError::bad_checksum);
}

}  // namespace
}  // namespace adit::chain
