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
      failures_(registry.counter("adit_tally_failures_total", "Failures that stopped the fold.")) {}

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

void TallyThread::run(std::stop_token stop) {
    for (bool last = false; !last;) {
        // What is durable when the stop is seen is still folded.
        last = stop.stop_requested();
        const auto limit = log_.durable_position();
        auto folded = fold_available(limit);
        if (folded) folded = flush();
        if (!folded) {
            failures_.add();
            logger_.error("store", "the tally has stopped; shares are still recorded",
                          {{"error", folded.error()}});
            const std::lock_guard lock(error_mutex_);
            error_ = folded.error();
            return;
        }
        lag_bytes_.set(static_cast<double>(log_.durable_position() - folded_.load()));
        if (!last) log_.wait_past(limit, stop, kIdleWaitMs);
        // Under load one transaction takes what has come in an interval.
        if (!last && !stop.stop_requested()) pause(stop);
    }
}

// Waits until an interval has passed since the last transaction.
void TallyThread::pause(const std::stop_token& stop) {
    const auto left = last_flush_ms_ + settings_.interval_ms - clock_.steady_ms();
    if (left <= 0) return;
    std::unique_lock lock(pause_mutex_);
    pause_changed_.wait_for(lock, stop, std::chrono::milliseconds(left), [] { return false; });
}

std::expected<void, std::string> TallyThread::fold_available(share::LogPosition limit) {
    for (;;) {
        const auto batch = reader_->next(limit);
        if (!batch) return std::unexpected(batch.error().text());
        if (!*batch) return {};
        if (const auto folded = tally_->fold(**batch); !folded) {
            return std::unexpected(fmt::format(
                "share log, position {}: {}", (*batch)->before.position, describe(folded.error())));
        }
        if (tally_->gathered() >= settings_.transaction_shares) {
            if (auto flushed = flush(); !flushed) return flushed;
        }
    }
}

std::expected<void, std::string> TallyThread::flush() {
    const auto delta = tally_->take();
    last_flush_ms_ = clock_.steady_ms();
    if (delta.empty()) return {};
    if (auto applied = store_.apply(delta); !applied) return applied;
    folded_shares_.add(delta.shares);
    folded_ = delta.after.log.position;
    return {};
}

}  // namespace adit::store
