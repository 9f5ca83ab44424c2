// Why a share is refused: the Stratum error code and the words for each reason.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace adit::share {

enum class Refusal : std::uint8_t {
    malformed,            // 20: wrong number, type or length of parameters
    bad_version_bits,     // 20: bits outside the negotiated mask, or no mask negotiated
    time_too_old,         // 20: ntime before the template's minimum
    time_too_new,         // 20: ntime more than 7,000 s past the job or 2 h past the pool's clock
    storage_unavailable,  // 20: the share log cannot take it now
    too_many_shares,      // 20: a bounded table of this connection is full
    job_not_found,        // 21
    stale,                // 21: of a previous block
    duplicate,            // 22
    low_difficulty,       // 23
    unauthorized,         // 24: a name that this connection did not authorize
    not_subscribed,       // 25
    banned,               // 24
};
inline constexpr std::size_t kRefusalCount = 13;

int stratum_code(Refusal refusal);
// The text of the reply, such as "Job not found".
std::string_view describe(Refusal refusal);
// The metric label, such as "job_not_found".
std::string_view label(Refusal refusal);

}  // namespace adit::share
