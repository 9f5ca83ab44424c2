// The terminal face: log lines that scroll and one status line below them that updates in place. On
// anything that is no terminal there is no status line and no control sequence. Safe from any
// thread.
#pragma once

#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

namespace adit::cli {

class Terminal {
 public:
    // Writes to `out` (kept, not owned). `interactive`: whether it is a terminal that understands
    // control sequences; is_interactive() tells for the real thing.
    Terminal(std::FILE* out, bool interactive) : out_(out), interactive_(interactive) {}
    ~Terminal() { clear_status(); }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    bool interactive() const { return interactive_; }
    // Prints a line above the status line.
    void print(std::string_view line);
    // Replaces the status line, cut to the terminal's width. Nothing when not interactive.
    void set_status(std::string_view status);
    void clear_status() { set_status({}); }

 private:
    std::mutex mutex_;
    std::FILE* out_;
    bool interactive_;
    std::string status_;
};

// True when the stream is a terminal and TERM is not "dumb". The status line uses no colour, only
// "erase line".
bool is_interactive(std::FILE* stream);

// Columns of the terminal behind stdout or stderr, 80 when unknown.
std::size_t terminal_width(std::FILE* stream);

// Numbers for people: 1234567 -> "1.23 M", with the unit appended ("1.23 MH/s").
std::string human(double value, std::string_view unit);
// "3d 04:05:06" or "04:05:06".
std::string human_duration(std::int64_t seconds);

}  // namespace adit::cli
