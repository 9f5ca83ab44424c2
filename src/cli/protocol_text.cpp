#include "cli/books_text.h"
#include "cli/manager_command.h"

#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kCameWidth = 70;  // columns; --json has it all

std::string cut(const std::string& text) {
    return text.size() <= kCameWidth ? text : text.substr(0, kCameWidth - 3) + "...";
}

std::string listener_text(const Json& listener) {
    using enum TextTable::Align;
    TextTable table({{"step", left}, {"verdict", left}, {"ms", right}, {"came", left}});
    for (const auto& step : listener.at("steps")) {
        const auto& ms = step.at("ms");
        table.add({step.at("step"), step.at("verdict"),
                   ms.is_null() ? "-" : fmt::format("{:.2f}", ms.get<double>()),
                   cut(step.at("came").get<std::string>())});
    }
    const auto& violations = listener.at("violations");
    auto text = fmt::format("{}{}{}: {}\n{}", listener.at("address").get<std::string>(),
                            listener.at("tls").get<bool>() ? " (TLS)" : "",
                            listener.at("proxy_protocol").get<bool>() ? " (PROXY)" : "",
                            violations.empty() ? "keeps the protocol" : "VIOLATES THE PROTOCOL",
                            table.text());
    for (const auto& violation : violations)
        text += "  " + violation.get<std::string>() + "\n";
    return text;
}

}  // namespace

std::string protocol_text(const std::string& text) {
    const auto json = Json::parse(text);
    std::string out;
    for (const auto& listener : json.at("listeners"))
        out += listener_text(listener) + "\n";
    const auto& counts = json.at("connections");
    const auto number = [](const Json& count) { return count.get<std::uint64_t>(); };
    const auto& away = counts.at("turned_away");
    const auto& reaped = counts.at("reaped");
    return out +
           fmt::format(
               "connections: {} of at most {}, {} subscribed, {} at work\n"
               "since start: {} turned away (full {}, per address {}, banned {}); reaped: {} "
               "half-open, {} idle, {} dead, {} not reading; {} failed handshakes, {} bans\n"
               "{} violations on {} listener{} in {:.0f} ms\n",
               number(counts.at("connections")), number(counts.at("limit")),
               number(counts.at("subscribed")), number(counts.at("authorized")),
               number(away.at("full")) + number(away.at("per_ip")) + number(away.at("banned")),
               number(away.at("full")), number(away.at("per_ip")), number(away.at("banned")),
               number(reaped.at("half_open")), number(reaped.at("idle")), number(reaped.at("dead")),
               number(reaped.at("not_reading")), number(counts.at("handshakes_failed")),
               number(counts.at("bans")), number(json.at("violations")),
               json.at("listeners").size(), json.at("listeners").size() == 1 ? "" : "s",
               json.at("took_ms").get<double>());
}

}  // namespace adit::cli
