#include "auth/signed_message.h"

#include "auth/base64url.h"
#include "auth/signed_message_testing.h"
#include "chain/address.h"
#include "chain/script.h"

#include <gtest/gtest.h>

namespace adit::auth {
namespace {

const chain::NetworkParams& kMain = chain::params(chain::Network::main);

// The key of BIP322's vectors, L3VFeEujGtevx9w18HD1fhRbCH67Az2dpCymeRE1SoPK6XQtaN2k.
constexpr std::string_view kWitnessAddress = "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l";
constexpr std::string_view kTaprootAddress =
    "bc1ppv609nr0vr25u07u95waq5lucwfm6tde4nydujnu8npg4q75mr5sxq8lt3";
constexpr std::string_view kSecretHex =
    "bb051cd0dda0246f33c5a9e133ebd8e7bc02a92af6c41adc131ccd7826c5b004";

// Without the prefix that names the format.
constexpr std::string_view kSignedNothing =
    "AkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYCIBaTpOaD20qRlEylyxFSeEA2ba9YOixpX8z46TSD"
    "tS40ASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI=";
constexpr std::string_view kSignedHello =
    "AkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7F29zJLUx"
    "9a/sASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI=";
constexpr std::string_view kSignedHelloToo =
    "AkgwRQIhAOzyynlqt93lOKJr+wmmxIens//zPzl9tqIOua93wO6MAiBi5n5EyAcPScOjf1lAqIUIQtr3zKNeavYabHyR"
    "8eGhowEhAsfxIAMZZEKUPYWI4BruhAQjzFT8FSFSajuFwrDL1Yhy";
constexpr std::string_view kTaprootHello =
    "AUHd69PrJQEv+oKTfZ8l+WROBHuy9HKrbFCJu7U1iK2iiEy1vMU5EfMtjc+VSHM7aU0SDbak5IUZRVno2P5mjSafAQ==";

std::optional<SignatureFault> fault(std::string_view address, std::string_view message,
                                    std::string_view signature) {
    const auto verified = verify_message(address, message, signature, kMain);
    return verified ? std::nullopt : std::optional(verified.error());
}

// BIP322, basic-test-vectors.json.
TEST(SignedMessage, HashesAsBip322) {
    struct Row {
        std::string_view message, hash, to_spend, to_sign;
    };
    const auto script = chain::script_of_address(kWitnessAddress, kMain).value();
    for (const auto& row :
         {Row{"", "c90c269c4f8fcbe6880f72a721ddfbf1914268a794cbb21cfafee13770ae19f1",
              "c5680aa69bb8d860bf82d4e9cd3504b55dde018de765a91bb566283c545a99a7",
              "1e9654e951a5ba44c8604c4de6c67fd78a27e81dcadcfe1edf638ba3aaebaed6"},
          Row{"Hello World", "f0eb03b1a75ac6d9847f55c624a99169b5dccba2a31f5b23bea77ba270de0a7a",
              "b79d196740ad5217771c1098fc4a4b51e0535c32236c71f1ea4d61a2d603352b",
              "88737ae86f2077145f93cc4b153ae9a1cb8d56afa511988c149c5c8c9d93bddf"}}) {
        EXPECT_EQ(base::to_hex(bip322_message_hash(row.message).bytes), row.hash);
        const auto both = bip322_transactions(row.message, script);
        EXPECT_EQ(both.to_spend.txid().rpc_hex(), row.to_spend);
        EXPECT_EQ(both.to_sign.txid().rpc_hex(), row.to_sign);
    }
}

TEST(SignedMessage, VerifiesThePublishedSignatures) {
    EXPECT_EQ(fault(kWitnessAddress, "", kSignedNothing), std::nullopt);
    EXPECT_EQ(fault(kWitnessAddress, "Hello World", kSignedHello), std::nullopt);
    EXPECT_EQ(fault(kWitnessAddress, "Hello World", kSignedHelloToo), std::nullopt);
    EXPECT_EQ(fault(kWitnessAddress, "Hello World", "smp" + std::string(kSignedHello)),
              std::nullopt);
    // SIGHASH_ALL, from the tests of Bitcoin Core's proposal; SIGHASH_DEFAULT, from BIP322.
    EXPECT_EQ(fault(kTaprootAddress, "Hello World", kTaprootHello), std::nullopt);
    EXPECT_EQ(fault("bc1pss0zhytly75awhm6x2hhvd5lnzv3vssgrf9axfheq8ldyzn88ges79fler",
                    "No prefix fallback",
                    "AUCJYOwOjxYAvatTAGYaVlNXBVyFuc4MwNQkOuK2tl8xhfKDONd0NjfYyNSYcRqeCp8hsAnCEPHA"
                    "VEkO9h6vbQ/R"),
              std::nullopt);
}

TEST(SignedMessage, RefusesEveryOtherSignature) {
    using enum SignatureFault;
    struct Row {
        std::string what;
        std::string_view address, message;
        std::string signature;
        SignatureFault fault;
    };
    const auto changed = [](std::string_view signature, std::size_t byte, std::uint8_t to) {
        auto bytes = from_base64(signature).value();
        bytes[byte] = to;
        return to_base64(bytes);
    };
    const std::vector<Row> rows{
        {"another message", kWitnessAddress, "Hello World!", std::string(kSignedHello), wrong},
        {"another message's signature", kWitnessAddress, "Hello World", std::string(kSignedNothing),
         wrong},
        {"another address", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "Hello World",
         std::string(kSignedHello), wrong},
        {"another taproot address",
         "bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297", "Hello World",
         std::string(kTaprootHello), wrong},
        {"a taproot signature of another message", kTaprootAddress, "", std::string(kTaprootHello),
         wrong},
        {"a changed taproot signature", kTaprootAddress, "Hello World",
         changed(kTaprootHello, 10, 0), wrong},
        {"another hash type", kTaprootAddress, "Hello World", changed(kTaprootHello, 66, 2),
         malformed},
        {"another hash type in DER", kWitnessAddress, "Hello World", changed(kSignedHello, 72, 2),
         malformed},
        {"a witness for taproot on a key hash", kWitnessAddress, "Hello World",
         std::string(kTaprootHello), malformed},
        {"a key hash's witness on taproot", kTaprootAddress, "Hello World",
         std::string(kSignedHello), malformed},
        {"an empty witness", kWitnessAddress, "", "AA==", malformed},
        {"no signature", kWitnessAddress, "", "", malformed},
        {"no base64", kWitnessAddress, "", "not-valid-base64!!!", malformed},
        {"another format's prefix", kWitnessAddress, "", "fulAA==", malformed},
        {"far too long", kWitnessAddress, "", std::string(100'000, 'A'), malformed},
        {"a size that lies", kWitnessAddress, "", "Av//////", malformed},
        {"BIP322 on P2PKH", "14vV3aCHBeStb5bkenkNHbe2YAFinYdXgc", "Hello World",
         std::string(kSignedHello), malformed},
        {"no address", "nobody", "", std::string(kSignedNothing), bad_address},
        {"an address of another network", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "",
         std::string(kSignedNothing), bad_address},
        {"a script's address", "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9", "",
         std::string(kSignedNothing), unsupported_address},
    };
    for (const auto& row : rows) {
        const auto found = fault(row.address, row.message, row.signature);
        ASSERT_TRUE(found) << row.what;
        EXPECT_EQ(*found, row.fault) << row.what << ": " << name_of(*found);
    }
}

// A wallet that signs as Bitcoin Core's signmessage.
class LegacySignature : public ::testing::Test {
 protected:
    LegacySignature() {
        EXPECT_TRUE(base::from_hex(kSecretHex, secret_));
        secp256k1_pubkey key;
        EXPECT_EQ(secp256k1_ec_pubkey_create(context_.get(), &key, secret_.data()), 1);
        for (const bool compressed : {false, true}) {
            std::array<std::uint8_t, 65> bytes;
            auto size = bytes.size();
            secp256k1_ec_pubkey_serialize(
                context_.get(), bytes.data(), &size, &key,
                compressed ? SECP256K1_EC_COMPRESSED : SECP256K1_EC_UNCOMPRESSED);
            hashes_[compressed] = chain::hash160(base::ByteSpan(bytes).first(size));
        }
    }
    std::string sign(std::string_view message, int first_header) const {
        return testing::sign_message(context_.get(), secret_, message, first_header);
    }
    std::string p2pkh(bool compressed) const {
        return chain::address_of_script(chain::p2pkh_script(hashes_[compressed]), kMain).value();
    }
    std::string p2sh() const {
        base::Bytes script{0xa9, 20};
        base::append(script, chain::hash160(chain::p2wpkh_script(hashes_[true])));
        script.push_back(0x87);
        return chain::address_of_script(script, kMain).value();
    }

    struct Destroy {
        void operator()(secp256k1_context* context) const { secp256k1_context_destroy(context); }
    };
    std::unique_ptr<secp256k1_context, Destroy> context_{
        secp256k1_context_create(SECP256K1_CONTEXT_SIGN)};
    std::array<std::uint8_t, 32> secret_{};
    std::array<chain::Hash160, 2> hashes_{};
};

TEST_F(LegacySignature, BelongsToTheAddressesOfItsKey) {
    EXPECT_EQ(p2pkh(true), "14vV3aCHBeStb5bkenkNHbe2YAFinYdXgc");
    struct Row {
        int header;
        std::string address;
        std::optional<SignatureFault> fault;
    };
    using enum SignatureFault;
    const std::string p2wpkh(kWitnessAddress);
    for (const auto& row : std::vector<Row>{
             {27, p2pkh(false), std::nullopt},
             {31, p2pkh(true), std::nullopt},
             {35, p2sh(), std::nullopt},
             {39, p2wpkh, std::nullopt},
             // Wallets that know one header for all compressed keys.
             {31, p2sh(), std::nullopt},
             {31, p2wpkh, std::nullopt},
             // An uncompressed key has no witness address, nor the address of its compressed form.
             {27, p2wpkh, wrong},
             {27, p2sh(), wrong},
             {27, p2pkh(true), wrong},
             {31, p2pkh(false), wrong},
             {43, p2wpkh, malformed},
             {0, p2wpkh, malformed},
             {31, std::string(kTaprootAddress), malformed},
             {31, "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", wrong},
             {31, "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", wrong},
         }) {
        EXPECT_EQ(fault(row.address, "Hello World", sign("Hello World", row.header)), row.fault)
            << row.header << " " << row.address;
    }
}

TEST_F(LegacySignature, SignsOneMessage) {
    const auto signature = sign("Hello World", 31);
    EXPECT_EQ(fault(p2pkh(true), "Hello World", signature), std::nullopt);
    EXPECT_NE(fault(p2pkh(true), "Hello World ", signature), std::nullopt);
    EXPECT_NE(fault(p2pkh(true), "", signature), std::nullopt);
    const std::string long_message(5'000, 'x');
    EXPECT_EQ(fault(p2pkh(true), long_message, sign(long_message, 31)), std::nullopt);
    EXPECT_NE(fault(p2pkh(true), "Hello World", to_base64(base::Bytes(65, 31))), std::nullopt);
}

// From the tests of Bitcoin Core (util_tests.cpp, message_verify): signed by its own signmessage.
TEST(SignedMessage, VerifiesBitcoinCoresSignatures) {
    EXPECT_EQ(fault("15CRxFdyRpGZLW9w8HnHvVduizdL5jKNbs", "Trust no one",
                    "IPojfrX2dfPnH26UegfbGQQLrdK844DlHq5157/P6h57WyuS/Qsl+h/WSVGDF4MUi4rWSswW38oi"
                    "mDYfNNUBUOk="),
              std::nullopt);
    EXPECT_EQ(fault("11canuhp9X2NocwCq7xNrQYTmUgZAnLK3", "Trust me",
                    "IIcaIENoYW5jZWxsb3Igb24gYnJpbmsgb2Ygc2Vjb25kIGJhaWxvdXQgZm9yIGJhbmtzIAaHRtbC"
                    "eDZINyavx14="),
              std::nullopt);
    EXPECT_EQ(fault("15CRxFdyRpGZLW9w8HnHvVduizdL5jKNbs", "I never signed this",
                    "IPojfrX2dfPnH26UegfbGQQLrdK844DlHq5157/P6h57WyuS/Qsl+h/WSVGDF4MUi4rWSswW38oi"
                    "mDYfNNUBUOk="),
              SignatureFault::wrong);
}

}  // namespace
}  // namespace adit::auth
