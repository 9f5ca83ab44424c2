#include "manager/operation.h"

namespace adit::manager {

std::string_view name_of(PoolState state) {
    switch (state) {
        case PoolState::stopped:
            return "stopped";
        case PoolState::starting:
            return "starting";
        case PoolState::running:
            return "running";
        case PoolState::degraded:
            return "degraded";
        case PoolState::stopping:
            return "stopping";
        case PoolState::failed:
            return "failed";
    }
    return "failed";
}

bool is_serving(PoolState state) {
    return state == PoolState::running || state == PoolState::degraded;
}

std::string_view name_of(RefusalKind kind) {
    switch (kind) {
        case RefusalKind::wrong_state:
            return "wrong_state";
        case RefusalKind::bad_request:
            return "bad_request";
        case RefusalKind::deadline:
            return "deadline";
        case RefusalKind::cancelled:
            return "cancelled";
        case RefusalKind::unavailable:
            return "unavailable";
        case RefusalKind::failed:
            return "failed";
    }
    return "failed";
}

}  // namespace adit::manager
