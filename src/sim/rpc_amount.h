// Amounts in JSON-RPC: exact decimals. An amount is a JSON number of bitcoins with eight places,
// which a JSON library would pass through a binary floating point number; here it never is one.
// While a result is built an amount is a JSON binary value that holds its text; write_json() makes
// the number of it. Pure.
#pragma once

#include "sim/rpc_params.h"

#include <optional>

namespace adit::sim {

// "49.99999999", "-0.00000001".
std::string bitcoins_text(std::int64_t sat);
nlohmann::json amount_json(std::int64_t sat);
// The text of a result, amounts as plain numbers.
std::string write_json(const nlohmann::json& json);

// A decimal number (exponents allowed) in units of 10^-places; nullopt: none, more places than
// that, or out of range.
std::optional<std::int64_t> parse_decimal(std::string_view text, int places);
// A number or a string of bitcoins, from 0 to 21 million.
RpcFailure read_amount(const nlohmann::json& value, std::int64_t& sat);
// A number or a string of sat/vB with up to three places, as satoshis per 1,000 virtual bytes.
RpcFailure read_fee_rate(const nlohmann::json& value, std::int64_t& sat_per_kvb);

}  // namespace adit::sim
