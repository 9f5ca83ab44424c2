// Reading fields of simdjson's parsed answers without exceptions: an absent field and one of
// another type both yield nothing. For this layer's .cpp files only, since simdjson's header is
// large.
#pragma once

#include "chain/hash.h"

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

namespace adit::node {

using Json = simdjson::dom::element;

// The field itself; nullopt when `value` is no object or has no such field.
inline std::optional<Json> json_field(const Json& value, std::string_view key) {
    Json field;
    if (value.at_key(key).get(field) != simdjson::SUCCESS) return std::nullopt;
    return field;
}

template <class T>
std::optional<T> json_as(const Json& value, std::string_view key) {
    T result;
    if (value.at_key(key).get(result) != simdjson::SUCCESS) return std::nullopt;
    return result;
}

inline std::optional<std::int64_t> json_int(const Json& value, std::string_view key) {
    return json_as<std::int64_t>(value, key);
}
inline std::optional<std::string_view> json_text(const Json& value, std::string_view key) {
    return json_as<std::string_view>(value, key);
}
inline std::optional<bool> json_bool(const Json& value, std::string_view key) {
    return json_as<bool>(value, key);
}
inline std::optional<chain::Hash256> json_hash(const Json& value, std::string_view key) {
    const auto text = json_text(value, key);
    return text ? chain::Hash256::from_rpc_hex(*text) : std::nullopt;
}

// Text as a JSON string literal, quotes included.
inline std::string json_quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    return out += '"';
}

}  // namespace adit::node
