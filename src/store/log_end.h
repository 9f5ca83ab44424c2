// How far a log reaches that somebody may be writing to at this moment: what an audit of a running
// pool can read. Takes no lock and changes nothing.
#pragma once

#include "store/log_format.h"

#include <expected>
#include <optional>

namespace adit::store {

struct LogEnd {
    // Behind the last intact batch. A batch that is just being written there is no damage: it may
    // be half visible, and is left out.
    share::LogPosition position = 0;
    // What is wrong behind it: a bad batch in front of intact ones.
    std::optional<LogError> damage;
};

// Reads the last segment, as it is at this moment.
std::expected<LogEnd, LogError> find_log_end(FileSystem& files,
                                             const std::filesystem::path& log_dir);

}  // namespace adit::store
