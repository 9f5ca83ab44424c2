#include "cli/signals.h"

#include <csignal>
#include <ctime>

namespace adit::cli {
namespace {

sigset_t handled() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

}  // namespace

void block_signals() {
    const auto set = handled();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

std::optional<Signal> wait_for_signal(std::int64_t timeout_ms) {
    const auto set = handled();
    const timespec timeout{timeout_ms / 1000, timeout_ms % 1000 * 1'000'000};
    const int signal = sigtimedwait(&set, nullptr, &timeout);
    if (signal < 0) return std::nullopt;
    return signal == SIGHUP ? Signal::reload : Signal::stop;
}

}  // namespace adit::cli
