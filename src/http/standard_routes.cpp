#include "http/standard_routes.h"

#include <fmt/format.h>

namespace adit::http {

std::string_view name_of(HealthStatus status) {
    switch (status) {
        case HealthStatus::healthy:
            return "healthy";
        case HealthStatus::degraded:
            return "degraded";
        case HealthStatus::unhealthy:
            return "unhealthy";
    }
    return "unhealthy";
}

Route health_route(std::function<Health()> health) {
    const auto handler = [health = std::move(health)](const Request& request) {
        const auto now = health();
        const auto details = request.may(auth::Permission::view_pool) && !now.details_json.empty()
                                 ? fmt::format(",\"details\":{}", now.details_json)
                                 : std::string();
        return json_response(fmt::format("{{\"status\":\"{}\"{}}}", name_of(now.status), details),
                             now.status == HealthStatus::unhealthy ? 503 : 200);
    };
    return {.method = Method::get,
            .pattern = "/api/v1/health",
            .permission = auth::Permission::anyone,
            .summary = "Whether the pool is healthy, degraded or unhealthy; details with a login.",
            .handler = handler};
}

Route metrics_route(const metrics::Registry& registry, auth::Permission permission) {
    return {.method = Method::get,
            .pattern = "/metrics",
            .permission = permission,
            .summary = "All metrics in Prometheus' text format.",
            .handler = [&registry](const Request&) {
                Response response;
                response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                response.body = registry.text();
                return response;
            }};
}

}  // namespace adit::http
