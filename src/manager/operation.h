// What all operations of the pool manager have in common: the state of the pool, when a call has to
// end, and how it is refused. Values.
#pragma once

#include <cstdint>
#include <expected>
#include <stop_token>
#include <string>
#include <string_view>

namespace adit::manager {

enum class PoolState : std::uint8_t {
    stopped = 0,
    starting = 1,
    running = 2,
    degraded = 3,  // runs, and the last health check found a part that is not healthy
    stopping = 4,
    failed = 5,  // did not start
};
std::string_view name_of(PoolState state);
// Whether operations can be carried out.
bool is_serving(PoolState state);

// When a call ends, whatever it has reached by then.
struct CallLimits {
    std::int64_t deadline_ms = 0;  // of the steady clock
    std::stop_token stop;
};

enum class RefusalKind : std::uint8_t {
    wrong_state = 0,  // the pool does not run
    bad_request = 1,
    deadline = 2,
    cancelled = 3,
    unavailable = 4,  // a part that it takes is not there
    failed = 5,
};
std::string_view name_of(RefusalKind kind);

struct OperationRefusal {
    RefusalKind kind = RefusalKind::failed;
    std::string text;  // a sentence for the operator
};

template <class T>
using Outcome = std::expected<T, OperationRefusal>;

}  // namespace adit::manager
