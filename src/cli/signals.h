// Signals as values: they are blocked in every thread and taken one by one by the main thread, so
// no handler ever runs. Call block_signals() before the first thread starts.
#pragma once

#include <cstdint>
#include <optional>

namespace adit::cli {

enum class Signal { stop, reload };

// Blocks SIGINT, SIGTERM and SIGHUP for this thread and those it starts; ignores SIGPIPE.
void block_signals();
// Waits at most timeout_ms for one of them; nullopt when none came.
std::optional<Signal> wait_for_signal(std::int64_t timeout_ms);

}  // namespace adit::cli
