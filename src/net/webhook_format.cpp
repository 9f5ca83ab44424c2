#include "net/webhook_format.h"

#include "base/bytes.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace adit::net {

namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, kWebhookFormats> kNames = {"json", "slack", "discord",
                                                                  "telegram", "ntfy"};
constexpr std::size_t kTitleBytes = 200;
// Discord takes 4,096 characters, Telegram 4,096, ntfy 4,096 bytes, all with room for the rest.
constexpr std::size_t kTextBytes = 3'000;
constexpr std::size_t kMostLabels = 16;
constexpr std::size_t kLabelBytes = 50;

std::string cut(std::string_view text, std::size_t most) {
    if (text.size() <= most) return std::string(text);
    auto end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
        --end;
    return std::string(text.substr(0, end)) + "...";
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string iso_time(std::int64_t time_ms) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                       fmt::gmtime(static_cast<std::time_t>(time_ms / 1'000)), time_ms % 1'000);
}

std::string headline(const WebhookMessage& message) {
    const auto* mark = message.state == "resolved" ? "resolved: " : "";
    return mark + cut(message.title, kTitleBytes);
}

std::string label_lines(const WebhookMessage& message) {
    std::string out;
    std::size_t count = 0;
    for (const auto& [name, value] : message.labels) {
        if (++count > kMostLabels) break;
        out += fmt::format("\n{}: {}", cut(name, kLabelBytes), cut(value, kLabelBytes));
    }
    return out;
}

std::string plain(const WebhookMessage& message) {
    return cut(message.text, kTextBytes) + label_lines(message);
}

// Slack's three characters with a meaning; without them nobody is mentioned and nothing is linked.
std::string slack_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

unsigned color_of(const WebhookMessage& message) {
    if (message.state == "resolved") return 0x2e9e5b;
    if (message.severity == "critical") return 0xd03535;
    return message.severity == "warning" ? 0xe0a020 : 0x3b78c2;
}

// A header's value may hold ASCII only; anything else is an encoded word (RFC 2047).
std::string header_text(std::string_view text) {
    const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f; };
    if (std::ranges::all_of(text, is_plain)) return std::string(text);
    std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
    const auto size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                      reinterpret_cast<const unsigned char*>(text.data()),
                                      static_cast<int>(text.size()));
    encoded.resize(static_cast<std::size_t>(size));
    return fmt::format("=?UTF-8?B?{}?=", encoded);
}

WebhookBody as_json(const WebhookMessage& message) {
    const Json body = {{"title", cut(message.title, kTitleBytes)},
                       {"text", cut(message.text, kTextBytes)},
                       {"severity", message.severity},
                       {"state", message.state},
                       {"time", iso_time(message.time_ms)},
                       {"labels", message.labels}};
    return {dump(body), "application/json", {}};
}

WebhookBody as_slack(const WebhookMessage& message) {
    const auto text =
        fmt::format("*{}*\n{}", slack_escaped(headline(message)), slack_escaped(plain(message)));
    return {dump({{"text", text}}), "application/json", {}};
}

WebhookBody as_discord(const WebhookMessage& message) {
    const Json embed = {{"title", headline(message)},
                        {"description", plain(message)},
                        {"color", color_of(message)},
                        {"timestamp", iso_time(message.time_ms)}};
    // A worker may call itself @everyone.
    const Json body = {{"embeds", Json::array({embed})},
                       {"allowed_mentions", {{"parse", Json::array()}}}};
    return {dump(body), "application/json", {}};
}

// The chat is in the address; without parse_mode nothing in the text has a meaning.
WebhookBody as_telegram(const WebhookMessage& message) {
    const Json body = {{"text", fmt::format("{}\n{}", headline(message), plain(message))},
                       {"disable_web_page_preview", true}};
    return {dump(body), "application/json", {}};
}

WebhookBody as_ntfy(const WebhookMessage& message) {
    const bool resolved = message.state == "resolved";
    const auto* priority = resolved                         ? "default"
                           : message.severity == "critical" ? "urgent"
                           : message.severity == "warning"  ? "high"
                                                            : "default";
    const auto* tag = resolved                         ? "white_check_mark"
                      : message.severity == "critical" ? "rotating_light"
                      : message.severity == "warning"  ? "warning"
                                                       : "information_source";
    return {plain(message),
            "text/plain; charset=utf-8",
            {{"Title", header_text(headline(message))}, {"Priority", priority}, {"Tags", tag}}};
}

}  // namespace

std::string_view name_of(WebhookFormat format) {
    return kNames[static_cast<std::size_t>(format)];
}

std::optional<WebhookFormat> parse_webhook_format(std::string_view name) {
    const auto found = std::ranges::find(kNames, name);
    if (found == kNames.end()) return std::nullopt;
    return static_cast<WebhookFormat>(found - kNames.begin());
}

WebhookBody format_webhook(WebhookFormat format, const WebhookMessage& message) {
    switch (format) {
        case WebhookFormat::json:
            return as_json(message);
        case WebhookFormat::slack:
            return as_slack(message);
        case WebhookFormat::discord:
            return as_discord(message);
        case WebhookFormat::telegram:
            return as_telegram(message);
        case WebhookFormat::ntfy:
            return as_ntfy(message);
    }
    return as_json(message);
}

std::string webhook_signature(std::string_view secret, std::string_view body) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest.data(), &size);
    return "sha256=" + base::to_hex({digest.data(), size});
}

}  // namespace adit::net
