// Signs as wallets do (`signmessage`). Tests only.
#pragma once

#include "auth/base64url.h"
#include "auth/signed_message.h"

#include <array>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <string>
#include <string_view>

namespace adit::auth::testing {

// Base64 of the header byte, first_header plus what recovers the key, and the compact signature.
inline std::string sign_message(const secp256k1_context* context,
                                const std::array<std::uint8_t, 32>& secret,
                                std::string_view message, int first_header) {
    secp256k1_ecdsa_recoverable_signature signature;
    const auto hash = legacy_message_hash(message);
    secp256k1_ecdsa_sign_recoverable(context, &signature, hash.bytes.data(), secret.data(), nullptr,
                                     nullptr);
    base::Bytes bytes(65);
    int recovery = 0;
    secp256k1_ecdsa_recoverable_signature_serialize_compact(context, &bytes[1], &recovery,
                                                            &signature);
    bytes[0] = static_cast<std::uint8_t>(first_header + recovery);
    return to_base64(bytes);
}

}  // namespace adit::auth::testing
