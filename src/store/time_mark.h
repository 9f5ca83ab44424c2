// An empty batch in the share log: it goes the way of shares and leaves nothing but its time, up to
// which the log is then known to be complete. Shows that the log writes, and moves the time of an
// instance to which nobody sends shares. Safe from any thread; lives until the log is closed.
#pragma once

#include "share/recorder.h"

#include <condition_variable>
#include <expected>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>

namespace adit::store {

class TimeMark final : public share::CommitListener {
 public:
    explicit TimeMark(share::Recorder& log) : log_(log) {}

    // Waits at most timeout_ms until the mark is durable. The error is a sentence.
    std::expected<void, std::string> write(std::int64_t timeout_ms, std::stop_token stop = {});

    void on_commit(std::uint64_t ticket, share::CommitResult result) override;

 private:
    share::Recorder& log_;
    std::mutex mutex_;
    std::condition_variable_any answered_;
    std::uint64_t last_ticket_ = 0;
    // Of marks that are waited for.
    std::map<std::uint64_t, std::optional<share::CommitResult>> waiting_;
};

}  // namespace adit::store
