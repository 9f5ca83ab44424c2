// Reads the lines of a miner. A one-pass scanner takes the usual mining.submit line without any
// allocation; whatever it does not take goes to the general parser. Both demand exact JSON (RFC
// 8259) and agree on every line that the scanner takes. Views point into the line. Pure.
#pragma once

#include "stratum/json.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace adit::stratum {

enum class Method : std::uint8_t {
    submit,
    subscribe,
    authorize,
    configure,
    suggest_difficulty,
    suggest_target,
    extranonce_subscribe,
    get_transactions,
    ping,
    pong,
    unknown,
};

// The text fields of mining.submit, unescaped.
struct SubmitFields {
    std::string_view id;  // raw JSON
    std::string_view name;
    std::string_view job;
    std::string_view extranonce2;
    std::string_view ntime;
    std::string_view nonce;
    std::optional<std::string_view> version_bits;
};

// The common line: {"id":..,"method":"mining.submit","params":[5 or 6 texts]} with these three
// members once each in any order, an integer, null or plain text as id and no escapes. nullopt
// means only that the general parser is to look at it.
std::optional<SubmitFields> scan_submit(std::string_view line);

struct Request {
    enum class Kind : std::uint8_t {
        request,   // a method is called
        response,  // an answer to something that the pool asked
        invalid,   // an object, but no message: the reply is error 20 and the connection goes on
        not_json,  // no JSON object, or nested too deeply: one error, then close
    };
    Kind kind = Kind::not_json;
    std::string_view id = "null";  // raw JSON, echoed byte for byte
    Method method = Method::unknown;
    std::string_view params;     // raw JSON of the array; empty when missing or null
    std::string_view complaint;  // what is wrong with an invalid one
};

// The protocol needs four levels (object, params, list, text); a few more do no harm.
inline constexpr unsigned kMaxDepth = 8;

Request parse_request(std::string_view line);

}  // namespace adit::stratum
