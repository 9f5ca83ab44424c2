// What a notification looks like to each kind of receiver. Pure functions, safe from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace adit::net {

enum class WebhookFormat : std::uint8_t {
    json = 0,      // our own, for programs
    slack = 1,     // incoming webhook
    discord = 2,   // webhook
    telegram = 3,  // https://api.telegram.org/botTOKEN/sendMessage?chat_id=ID
    ntfy = 4,      // https://HOST/TOPIC
};
inline constexpr std::size_t kWebhookFormats = 5;
std::string_view name_of(WebhookFormat format);
std::optional<WebhookFormat> parse_webhook_format(std::string_view name);

struct WebhookMessage {
    std::string title;
    std::string text;
    std::string severity;      // "info", "warning" or "critical"
    std::string state;         // "firing", "resolved", or empty for what has no end
    std::int64_t time_ms = 0;  // of the event, since 1970
    std::map<std::string, std::string> labels;
};

struct WebhookBody {
    std::string body;
    std::string content_type;
    std::vector<std::pair<std::string, std::string>> headers;
};

// Texts are cut to what the receiver takes, at the end of a character.
WebhookBody format_webhook(WebhookFormat format, const WebhookMessage& message);

// "sha256=" and the HMAC-SHA256 of the body in hex, as in X-Adit-Signature.
std::string webhook_signature(std::string_view secret, std::string_view body);

}  // namespace adit::net
