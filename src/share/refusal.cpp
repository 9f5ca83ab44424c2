#include "share/refusal.h"

namespace adit::share {

namespace {

struct Row {
    int code;
    std::string_view words;
    std::string_view label;
};

Row row_of(Refusal refusal) {
    switch (refusal) {
        case Refusal::malformed:
            return {20, "Malformed share", "malformed"};
        case Refusal::bad_version_bits:
            return {20, "Version bits outside the mask", "bad_version_bits"};
        case Refusal::time_too_old:
            return {20, "Time too old", "time_too_old"};
        case Refusal::time_too_new:
            return {20, "Time too new", "time_too_new"};
        case Refusal::storage_unavailable:
            return {20, "Storage unavailable", "storage_unavailable"};
        case Refusal::too_many_shares:
            return {20, "Too many shares", "too_many_shares"};
        case Refusal::job_not_found:
            return {21, "Job not found", "job_not_found"};
        case Refusal::stale:
            return {21, "Stale share", "stale"};
        case Refusal::duplicate:
            return {22, "Duplicate share", "duplicate"};
        case Refusal::low_difficulty:
            return {23, "Low difficulty share", "low_difficulty"};
        case Refusal::unauthorized:
            return {24, "Unauthorized worker", "unauthorized"};
        case Refusal::not_subscribed:
            return {25, "Not subscribed", "not_subscribed"};
        case Refusal::banned:
            return {24, "Banned for now", "banned"};
    }
    return {20, "Other", "other"};
}

}  // namespace

int stratum_code(Refusal refusal) {
    return row_of(refusal).code;
}
std::string_view describe(Refusal refusal) {
    return row_of(refusal).words;
}
std::string_view label(Refusal refusal) {
    return row_of(refusal).label;
}

}  // namespace adit::share
