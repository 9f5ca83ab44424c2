#include "sim/rpc_outputs.h"

#include "chain/address.h"
#include "sim/rpc_amount.h"
#include "sim/rpc_methods.h"

#include <nlohmann/json.hpp>

#include <set>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

constexpr std::uint8_t kOpReturn = 0x6a;
constexpr std::uint8_t kPushData1 = 0x4c;
constexpr std::size_t kMaxData = 80;

RpcFailure read_data(const Json& value, chain::TxOutput& output) {
    const auto data = value.is_string() ? base::from_hex(value.get<std::string>()) : std::nullopt;
    if (!data) return {rpc_code::kInvalidParameter, "Data must be hexadecimal string"};
    if (data->size() > kMaxData) return {rpc_code::kInvalidParameter, "Data is too long"};
    output.script = {kOpReturn};
    if (data->size() >= kPushData1) output.script.push_back(kPushData1);
    output.script.push_back(static_cast<std::uint8_t>(data->size()));
    base::append(output.script, *data);
    return {};
}

RpcFailure read_payment(const std::string& address, const Json& value, chain::TxOutput& output) {
    auto script = chain::script_of_address(address, rpc_network());
    if (!script) {
        return {rpc_code::kInvalidAddressOrKey, "Invalid Bitcoin address: " + address};
    }
    output.script = std::move(*script);
    return read_amount(value, output.value_sat);
}

}  // namespace

RpcFailure read_outputs(const Json& value, std::vector<chain::TxOutput>& outputs) {
    if (!value.is_array() && !value.is_object()) return type_failure("outputs", "array");
    const auto list = value.is_array() ? value : Json::array({value});
    std::set<base::Bytes> scripts;
    for (const auto& item : list) {
        if (!item.is_object()) {
            return {rpc_code::kInvalidParameter,
                    "Invalid parameter, key-value pair not an object as expected"};
        }
        if (value.is_array() && item.size() != 1) {
            return {rpc_code::kInvalidParameter,
                    "Invalid parameter, key-value pair must contain exactly one key"};
        }
        for (const auto& [key, amount] : item.items()) {
            auto& output = outputs.emplace_back();
            if (key == "data") {
                if (auto failure = read_data(amount, output)) return failure;
                continue;
            }
            if (auto failure = read_payment(key, amount, output)) return failure;
            if (!scripts.insert(output.script).second) {
                return {rpc_code::kInvalidParameter,
                        "Invalid parameter, duplicated address: " + key};
            }
        }
    }
    return {};
}

}  // namespace adit::sim
