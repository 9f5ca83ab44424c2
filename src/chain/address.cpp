#include "chain/address.h"

#include "chain/script.h"

#include <array>

namespace adit::chain {
namespace {

constexpr std::size_t kHash160Size = 20;
constexpr std::uint8_t kOp0 = 0x00;
constexpr std::uint8_t kOp1 = 0x51;
// DUP HASH160 push(20) <hash> EQUALVERIFY CHECKSIG
constexpr std::array<std::uint8_t, 3> kP2pkhHead{0x76, 0xa9, 0x14};
constexpr std::array<std::uint8_t, 2> kP2pkhTail{0x88, 0xac};
// HASH160 push(20) <hash> EQUAL
constexpr std::array<std::uint8_t, 2> kP2shHead{0xa9, 0x14};
constexpr std::array<std::uint8_t, 1> kP2shTail{0x87};

constexpr std::array kAllNetworks{Network::main, Network::testnet4, Network::signet,
                                  Network::regtest};

bool starts_with(base::ByteSpan bytes, base::ByteSpan head) {
    return bytes.size() >= head.size() && std::equal(head.begin(), head.end(), bytes.begin());
}
bool ends_with(base::ByteSpan bytes, base::ByteSpan tail) {
    return bytes.size() >= tail.size() && std::equal(tail.rbegin(), tail.rend(), bytes.rbegin());
}

base::Bytes concatenate(base::ByteSpan head, base::ByteSpan middle, base::ByteSpan tail) {
    base::Bytes bytes(head.begin(), head.end());
    base::append(bytes, middle);
    base::append(bytes, tail);
    return bytes;
}

// The hash inside a script of this shape; empty when it has another.
base::ByteSpan hash_within(base::ByteSpan script, base::ByteSpan head, base::ByteSpan tail) {
    if (script.size() != head.size() + kHash160Size + tail.size()) return {};
    if (!starts_with(script, head) || !ends_with(script, tail)) return {};
    return script.subspan(head.size(), kHash160Size);
}

bool known_hrp(std::string_view hrp) {
    return std::any_of(kAllNetworks.begin(), kAllNetworks.end(),
                       [&](Network network) { return params(network).bech32_hrp == hrp; });
}

// Whether the text begins like a segwit address of one of our chains, in either case.
bool looks_like_segwit(std::string_view text) {
    const auto separator = text.find('1');
    if (separator == std::string_view::npos) return false;
    std::string hrp(text.substr(0, separator));
    for (auto& c : hrp)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return known_hrp(hrp);
}

Bech32Variant variant_of_version(std::uint8_t version) {
    return version == 0 ? Bech32Variant::bech32 : Bech32Variant::bech32m;
}

bool program_size_allowed(std::uint8_t version, std::size_t size) {
    if (version == 0) return size == 20 || size == 32;
    return size >= 2 && size <= 40;
}

// 5-bit groups to bytes; what is left over must be less than a group and zero.
std::expected<base::Bytes, AddressError> bytes_of_groups(std::span<const std::uint8_t> groups) {
    base::Bytes bytes;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const auto group : groups) {
        bits = (bits << 5 | group) & 0xfff;
        count += 5;
        if (count >= 8) {
            count -= 8;
            bytes.push_back(static_cast<std::uint8_t>(bits >> count));
        }
    }
    if (count >= 5 || (bits & ((1U << count) - 1)) != 0) {
        return std::unexpected(AddressError::bad_padding);
    }
    return bytes;
}

std::vector<std::uint8_t> groups_of_bytes(base::ByteSpan bytes) {
    std::vector<std::uint8_t> groups;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const auto byte : bytes) {
        bits = (bits << 8 | byte) & 0xfff;
        count += 8;
        for (; count >= 5; count -= 5) {
            groups.push_back(static_cast<std::uint8_t>(bits >> (count - 5) & 31));
        }
    }
    if (count > 0) groups.push_back(static_cast<std::uint8_t>(bits << (5 - count) & 31));
    return groups;
}

