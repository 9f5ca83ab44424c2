#include "manager/protocol_json.h"

#include <nlohmann/json.hpp>

namespace adit::manager {
namespace {

using Json = nlohmann::ordered_json;

Json listener_of(const ListenerProtocol& listener) {
    auto steps = Json::array();
    for (const auto& step : listener.steps) {
        const bool tried = step.verdict != StepVerdict::not_tried;
        steps.push_back({{"step", step.step},
                         {"verdict", name_of(step.verdict)},
                         {"ms", tried ? Json(step.ms) : Json(nullptr)},
                         {"expected", step.expected},
                         {"came", step.came}});
    }
    return {{"address", listener.address},
            {"tls", listener.tls},
            {"proxy_protocol", listener.proxy_protocol},
            {"violations", listener.violations},
            {"steps", std::move(steps)}};
}

}  // namespace

std::string protocol_json(const ProtocolReport& report) {
    auto listeners = Json::array();
    for (const auto& listener : report.listeners)
        listeners.push_back(listener_of(listener));
    const auto& counts = report.counts;
    const Json json{{"verdict", report.violations() == 0 ? "conforms" : "violates"},
                    {"violations", report.violations()},
                    {"at_ms", report.at_ms},
                    {"took_ms", report.took_ms},
                    {"listeners", std::move(listeners)},
                    {"connections",
                     {{"connections", counts.connections},
                      {"subscribed", counts.subscribed},
                      {"authorized", counts.authorized},
                      {"limit", counts.limit},
                      {"turned_away",
                       {{"full", counts.turned_away_full},
                        {"per_ip", counts.turned_away_address},
                        {"banned", counts.turned_away_banned}}},
                      {"reaped",
                       {{"half_open", counts.reaped_half_open},
                        {"idle", counts.reaped_idle},
                        {"dead", counts.reaped_dead},
                        {"not_reading", counts.reaped_not_reading}}},
                      {"handshakes_failed", counts.handshakes_failed},
                      {"bans", counts.bans}}}};
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace adit::manager
