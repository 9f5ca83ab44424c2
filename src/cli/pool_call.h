// Asking the running pool over its control socket, as the commands do: what goes wrong is told on
// stderr and becomes an exit code.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace adit::cli {

// Exit codes of the commands that ask a running pool.
inline constexpr int kPoolDone = 0;
inline constexpr int kPoolRefused = 1;      // the pool said no
inline constexpr int kPoolUnreachable = 2;  // or wrong options, or faults in the configuration

// params: a JSON object as text. The result is JSON; the error an exit code.
std::expected<std::string, int> ask_running_pool(const std::string& config_file,
                                                 std::string_view method, std::string_view params);

// What every command of a group has: --config and --json.
struct GroupOptions {
    std::string config_file;
    bool json = false;
};
struct GroupCommand {
    CLI::App* app;
    std::shared_ptr<GroupOptions> common;
};
GroupCommand add_command(CLI::App* group, const char* name, const char* purpose,
                         const std::string& footer);

// Asks the running pool and shows what it answers; the exit code.
int show_answer(const GroupOptions& common, std::string_view method, std::string_view params,
                std::string (*as_text)(const std::string&));

// Asks on a terminal whether to go on; without one, and with `yes`, the answer is yes.
bool confirmed(const std::string& question, bool yes);

// Says on stderr what is wrong with the options.
int bad_usage(const std::string& sentence);

}  // namespace adit::cli
