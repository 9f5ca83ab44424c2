#include "cli/terminal.h"

#include <cmath>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace adit::cli {

void Terminal::print(std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (interactive_ && !status_.empty()) std::fputs("\r\033[K", out_);
    std::fwrite(line.data(), 1, line.size(), out_);
    std::fputc('\n', out_);
    if (interactive_ && !status_.empty()) std::fputs(status_.c_str(), out_);
    std::fflush(out_);
}

void Terminal::set_status(std::string_view status) {
    if (!interactive_) return;
    const std::lock_guard lock(mutex_);
    if (status_.empty() && status.empty()) return;
    status_ = status.substr(0, terminal_width(out_) - 1);
    std::fputs("\r\033[K", out_);
    std::fputs(status_.c_str(), out_);
    std::fflush(out_);
}

bool is_interactive(std::FILE* stream) {
    const char* term = std::getenv("TERM");
    return isatty(fileno(stream)) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

std::size_t terminal_width(std::FILE* stream) {
    winsize size{};
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
    return size.ws_col;
}

std::string human(double value, std::string_view unit) {
    constexpr std::array<std::string_view, 8> kPrefixes{"", "k", "M", "G", "T", "P", "E", "Z"};
    std::size_t prefix = 0;
    while (std::abs(value) >= 999.5 && prefix + 1 < kPrefixes.size()) {
        value /= 1000;
        ++prefix;
    }
    const int decimals = prefix == 0 && value == std::floor(value) ? 0
                         : value < 9.995                           ? 2
                         : value < 99.95                           ? 1
                                                                   : 0;
    return fmt::format("{:.{}f} {}{}", value, decimals, kPrefixes[prefix], unit);
}

std::string human_duration(std::int64_t seconds) {
    const auto days = seconds / 86'400;
    const auto clock =
        fmt::format("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    return days == 0 ? clock : fmt::format("{}d {}", days, clock);
}

}  // namespace adit::cli
