// A program as a child process: its output goes to files, it dies with the test however that ends.
// One owner; not thread-safe.
#pragma once

#include "tests/support/temp_dir.h"
#include "tests/support/wait.h"

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace adit::tests {

class Child {
 public:
    // Throws std::runtime_error when it cannot be started.
    explicit Child(const std::vector<std::string>& command);
    ~Child();  // SIGKILL to this process alone, if it still runs
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    pid_t pid() const { return pid_; }
    void signal(int number) const;
    // SIGKILL, and waits for the end.
    void kill();
    // The exit code (128 + signal when one ended it), or nullopt after the deadline.
    std::optional<int> wait(std::int64_t deadline_ms = kDeadlineMs);
    bool running();

    // Everything written so far.
    std::string out() const;  // standard output
    std::string err() const;  // standard error
    bool wrote(std::string_view text) const;
    // Waits until it has written this text to either; false when it ended without, or the deadline.
    bool writes(std::string_view text, std::int64_t deadline_ms = kDeadlineMs);

 private:
    TempDir dir_;
    pid_t pid_ = -1;
    std::optional<int> code_;
};

struct Finished {
    int code;
    std::string out;
    std::string err;
};
// Runs the program under test to its end; throws after the deadline.
Finished run_adit(const std::vector<std::string>& arguments);
// Its path, from the build.
std::string adit_program();

// `adit run` on a configuration file.
std::vector<std::string> adit_run(const std::string& config_file);
// The port of the first "listening" line, once it is there; 0 when the pool ended or the deadline
// passed.
std::uint16_t listening_port(Child& pool);

}  // namespace adit::tests
