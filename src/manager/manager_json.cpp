#include "manager/manager_json.h"

#include <nlohmann/json.hpp>

namespace adit::manager {
namespace {

using Json = nlohmann::ordered_json;

std::string compact(const Json& json) {
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace

std::string health_json(const HealthReport& report) {
    auto parts = Json::array();
    for (const auto& part : report.parts) {
        parts.push_back(
            {{"part", part.part},
             {"status", name_of(part.state)},
             {"vital", part.vital},
             {"probes", part.probes},
             {"failures", part.failures},
             {"error_rate", part.error_rate},
             {"last_ms", part.last_ms},
             {"p50_ms", part.p50_ms},
             {"p99_ms", part.p99_ms},
             {"queue_depth", part.queue_depth ? Json(*part.queue_depth) : Json(nullptr)},
             {"probed_at_ms", part.probed_ms},
             {"last_error", part.last_error},
             {"last_error_at_ms", part.last_error_ms},
             {"note", part.note},
             {"recommendation", part.recommendation}});
    }
    return compact(
        {{"status", name_of(report.state)}, {"at_ms", report.at_ms}, {"parts", std::move(parts)}});
}

std::string refusal_json(const OperationRefusal& refusal) {
    return compact({{"error", {{"code", name_of(refusal.kind)}, {"message", refusal.text}}}});
}

}  // namespace adit::manager
