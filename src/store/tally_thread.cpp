#include "store/tally_thread.h"

namespace adit::store {
namespace {

constexpr std::int64_t kIdleWaitMs = 500;

}  // namespace

std::expected<void, std::string> check_fold_point(FileSystem& files,
                                                  const std::filesystem::path& log_dir,
                                                  const share::LogId& log_id,
                                                  const share::LogPoint& end,
                                                  const ledger::FoldPoint& point) {
    if (point.log_id != log_id) {
        return std::unexpected(
            fmt::format("the ledger was folded from share log {}, but {} holds share log {}: one "
                        "of the two was "
                        "swapped; put back the ones that belong together",
                        base::to_hex(point.log_id), log_dir.string(), base::to_hex(log_id)));
    }
    if (point.log.position > end.position) {
        return std::unexpected(fmt::format(
            "the ledger has folded the share log up to position {}, but the log in {} ends at {}: "
            "the log was cut or restored from an older copy",
            point.log.position, log_dir.string(), end.position));
    }
    const auto reader = LogReader::open(files, log_dir, point.log);
    if (reader) return {};
    return std::unexpected(
        fmt::format("the ledger was folded from another history of the share log in {}: {}",
                    log_dir.string(), reader.error().text()));
}

TallyThread::TallyThread(FileSystem& files, TallySettings settings, const FileShareLog& log,
                         ledger::SliceStore& store, const base::Clock& clock,
                         metrics::Registry& registry, base::Logger& logger)
    : files_(files),
      settings_(std::move(settings)),
      log_(log),
      store_(store),
      clock_(clock),
      logger_(logger),
      lag_bytes_(registry.gauge("adit_tally_lag_bytes", "Durable log not yet in the ledger.")),
      folded_shares_(registry.counter("adit_tally_shares_total", "Shares folded into slices.")),
      failures_(registry.counter("adit_tally_failures_total",
                                 "Failures to fold the log or to write the ledger.")) {}

TallyThread::~TallyThread() {
    stop();
}

std::expected<void, std::string> TallyThread::start() {
    const auto stored = store_.fold_point();
    if (!stored) return std::unexpected(stored.error());
    ledger::FoldPoint from;
    if (*stored) {
        from = **stored;
        auto belongs =
            check_fold_point(files_, settings_.log_dir, log_.log_id(), log_.durable_point(), from);
        if (!belongs) return belongs;
    } else {
        from.log_id = log_.log_id();
        from.log.chain = first_chain_value(from.log_id);
    }
    auto reader = LogReader::open(files_, settings_.log_dir, from.log);
    if (!reader) return std::unexpected(reader.error().text());
    reader_.emplace(std::move(*reader));
    tally_.emplace(from, log_.slice_s());
    folded_ = from.log.position;
    last_flush_ms_ = clock_.steady_ms();
    running_ = true;
    thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
    return {};
}

void TallyThread::stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
}

std::string TallyThread::error() const {
    const std::lock_guard lock(error_mutex_);
    return error_;
}

bool TallyThread::wait_folded(share::LogPosition position, std::int64_t timeout_ms,
                              std::stop_token stop) {
    std::unique_lock lock(pause_mutex_);
    wanted_ = std::max(wanted_, position);
    pause_changed_.notify_all();
    folded_changed_.wait_for(lock, stop, std::chrono::milliseconds(timeout_ms),
                             [&] { return folded_.load() >= position || !running_; });
    return folded_.load() >= position;
}

void TallyThread::run(std::stop_token stop) {
    if (const auto warm = store_.warm_up(); !warm) {
        logger_.warning("store", "the ledger cannot be read ahead", {{"error", warm.error()}});
    }
    follow(stop);
    {
        const std::lock_guard lock(pause_mutex_);
        running_ = false;
    }
    folded_changed_.notify_all();
}

void TallyThread::follow(const std::stop_token& stop) {
    for (bool last = false; !last;) {
        // What is durable when the stop is seen is still folded.
        last = stop.stop_requested();
        const auto limit = log_.durable_position();
        // Nothing more is folded while the store does not take what was.
        if (flush()) {
            if (const auto folded = fold_available(limit, stop); !folded) {
                failures_.add();
                logger_.error("store", "the tally has stopped; shares are still recorded",
                              {{"error", folded.error()}});
                return set_error(folded.error());
            }
            flush();
        }
        lag_bytes_.set(static_cast<double>(log_.durable_position() - folded_.load()));
        if (last) return;
        if (pending_) {
            pause(stop, settings_.retry_ms, false);
            continue;
        }
        log_.wait_past(limit, stop, kIdleWaitMs);
        // Under load one transaction takes what has come in an interval.
        pause(stop, last_flush_ms_ + settings_.interval_ms - clock_.steady_ms(), true);
    }
}

void TallyThread::pause(const std::stop_token& stop, std::int64_t ms, bool unless_wanted) {
    if (ms <= 0 || stop.stop_requested()) return;
    std::unique_lock lock(pause_mutex_);
    pause_changed_.wait_for(lock, stop, std::chrono::milliseconds(ms),
                            [&] { return unless_wanted && wanted_ > folded_.load(); });
}

// What is folded is consistent wherever this stops.
std::expected<void, std::string> TallyThread::fold_available(share::LogPosition limit,
                                                             const std::stop_token& stop) {
    while (!is_time_up(stop)) {
        const auto batch = reader_->next(limit);
        if (!batch) return std::unexpected(batch.error().text());
        if (!*batch) return {};
        if (const auto folded = tally_->fold(**batch); !folded) {
            return std::unexpected(fmt::format(
                "share log, position {}: {}", (*batch)->before.position, describe(folded.error())));
        }
        if (tally_->gathered() >= settings_.transaction_shares && !flush()) return {};
    }
    return {};
}

bool TallyThread::is_time_up(const std::stop_token& stop) {
    if (!stop.stop_requested()) return false;
    const auto now_ms = clock_.steady_ms();
    if (stop_deadline_ms_ < 0) stop_deadline_ms_ = now_ms + settings_.stop_ms;
    return now_ms >= stop_deadline_ms_;
}

// True when everything folded is in the store.
bool TallyThread::flush() {
    if (!pending_) pending_ = tally_->take();
    last_flush_ms_ = clock_.steady_ms();
    if (!pending_->empty()) {
        if (const auto applied = apply_pending(); !applied) {
            failures_.add();
            if (error().empty()) {
                logger_.error("store", "the ledger cannot be written; the tally waits for it",
                              {{"error", applied.error()}});
            }
            set_error(applied.error());
            return false;
        }
        if (!error().empty()) {
            logger_.info("store", "the ledger is written again");
            set_error({});
        }
        folded_shares_.add(pending_->shares);
        {
            const std::lock_guard lock(pause_mutex_);
            folded_ = pending_->after.log.position;
        }
        folded_changed_.notify_all();
        // Nothing that was applied depends on it, and it is tried again after the next.
        if (const auto tidied = store_.tidy_up(); !tidied) {
            logger_.warning("store", "the ledger cannot be tidied up", {{"error", tidied.error()}});
        }
    }
    pending_.reset();
    return true;
}

std::expected<void, std::string> TallyThread::apply_pending() {
    // A transaction that was reported as failed may have reached the disk.
    if (!error().empty()) {
        const auto stored = store_.fold_point();
        if (!stored) return std::unexpected(stored.error());
        if (*stored && **stored == pending_->after) return {};
    }
    return store_.apply(*pending_);
}

void TallyThread::set_error(std::string error) {
    const std::lock_guard lock(error_mutex_);
    error_ = std::move(error);
}

}  // namespace adit::store
