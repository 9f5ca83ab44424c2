// Asks the running pool of a data directory to do something, for the adit commands. Blocks the
// calling thread; one connection a call.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

namespace adit::manager {

enum class ControlFault {
    no_pool,     // none is running on this data directory
    no_access,   // it runs as another user, or the path cannot be a socket's
    refused,     // the pool said no
    unanswered,  // asked, but no reply came: it may or may not have been done
};

struct ControlFailure {
    ControlFault fault = ControlFault::no_pool;
    std::string message;  // a sentence for the operator
};

// params: a JSON object as text. The result is JSON as compact text. timeout_ms is for everything
// together.
std::expected<std::string, ControlFailure> ask_pool(const std::filesystem::path& data_dir,
                                                    std::string_view method,
                                                    std::string_view params, int timeout_ms);

}  // namespace adit::manager
