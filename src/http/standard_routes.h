// The routes that every pool has: health and metrics. Values; the functions and registries given
// outlive the router, and are called on worker threads.
#pragma once

#include "http/router.h"
#include "metrics/registry.h"

#include <functional>
#include <string>

namespace adit::http {

enum class HealthStatus : std::uint8_t { healthy = 0, degraded = 1, unhealthy = 2 };
std::string_view name_of(HealthStatus status);

struct Health {
    HealthStatus status = HealthStatus::healthy;
    std::string details_json;  // any JSON value; empty: none
};

// GET /api/v1/health: {"status":"healthy"} for everybody, with "details" for whoever may view the
// pool. 200 while the pool is healthy or degraded, 503 when it is unhealthy.
Route health_route(std::function<Health()> health);

// GET /metrics in Prometheus' text format 0.0.4. Prometheus sends a token as Bearer by itself
// (`authorization` in its configuration); `permission` anyone opens it.
Route metrics_route(const metrics::Registry& registry,
                    auth::Permission permission = auth::Permission::view_pool);

}  // namespace adit::http
