#include "base/json_fields.h"

#include "base/nearest.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <set>

namespace adit::base {

using Json = nlohmann::json;

struct JsonFields::Members {
    Json json;
    std::string kind;
    std::set<std::string, std::less<>> read;
    std::optional<std::string> fault;

    void refuse(std::string sentence) {
        if (!fault) fault = std::move(sentence);
    }

    // Null: not there.
    const Json* find(std::string_view key) {
        read.emplace(key);
        const auto member = json.find(key);
        return member == json.end() ? nullptr : &*member;
    }

    std::optional<std::string> text_of(const Json& value, std::string_view key,
                                       std::size_t most_bytes) {
        if (!value.is_string()) {
            refuse(fmt::format("\"{}\" must be a text", key));
            return std::nullopt;
        }
        auto text = value.get<std::string>();
        if (text.size() > most_bytes) {
            refuse(fmt::format("\"{}\" is {} bytes long, {} are allowed", key, text.size(),
                               most_bytes));
            return std::nullopt;
        }
        const auto is_control = [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        };
        if (std::ranges::any_of(text, is_control)) {
            refuse(fmt::format("\"{}\" must have no line ends or other control characters", key));
            return std::nullopt;
        }
        return text;
    }
};

JsonFields::JsonFields(std::string_view json, std::string_view kind)
    : members_(std::make_unique<Members>()) {
    members_->kind = kind;
    // Of two members of one name, different readers believe different ones.
    std::set<std::string> names;
    const auto once = [&](int depth, Json::parse_event_t event, Json& key) {
        if (event == Json::parse_event_t::key && depth == 1 &&
            !names.insert(key.get<std::string>()).second) {
            refuse(fmt::format("\"{}\" is there twice", key.get<std::string>().substr(0, 64)));
        }
        return true;
    };
    members_->json = Json::parse(json, once, false);
    if (!members_->json.is_object())
        members_->fault = fmt::format("send a JSON object; each member is a {}", kind);
}

JsonFields::~JsonFields() = default;

void JsonFields::refuse(std::string sentence) {
    members_->refuse(std::move(sentence));
}

bool JsonFields::has(std::string_view key) {
    return members_->find(key) != nullptr;
}

void JsonFields::require(std::string_view key) {
    if (!has(key)) refuse(fmt::format("\"{}\" is missing", key));
}

std::optional<std::int64_t> JsonFields::integer(std::string_view key, std::int64_t least,
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

std::optional<double> JsonFields::number(std::string_view key, double least, double most) {
    const auto* member = members_->find(key);
    if (member == nullptr) return std::nullopt;
    const auto value = member->is_number() ? member->get<double>() : least - 1;
    if (!(value >= least && value <= most)) {
        refuse(fmt::format("\"{}\" must be a number from {} to {}", key, least, most));
        return std::nullopt;
    }
    return value;
}

bool JsonFields::flag(std::string_view key) {
    return optional_flag(key).value_or(false);
}

std::optional<bool> JsonFields::optional_flag(std::string_view key) {
    const auto* member = members_->find(key);
    if (member == nullptr) return std::nullopt;
    if (!member->is_boolean()) {
        refuse(fmt::format("\"{}\" must be true or false", key));
        return std::nullopt;
    }
    return member->get<bool>();
}

std::string JsonFields::text(std::string_view key, std::size_t most_bytes) {
    return optional_text(key, most_bytes).value_or(std::string());
}

std::optional<std::string> JsonFields::optional_text(std::string_view key, std::size_t most_bytes) {
    const auto* member = members_->find(key);
    return member == nullptr ? std::nullopt : members_->text_of(*member, key, most_bytes);
}

std::vector<std::string> JsonFields::texts(std::string_view key, std::size_t most,
                                           std::size_t most_bytes) {
    const auto* member = members_->find(key);
    if (member == nullptr) return {};
    if (!member->is_array() || member->size() > most) {
        refuse(fmt::format("\"{}\" must be a list of at most {} texts", key, most));
        return {};
    }
    std::vector<std::string> out;
    for (const auto& value : *member) {
        auto text = members_->text_of(value, key, most_bytes);
        if (!text) return {};
        out.push_back(std::move(*text));
    }
    return out;
}

std::optional<std::string> JsonFields::object(std::string_view key) {
    const auto* member = members_->find(key);
    if (member == nullptr) return std::nullopt;
    if (!member->is_object()) {
        refuse(fmt::format("\"{}\" must be an object", key));
        return std::nullopt;
    }
    return member->dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> JsonFields::objects(std::string_view key, std::size_t most) {
    const auto* member = members_->find(key);
    if (member == nullptr) return {};
    const bool fits = member->is_array() && member->size() <= most &&
                      std::ranges::all_of(*member, &Json::is_object);
    if (!fits) {
        refuse(fmt::format("\"{}\" must be a list of at most {} objects", key, most));
        return {};
    }
    std::vector<std::string> out;
    for (const auto& value : *member)
        out.push_back(value.dump(-1, ' ', false, Json::error_handler_t::replace));
    return out;
}

std::optional<std::string> JsonFields::finish() {
    if (members_->fault) return members_->fault;
    for (const auto& [key, value] : members_->json.items()) {
        if (members_->read.contains(key)) continue;
        const auto suggestion =
            nearest(key.substr(0, 64), {members_->read.begin(), members_->read.end()});
        refuse(fmt::format("\"{}\" is no {}{}", key.substr(0, 64), members_->kind,
                           suggestion ? fmt::format("; did you mean \"{}\"?", *suggestion) : ""));
    }
    return members_->fault;
}

}  // namespace adit::base
