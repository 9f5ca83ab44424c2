// Addresses to output scripts and back: P2PKH and P2SH (Base58Check), witness programs in bech32
// (version 0, BIP173) and bech32m (version 1 to 16, BIP350).
#pragma once

#include "base/bytes.h"
#include "chain/network.h"

#include <expected>
#include <string>

namespace adit::chain {

enum class AddressError {
    empty,
    bad_character,
    mixed_case,
    bad_checksum,
    wrong_network,
    bad_length,
    bad_padding,
    bad_version,
    unknown_format,
};
// A sentence that says what is wrong with the address.
std::string_view describe(AddressError error);

// The output script that pays this address on this network.
std::expected<base::Bytes, AddressError> script_of_address(std::string_view address,
                                                           const NetworkParams& network);
// The address of a standard output script; nullopt for scripts that have none.
std::optional<std::string> address_of_script(base::ByteSpan script, const NetworkParams& network);
// One spelling per address (bech32 in lower case), so that an account has one name.
std::expected<std::string, AddressError> canonical_address(std::string_view address,
                                                           const NetworkParams& network);

// The encodings themselves, for vectors and tests.
std::string base58check_encode(base::ByteSpan payload);
std::expected<base::Bytes, AddressError> base58check_decode(std::string_view text);

enum class Bech32Variant { bech32, bech32m };
struct Bech32 {
    Bech32Variant variant;
    std::string hrp;                   // lower case
    std::vector<std::uint8_t> values;  // 5-bit groups without the checksum
};
std::expected<Bech32, AddressError> bech32_decode(std::string_view text);
std::string bech32_encode(const Bech32& content);

}  // namespace adit::chain
