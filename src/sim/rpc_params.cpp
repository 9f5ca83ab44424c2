#include "sim/rpc_params.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

RpcFailure read_hash(const Json& value, std::string_view name, chain::Hash256& hash) {
    if (!value.is_string()) return type_failure(name, "string");
    const auto text = value.get<std::string>();
    const auto parsed = chain::Hash256::from_rpc_hex(text);
    if (!parsed) {
        return {rpc_code::kInvalidParameter,
                fmt::format("{} must be of length 64 and hexadecimal (not '{}')", name, text)};
    }
    hash = *parsed;
    return {};
}

// Version, no inputs, outputs, lock time.
std::optional<chain::Transaction> parse_without_inputs(base::ByteSpan raw) {
    base::ByteReader reader(raw);
    chain::Transaction transaction;
    transaction.version = reader.le<std::int32_t>();
    if (reader.le<std::uint8_t>() != 0) return std::nullopt;
    const auto count = chain::read_compact_size(reader);
    if (!count || *count > raw.size()) return std::nullopt;
    for (std::uint64_t i = 0; i < *count; ++i) {
        auto& output = transaction.outputs.emplace_back();
        output.value_sat = reader.le<std::int64_t>();
        const auto size = chain::read_compact_size(reader);
        if (!size) return std::nullopt;
        const auto script = reader.take(*size);
        output.script.assign(script.begin(), script.end());
    }
    transaction.lock_time = reader.le<std::uint32_t>();
    if (!reader.finished()) return std::nullopt;
    return transaction;
}

}  // namespace

RpcFailure type_failure(std::string_view name, std::string_view expected) {
    return {rpc_code::kType,
            fmt::format("JSON value of {} is not of expected type {}", name, expected)};
}

const Json* parameter(const Json& params, std::size_t i) {
    return i < params.size() && !params[i].is_null() ? &params[i] : nullptr;
}

const Json* member(const Json& object, std::string_view key) {
    const auto at = object.find(key);
    return at == object.end() || at->is_null() ? nullptr : &*at;
}

RpcFailure read(const Json* value, std::string_view name, bool& out) {
    if (value == nullptr) return {};
    if (!value->is_boolean()) return type_failure(name, "bool");
    out = value->get<bool>();
    return {};
}

RpcFailure read(const Json* value, std::string_view name, std::int64_t& out) {
    if (value == nullptr) return {};
    if (!value->is_number_integer()) return type_failure(name, "number");
    out = value->get<std::int64_t>();
    return {};
}

RpcFailure read(const Json* value, std::string_view name, std::string& out) {
    if (value == nullptr) return {};
    if (!value->is_string()) return type_failure(name, "string");
    out = value->get<std::string>();
    return {};
}

RpcFailure hash_parameter(const Json& params, std::size_t i, std::string_view name,
                          chain::Hash256& hash) {
    if (i >= params.size()) return type_failure(name, "string");
    return read_hash(params[i], name, hash);
}

RpcFailure read_outpoint(const Json& value, chain::OutPoint& outpoint) {
    if (!value.is_object()) return type_failure("output", "object");
    const auto* txid = member(value, "txid");
    if (txid == nullptr) return {rpc_code::kType, "Missing txid"};
    if (auto failure = read_hash(*txid, "txid", outpoint.txid)) return failure;
    const auto* vout = member(value, "vout");
    if (vout == nullptr || !vout->is_number_integer()) {
        return {rpc_code::kInvalidParameter, "Invalid parameter, missing vout key"};
    }
    const auto index = vout->get<std::int64_t>();
    if (index < 0) {
        return {rpc_code::kInvalidParameter, "Invalid parameter, vout cannot be negative"};
    }
    if (index > std::numeric_limits<std::uint32_t>::max()) return type_failure("vout", "number");
    outpoint.index = static_cast<std::uint32_t>(index);
    return {};
}

RpcFailure read_transaction(const Json* value, InputsNeeded inputs,
                            chain::Transaction& transaction) {
    if (value == nullptr || !value->is_string()) return type_failure("hexstring", "string");
    RpcFailure failure{rpc_code::kDeserialization,
                       inputs == InputsNeeded::yes
                           ? "TX decode failed. Make sure the tx has at least one input."
                           : "TX decode failed"};
    const auto raw = base::from_hex(value->get<std::string>());
    if (!raw) return failure;
    if (inputs == InputsNeeded::no) {
        if (auto parsed = parse_without_inputs(*raw)) {
            transaction = std::move(*parsed);
            return {};
        }
    }
    auto parsed = chain::parse_transaction(*raw);
    if (!parsed) return failure;
    transaction = std::move(*parsed);
    return {};
}

RpcFailure refuse_unknown_keys(const Json& object, std::initializer_list<std::string_view> known) {
    if (!object.is_object()) return type_failure("options", "object");
    for (const auto& [key, value] : object.items()) {
        if (std::ranges::find(known, std::string_view(key)) == known.end()) {
            return {rpc_code::kType, "Unexpected key " + key};
        }
    }
    return {};
}

}  // namespace adit::sim
