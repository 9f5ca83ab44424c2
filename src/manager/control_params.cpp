#include "manager/control_params.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <set>

namespace adit::manager {

using Json = nlohmann::json;

struct ControlParams::Members {
    Json json;
    std::set<std::string, std::less<>> read;
    std::optional<std::string> fault;

    // Null: not there.
    const Json* find(std::string_view key) {
        read.emplace(key);
        const auto member = json.find(key);
        return member == json.end() ? nullptr : &*member;
    }
};

ControlParams::ControlParams(std::string_view json)
    : members_(std::make_unique<Members>(Json::parse(json, nullptr, false))) {
    if (!members_->json.is_object()) refuse("the parameters must be a JSON object");
}

ControlParams::~ControlParams() = default;

void ControlParams::refuse(std::string sentence) {
    if (!members_->fault) members_->fault = std::move(sentence);
}

void ControlParams::require(std::string_view key) {
    if (!members_->json.contains(key)) refuse(fmt::format("\"{}\" is missing", key));
}

std::optional<std::int64_t> ControlParams::integer(std::string_view key, std::int64_t least,
                                                   std::int64_t most) {
    const auto* member = members_->find(key);
    if (member == nullptr) return std::nullopt;
    const bool fits = member->is_number_integer() &&
                      (!member->is_number_unsigned() ||
                       member->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
    if (!fits || member->get<std::int64_t>() < least || member->get<std::int64_t>() > most) {
        refuse(fmt::format("\"{}\" must be a whole number from {} to {}", key, least, most));
        return std::nullopt;
    }
    return member->get<std::int64_t>();
}

bool ControlParams::flag(std::string_view key) {
    const auto* member = members_->find(key);
    if (member == nullptr) return false;
    if (!member->is_boolean()) {
        refuse(fmt::format("\"{}\" must be true or false", key));
        return false;
    }
    return member->get<bool>();
}

std::string ControlParams::text(std::string_view key, std::size_t most_bytes) {
    const auto* member = members_->find(key);
    if (member == nullptr) return {};
    if (!member->is_string()) {
        refuse(fmt::format("\"{}\" must be a text", key));
        return {};
    }
    auto text = member->get<std::string>();
    if (text.size() > most_bytes) {
        refuse(
            fmt::format("\"{}\" is {} bytes long, {} are allowed", key, text.size(), most_bytes));
        return {};
    }
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (std::ranges::any_of(text, is_control)) {
        refuse(fmt::format("\"{}\" must have no line ends or other control characters", key));
        return {};
    }
    return text;
}

std::optional<chain::Hash256> ControlParams::hash(std::string_view key) {
    const auto* member = members_->find(key);
    if (member == nullptr) return std::nullopt;
    auto hash = member->is_string() ? chain::Hash256::from_rpc_hex(member->get<std::string>())
                                    : std::nullopt;
    if (!hash) refuse(fmt::format("\"{}\" must be a transaction id of 64 hex digits", key));
    return hash;
}

std::optional<std::string> ControlParams::finish() {
    if (members_->fault) return members_->fault;
    for (const auto& [key, value] : members_->json.items()) {
        if (!members_->read.contains(key)) {
            refuse(fmt::format("\"{}\" is no parameter of this method", key.substr(0, 64)));
        }
    }
    return members_->fault;
}

}  // namespace adit::manager
