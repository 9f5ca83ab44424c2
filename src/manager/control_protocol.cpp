#include "manager/control_protocol.h"

#include <nlohmann/json.hpp>

namespace adit::manager {
namespace {

using Json = nlohmann::json;

// How deep arrays and objects are nested, strings left out; tells before anything is built.
std::size_t nesting(std::string_view text) {
    std::size_t depth = 0, most = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            most = std::max(most, ++depth);
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return most;
}

std::string compact(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// JSON text on one line: a line feed in it can only be space between tokens.
std::string one_line(std::string_view json) {
    std::string text(json);
    std::ranges::replace(text, '\n', ' ');
    return text;
}

}  // namespace

std::expected<ControlRequest, std::string> parse_control_request(std::string_view line,
                                                                 std::size_t max_nesting) {
    if (nesting(line) > max_nesting) {
        return std::unexpected(
            fmt::format("a request may be nested {} levels deep at most", max_nesting));
    }
    const auto json = Json::parse(line, nullptr, false);
    if (!json.is_object()) {
        return std::unexpected(R"(a request is a JSON object such as {"method":"status"})");
    }
    const auto method = json.find("method");
    if (method == json.end() || !method->is_string()) {
        return std::unexpected("a request needs a \"method\", a string");
    }
    ControlRequest request{method->get<std::string>(), "{}", {}};
    const auto params = json.find("params");
    if (params != json.end()) {
        if (!params->is_object()) return std::unexpected("\"params\" must be an object");
        request.params = compact(*params);
    }
    for (const auto& [key, value] : json.items()) {
        if (key != "method" && key != "params") {
            return std::unexpected("a request has no other members than \"method\" and \"params\"");
        }
    }
    return request;
}

std::string control_request_line(std::string_view method, std::string_view params) {
    return fmt::format(R"({{"method":{},"params":{}}})", compact(Json(method)), one_line(params));
}

std::string control_reply_line(const ControlReply& reply) {
    if (reply.ok) return fmt::format(R"({{"ok":true,"result":{}}})", one_line(reply.body));
    return fmt::format(R"({{"ok":false,"error":{}}})", compact(Json(reply.body)));
}

std::expected<ControlReply, std::string> parse_control_reply(std::string_view line) {
    const auto json = Json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("ok") && json["ok"].is_boolean()) {
        if (json["ok"].get<bool>() && json.contains("result")) {
            return ControlReply::result(compact(json["result"]));
        }
        if (!json["ok"].get<bool>() && json.contains("error") && json["error"].is_string()) {
            return ControlReply::refusal(json["error"].get<std::string>());
        }
    }
    return std::unexpected(
        "the pool answered something that is no reply; is it of another version?");
}

}  // namespace adit::manager
