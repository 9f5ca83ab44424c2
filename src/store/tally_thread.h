// Follows the share log with a thread of its own and folds it into a SliceStore. start() proves
// first that log and store belong together; a log or store that was swapped or restored from a
// backup is refused by name. While the ledger cannot be written the fold waits and tries again; a
// damaged log stops the fold (never the pool). Both show in the metrics and in error().
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "ledger/slice_store.h"
#include "metrics/registry.h"
#include "store/file_share_log.h"
#include "store/log_reader.h"

#include <atomic>
#include <condition_variable>
#include <expected>
#include <mutex>
#include <string>
#include <thread>

namespace adit::store {

struct TallySettings {
    std::filesystem::path log_dir;
    std::int64_t interval_ms = 1'000;            // most time between two transactions under load
    std::uint64_t transaction_shares = 1 << 18;  // most shares in one transaction
    std::int64_t retry_ms = 1'000;               // between attempts to write the ledger
    std::int64_t stop_ms = 1'000;                // most time that stop() goes on folding
};

// Checks that a store's fold point lies on this log: the same log, not behind its end, and the same
// history. A sentence for the operator otherwise.
std::expected<void, std::string> check_fold_point(FileSystem& files,
                                                  const std::filesystem::path& log_dir,
                                                  const share::LogId& log_id,
                                                  const share::LogPoint& end,
                                                  const ledger::FoldPoint& point);

class TallyThread {
 public:
    // The log must be the one in settings.log_dir. Everything passed in must outlive the thread.
    TallyThread(FileSystem& files, TallySettings settings, const FileShareLog& log,
                ledger::SliceStore& store, const base::Clock& clock, metrics::Registry& registry,
                base::Logger& logger);
    ~TallyThread();  // stop()

    // Checks log against store and starts folding.
    std::expected<void, std::string> start();
    // Folds what is durable by now, as far as stop_ms reaches, then ends; the next start goes on
    // from there. Idempotent.
    void stop();
    // The same without waiting for the end.
    void request_stop() { thread_.request_stop(); }

    // The log position up to which everything is in the store.
    share::LogPosition folded_position() const { return folded_.load(); }
    // Waits at most timeout_ms until the store holds everything up to this durable position. False
    // when it does not by then, when stop is requested, or when the thread ends before. Safe from
    // any thread; while somebody waits no interval is kept between two transactions.
    bool wait_folded(share::LogPosition position, std::int64_t timeout_ms,
                     std::stop_token stop = {});
    // Why folding stopped or waits; empty while all is well.
    std::string error() const;

 private:
    void run(std::stop_token stop);
    void follow(const std::stop_token& stop);
    void pause(const std::stop_token& stop, std::int64_t ms, bool unless_wanted);
    std::expected<void, std::string> fold_available(share::LogPosition limit,
                                                    const std::stop_token& stop);
    bool is_time_up(const std::stop_token& stop);
    bool flush();
    std::expected<void, std::string> apply_pending();
    void set_error(std::string error);

    FileSystem& files_;
    TallySettings settings_;
    const FileShareLog& log_;
    ledger::SliceStore& store_;
    const base::Clock& clock_;
    base::Logger& logger_;
    metrics::Gauge& lag_bytes_;
    metrics::Counter& folded_shares_;
    metrics::Counter& failures_;
    std::optional<LogReader> reader_;
    std::optional<ledger::Tally> tally_;
    std::optional<ledger::TallyDelta> pending_;  // folded, not yet in the store
    std::int64_t stop_deadline_ms_ = -1;         // once stop was seen
    std::atomic<share::LogPosition> folded_{0};
    std::int64_t last_flush_ms_ = 0;
    mutable std::mutex error_mutex_;
    std::string error_;
    std::mutex pause_mutex_;
    std::condition_variable_any pause_changed_;
    std::condition_variable_any folded_changed_;
    share::LogPosition wanted_ = 0;  // the furthest that somebody waits for
    bool running_ = false;
    std::jthread thread_;
};

}  // namespace adit::store