std::expected<base::Bytes, AddressError> script_of_segwit(std::string_view address,
                                                          const NetworkParams& network) {
    const auto content = bech32_decode(address);
    if (!content) return std::unexpected(content.error());
    if (content->hrp != network.bech32_hrp) {
        return std::unexpected(known_hrp(content->hrp) ? AddressError::wrong_network
                                                       : AddressError::unknown_format);
    }
    if (content->values.empty()) return std::unexpected(AddressError::bad_length);
    const std::uint8_t version = content->values[0];
    if (version > 16) return std::unexpected(AddressError::bad_version);
    if (content->variant != variant_of_version(version)) {
        return std::unexpected(AddressError::bad_checksum);
    }
    const auto program = bytes_of_groups(std::span{content->values}.subspan(1));
    if (!program) return std::unexpected(program.error());
    if (!program_size_allowed(version, program->size())) {
        return std::unexpected(AddressError::bad_length);
    }
    const std::array<std::uint8_t, 2> head{
        version == 0 ? kOp0 : static_cast<std::uint8_t>(kOp1 + version - 1),
        static_cast<std::uint8_t>(program->size())};
    return concatenate(head, *program, {});
}

std::expected<base::Bytes, AddressError> script_of_base58(std::string_view address,
                                                          const NetworkParams& network) {
    const auto payload = base58check_decode(address);
    if (!payload) return std::unexpected(payload.error());
    if (payload->size() != 1 + kHash160Size) return std::unexpected(AddressError::bad_length);
    const std::uint8_t version = payload->front();
    const auto hash = base::ByteSpan{*payload}.subspan(1);
    if (version == network.p2pkh_version) return concatenate(kP2pkhHead, hash, kP2pkhTail);
    if (version == network.p2sh_version) return concatenate(kP2shHead, hash, kP2shTail);
    const bool known = std::any_of(kAllNetworks.begin(), kAllNetworks.end(), [&](Network other) {
        return params(other).p2pkh_version == version || params(other).p2sh_version == version;
    });
    return std::unexpected(known ? AddressError::wrong_network : AddressError::bad_version);
}

std::string base58_address(std::uint8_t version, base::ByteSpan hash) {
    return base58check_encode(concatenate({&version, 1}, hash, {}));
}

}  // namespace

std::string_view describe(AddressError error) {
    switch (error) {
        case AddressError::empty:
            return "the address is empty";
        case AddressError::bad_character:
            return "the address has a character that none may have";
        case AddressError::mixed_case:
            return "the address mixes upper and lower case";
        case AddressError::bad_checksum:
            return "the address's checksum is wrong: a typing error?";
        case AddressError::wrong_network:
            return "the address belongs to another chain";
        case AddressError::bad_length:
            return "the address has a length that none of its kind has";
        case AddressError::bad_padding:
            return "the address's last bits are not as its kind wants";
        case AddressError::bad_version:
            return "the address is of a version that nobody can pay";
        case AddressError::unknown_format:
            return "this is no address of a known format";
    }
    return "unknown";
}

std::expected<base::Bytes, AddressError> script_of_address(std::string_view address,
                                                           const NetworkParams& network) {
    if (address.empty()) return std::unexpected(AddressError::empty);
    if (looks_like_segwit(address)) return script_of_segwit(address, network);
    auto script = script_of_base58(address, network);
    // A segwit address of some chain we do not know says more than a character Base58 lacks.
    if (!script && script.error() == AddressError::bad_character && bech32_decode(address)) {
        return std::unexpected(AddressError::unknown_format);
    }
    return script;
}

std::optional<std::string> address_of_script(base::ByteSpan script, const NetworkParams& network) {
    if (const auto hash = hash_within(script, kP2pkhHead, kP2pkhTail); !hash.empty()) {
        return base58_address(network.p2pkh_version, hash);
    }
    if (const auto hash = hash_within(script, kP2shHead, kP2shTail); !hash.empty()) {
        return base58_address(network.p2sh_version, hash);
    }
    if (!is_witness_program(script)) return std::nullopt;
    const std::uint8_t opcode = script[0];
    const auto version = static_cast<std::uint8_t>(opcode == kOp0 ? 0 : opcode - kOp1 + 1);
    const auto program = script.subspan(2);
    if (!program_size_allowed(version, program.size())) return std::nullopt;
    Bech32 content{variant_of_version(version), std::string(network.bech32_hrp), {version}};
    const auto groups = groups_of_bytes(program);
    content.values.insert(content.values.end(), groups.begin(), groups.end());
    return bech32_encode(content);
}

std::expected<std::string, AddressError> canonical_address(std::string_view address,
                                                           const NetworkParams& network) {
    const auto script = script_of_address(address, network);
    if (!script) return std::unexpected(script.error());
    return address_of_script(*script, network).value();
}

}  // namespace adit::chain
