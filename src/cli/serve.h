// The face of a running pool, for `run` and `demo`: start, status line, signals, orderly stop.
#pragma once

#include "base/clock.h"
#include "cli/terminal.h"
#include "manager/pool_manager.h"

#include <functional>

namespace adit::cli {

// Exit codes of run and demo.
inline constexpr int kServed = 0;
inline constexpr int kCannotStart = 1;
inline constexpr int kBadConfig = 2;
inline constexpr int kNotAllAnswered = 3;  // stopped, but some accepted shares were not answered

struct Serving {
    manager::PoolManager& pool;
    Terminal& terminal;
    base::Logger& logger;
    const base::Clock& clock;
    // Reads the configuration again on SIGHUP; empty: SIGHUP only says that there is none.
    std::function<std::expected<manager::Config, std::vector<manager::ConfigFault>>()> read_config;
    // Stops what must end before the pool, such as virtual miners; may be empty.
    std::function<void()> before_stop;
    std::int64_t stop_after_s = 0;  // 0: until a signal comes
};

// Serves until SIGINT or SIGTERM, or stop_after_s. The pool is started already. Returns the exit
// code.
int serve(const Serving& serving);

// One line: "Adit  12.3 kH/s  8 miners  ...".
std::string status_text(const manager::PoolSummary& summary);

// A logger that prints above the terminal's status line.
std::unique_ptr<base::Logger> make_logger(Terminal& terminal, base::LogLevel level,
                                          base::LogFormat format);

}  // namespace adit::cli
