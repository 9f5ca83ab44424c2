#include "store/file_share_log.h"

#include "base/check.h"
#include "store/late_records.h"
#include "store/log_metrics.h"
#include "store/log_recovery.h"
#include "store/name_table.h"
#include "store/segment_writer.h"

#include <condition_variable>
#include <ranges>

namespace adit::store {
namespace {

// Jobs announced in the last moments of a run may be missing from the log: their ids are passed
// over.
constexpr job::JobId kJobIdGap = 4'096;
// Jobs that wait for storage beyond this are dropped, oldest first: no share of them is valid any
// more (job::JobBook keeps at most 256 for ten minutes).
constexpr std::size_t kMaxWaitingJobs = 1'024;
// Records other than shares that go into one frame.
constexpr std::size_t kNotesPerFrame = 4 << 20;  // bytes

}  // namespace

class FileShareLog::Impl {
 public:
    Impl(FileSystem& files, ShareLogSettings settings, RecoveredLog recovered,
         const base::Clock& clock, metrics::Registry& registry, base::Logger& logger);

    // Makes the first segment usable and starts the writer.
    std::expected<void, LogError> start();
    void close();

    share::AccountId account(std::string_view name);
    share::WorkerId worker(share::AccountId account, std::string_view name);
    void record_job(const job::Job& job);
    void record_block(const job::BlockCandidate& candidate, std::string_view file);
    std::expected<share::LogPosition, FactFailure> append_fact(const share::Record& fact,
                                                               std::int64_t timeout_ms,
                                                               std::stop_token stop);
    bool submit(share::ShareBatch& batch);
    bool wait_past(share::LogPosition position, std::stop_token stop,
                   std::int64_t timeout_ms) const;

    share::LogPoint durable_point() const {
        const std::lock_guard lock(durable_mutex_);
        return durable_;
    }

    const ShareLogSettings settings_;
    const share::LogId log_id_;
    const std::uint32_t slice_s_;
    std::atomic<LogState> state_{LogState::running};
    std::atomic<share::LogPosition> durable_position_{0};
    std::atomic<job::JobId> last_job_;
    std::atomic<std::uint64_t> shares_;

 private:
    // A record that is no share, on its way to the log.
    struct Note {
        base::Bytes bytes;
        std::variant<std::monostate, job::JobId, share::AccountRecord, share::WorkerRecord> what;
    };

    void add_note(Note note);
    void run();
    bool wait_for_work();
    void gather_locked();
    bool nothing_to_write() const {
        return !frame_ && notes_.empty() && batches_.empty() && !late_.waiting();
    }
    void build_frame();
    void write_frame();
    void committed();
    void answer_frame(share::CommitResult result);
    void answer(const share::ShareBatch& batch, share::CommitResult result);
    void answer_too_early();
    void fail_waiting();
    void drop_old_jobs();
    void set_state(LogState state);
    void publish_durable();

    const base::Clock& clock_;
    base::Logger& logger_;
    LogMetrics metrics_;

    std::mutex names_mutex_;
    NameTable names_;

    // What callers hand over.
    std::mutex queue_mutex_;
    std::condition_variable queue_changed_;
    std::vector<share::ShareBatch> queue_;
    std::vector<Note> queued_notes_;
    std::uint64_t batches_queued_ = 0;  // since the start
    LateRecords late_;                  // found blocks and facts
    bool closing_ = false;
    bool writer_waits_ = false;
    std::atomic<std::size_t> waiting_shares_{0};  // not answered yet
    std::atomic<std::int64_t> commit_started_ms_{-1};

    // The writer's own.
    SegmentWriter segments_;
    std::deque<Note> notes_;
    std::deque<share::ShareBatch> batches_;
    std::uint64_t batches_taken_ = 0;  // of batches_, into a frame or answered without one
    std::optional<Frame> frame_;
    base::Bytes spare_;                        // the last frame's memory
    std::vector<share::ShareBatch> in_frame_;  // answered with it
    std::vector<Note> notes_in_frame_;         // kept when it fails
    std::uint64_t failures_seen_ = 0;
    bool tried_closing_ = false;

    mutable std::mutex durable_mutex_;
    mutable std::condition_variable_any durable_changed_;
    share::LogPoint durable_;

    std::mutex close_mutex_;
    std::thread writer_;
};

FileShareLog::Impl::Impl(FileSystem& files, ShareLogSettings settings, RecoveredLog recovered,
                         const base::Clock& clock, metrics::Registry& registry,
                         base::Logger& logger)
    : settings_(std::move(settings)),
      log_id_(recovered.segment.log_id),
      slice_s_(recovered.slice_s),
      last_job_(recovered.segment.last_job),
      shares_(recovered.shares),
      clock_(clock),
      logger_(logger),
      metrics_(registry),
      names_(settings_.max_accounts, settings_.max_workers, recovered.accounts, recovered.workers),
      late_(settings_.queue_facts, settings_.queue_fact_bytes),
      segments_(
          files,
          {settings_.dir, settings_.segment_bytes, settings_.retry_ms,
           settings_.answer_before_sync ? [this] { answer_too_early(); } : std::function<void()>()},
          recovered.segment, std::move(recovered.file), recovered.slice_s, clock, logger) {
    base::Bytes bytes;
    append_record(bytes, share::RunRecord{clock.wall_ms(), settings_.pool_version});
    notes_.push_back({std::move(bytes), {}});
}

std::expected<void, LogError> FileShareLog::Impl::start() {
    ADIT_CHECK(settings_.batch_shares * share::kShareRecordSize < kMaxFrameSize / 2,
               "a batch must fit into a frame");
    if (!segments_.make_ready()) {
        return std::unexpected(
            LogError{LogErrorKind::io, settings_.dir.string(), 0, segments_.last_error()});
    }
    publish_durable();
    metrics_.available.set(1);
    metrics_.segment.set(static_cast<double>(segments_.segment_number()));
    writer_ = std::thread([this] { run(); });
    return {};
}

void FileShareLog::Impl::close() {
    const std::lock_guard closing(close_mutex_);
    {
        const std::lock_guard lock(queue_mutex_);
        closing_ = true;
    }
    queue_changed_.notify_all();
    if (writer_.joinable()) writer_.join();
}

share::AccountId FileShareLog::Impl::account(std::string_view name) {
    const std::lock_guard lock(names_mutex_);
    if (const auto known = names_.find_account(name)) return known;
    const auto id = names_.add_account(name);
    if (id == 0) return 0;
    share::AccountRecord record{id, std::string(name)};
    Note note;
    append_record(note.bytes, record);
    note.what = std::move(record);
    add_note(std::move(note));
    return id;
}

share::WorkerId FileShareLog::Impl::worker(share::AccountId account, std::string_view name) {
    const std::lock_guard lock(names_mutex_);
    if (const auto known = names_.find_worker(account, name)) return known;
    const auto id = names_.add_worker(account, name);
    if (id == 0) return 0;
    share::WorkerRecord record{id, account, std::string(name)};
    Note note;
    append_record(note.bytes, record);
    note.what = std::move(record);
    add_note(std::move(note));
    return id;
}

void FileShareLog::Impl::record_job(const job::Job& job) {
    Note note;
    append_record(note.bytes, share::record_of(job, clock_.wall_ms()));
    note.what = job.id;
    auto last = last_job_.load();
    while (last < job.id && !last_job_.compare_exchange_weak(last, job.id)) {
    }
    add_note(std::move(note));
}

void FileShareLog::Impl::record_block(const job::BlockCandidate& candidate, std::string_view file) {
    share::BlockRecord record;
    record.hash = candidate.hash;
    record.height = candidate.height;
    record.bits = candidate.job->bits;
    record.job = candidate.job->id;
    record.snapshot = candidate.job->snapshot;
    record.pays_dues = candidate.job->pays_dues;
    record.pays_finder = candidate.job->pays_finder;
    record.account = account(candidate.account);
    record.worker = record.account == 0 ? 0 : worker(record.account, candidate.worker);
    record.coinbase_value_sat = candidate.job->source->coinbase_value_sat;
    record.found_wall_ms = candidate.found_wall_ms;
    record.stale = candidate.stale;
    record.file = file.substr(0, share::kNameLimit);
    base::Bytes bytes;
    append_record(bytes, record);
    {
        const std::lock_guard lock(queue_mutex_);
        late_.add_block(std::move(bytes), batches_queued_);
    }
    queue_changed_.notify_one();
}

std::expected<share::LogPosition, FactFailure> FileShareLog::Impl::append_fact(
    const share::Record& fact, std::int64_t timeout_ms, std::stop_token stop) {
    auto bytes = encode_fact(fact);
    if (!bytes) return std::unexpected(FactFailure{false, std::move(bytes.error())});
    std::shared_ptr<LateRecords::Ticket> ticket;
    {
        const std::lock_guard lock(queue_mutex_);
        if (closing_) {
            return std::unexpected(FactFailure{false, "the share log is closed"});
        }
        auto added = late_.add_fact(std::move(*bytes), batches_queued_);
        if (!added) return std::unexpected(std::move(added.error()));
        ticket = std::move(*added);
    }
    queue_changed_.notify_one();
    return late_.await(*ticket, std::move(stop), timeout_ms);
}

void FileShareLog::Impl::add_note(Note note) {
    bool wake = false;
    {
        const std::lock_guard lock(queue_mutex_);
        queued_notes_.push_back(std::move(note));
        wake = std::exchange(writer_waits_, false);
    }
    if (wake) queue_changed_.notify_one();
}

bool FileShareLog::Impl::submit(share::ShareBatch& batch) {
    ADIT_CHECK(batch.listener != nullptr, "somebody must hear whether the shares are durable");
    const auto shares = batch.shares.size();
    const auto started = commit_started_ms_.load(std::memory_order_relaxed);
    const bool stalled = started >= 0 && clock_.steady_ms() - started > settings_.stall_ms;
    if (shares > settings_.batch_shares || stalled || state_.load() != LogState::running) {
        metrics_.refused.add();
        return false;
    }
    bool wake = false;
    {
        const std::lock_guard lock(queue_mutex_);
        if (closing_ || waiting_shares_.load() + shares > settings_.queue_shares) {
            metrics_.refused.add();
            return false;
        }
        waiting_shares_ += shares;
        ++batches_queued_;
        queue_.push_back(std::move(batch));
        wake = std::exchange(writer_waits_, false);
    }
    batch = {};
    if (wake) queue_changed_.notify_one();
    return true;
}

void FileShareLog::Impl::run() {
    // Nobody waits yet: reserve the next segment before the first share comes.
    segments_.housekeep();
    while (wait_for_work()) {
        if (!frame_) build_frame();
        if (frame_)
            write_frame();
        else if (segments_.make_ready())
            set_state(LogState::running);
        metrics_.io_failures.add(segments_.failures() - failures_seen_);
        failures_seen_ = segments_.failures();
    }
    // Closing. What is left could not be written; of a frame in doubt nobody can say how it ends.
    if (frame_) {
        for (const auto& batch : in_frame_)
            waiting_shares_ -= batch.shares.size();
        in_frame_.clear();
    }
    fail_waiting();
    late_.close();
    state_ = LogState::closed;
    metrics_.available.set(0);
    durable_changed_.notify_all();
}

// Takes over what has gathered. False when the log is closed and nothing more can be done. While
// the log is unavailable this waits retry_ms even when there is work.
bool FileShareLog::Impl::wait_for_work() {
    std::unique_lock lock(queue_mutex_);
    const auto gathered = [&] {
        return closing_ || !queue_.empty() || !queued_notes_.empty() || late_.waiting();
    };
    if (state_.load() == LogState::unavailable) {
        // One last attempt at closing, for the blocks and jobs that wait.
        if (closing_ && std::exchange(tried_closing_, true)) return false;
        queue_changed_.wait_for(lock, std::chrono::milliseconds(settings_.retry_ms),
                                [&] { return closing_; });
    } else if (nothing_to_write() && !gathered()) {
        writer_waits_ = true;
        queue_changed_.wait(lock, gathered);
        writer_waits_ = false;
        // Shares that arrive within this moment share one fdatasync. Nobody notifies meanwhile.
        if (settings_.gather_us > 0) {
            queue_changed_.wait_for(lock, std::chrono::microseconds(settings_.gather_us),
                                    [&] { return closing_; });
        }
    }
    gather_locked();
    return !(closing_ && nothing_to_write());
}

void FileShareLog::Impl::gather_locked() {
    for (auto& batch : queue_)
        batches_.push_back(std::move(batch));
    for (auto& note : queued_notes_)
        notes_.push_back(std::move(note));
    queue_.clear();
    queued_notes_.clear();
}

// Jobs, accounts and workers first, then the shares that may use them, then found blocks and facts,
// which stand behind all shares that were handed over before.
void FileShareLog::Impl::build_frame() {
    if (nothing_to_write()) return;
    auto& frame = frame_.emplace();
    frame.bytes = std::move(spare_);
    frame.bytes.resize(kFrameHeaderSize);
    frame.time_ms = clock_.wall_ms();
    while (!notes_.empty() && frame.bytes.size() < kNotesPerFrame) {
        auto& note = notes_.front();
        base::append(frame.bytes, note.bytes);
        ++frame.records;
        if (const auto* job = std::get_if<job::JobId>(&note.what)) {
            frame.last_job = std::max(frame.last_job, *job);
        } else if (const auto* account = std::get_if<share::AccountRecord>(&note.what)) {
            frame.accounts.push_back(*account);
        } else if (const auto* worker = std::get_if<share::WorkerRecord>(&note.what)) {
            frame.workers.push_back(*worker);
        }
        notes_in_frame_.push_back(std::move(note));
        notes_.pop_front();
    }
    if (!notes_.empty()) return;
    while (!batches_.empty() &&
           (in_frame_.empty() ||
            frame.shares + batches_.front().shares.size() <= settings_.batch_shares)) {
        auto& batch = batches_.front();
        frame.bytes.reserve(frame.bytes.size() + batch.shares.size() * share::kShareRecordSize);
        for (const auto& share : batch.shares)
            append_record(frame.bytes, share);
        frame.shares += static_cast<std::uint32_t>(batch.shares.size());
        in_frame_.push_back(std::move(batch));
        batches_.pop_front();
        ++batches_taken_;
    }
    late_.fill(frame, batches_taken_);
    frame.records += frame.shares;
    if (frame.records > 0 || !in_frame_.empty()) return;
    // What came last stands behind shares that have not been taken over yet.
    spare_ = std::move(frame.bytes);
    frame_.reset();
}

void FileShareLog::Impl::write_frame() {
    const auto before_ns = clock_.steady_ns();
    commit_started_ms_ = clock_.steady_ms();
    const auto outcome = segments_.append(*frame_);
    commit_started_ms_ = -1;
    switch (outcome) {
        case SegmentWriter::Outcome::durable:
            metrics_.commit_ms.observe(static_cast<double>(clock_.steady_ns() - before_ns) * 1e-6);
            committed();
            return;
        case SegmentWriter::Outcome::in_doubt:
            // Neither answer would be true: the same frame is tried again.
            drop_old_jobs();
            set_state(LogState::unavailable);
            return;
        case SegmentWriter::Outcome::void_:
            break;
    }
    set_state(LogState::unavailable);
    answer_frame(share::CommitResult::failed);
    for (auto& note : notes_in_frame_ | std::views::reverse)
        notes_.push_front(std::move(note));
    notes_in_frame_.clear();
    late_.put_back();
    frame_.reset();
    fail_waiting();
}

void FileShareLog::Impl::committed() {
    metrics_.commits.add();
    metrics_.shares.add(frame_->shares);
    metrics_.batch_size.observe(frame_->shares);
    shares_ += frame_->shares;
    publish_durable();
    answer_frame(share::CommitResult::committed);
    late_.committed(segments_.end().position);
    notes_in_frame_.clear();
    spare_ = std::move(frame_->bytes);
    frame_.reset();
    set_state(LogState::running);
    // Whoever comes now waits for this as for a commit.
    commit_started_ms_ = clock_.steady_ms();
    segments_.housekeep();
    commit_started_ms_ = -1;
    metrics_.segment.set(static_cast<double>(segments_.segment_number()));
}

void FileShareLog::Impl::answer_frame(share::CommitResult result) {
    for (const auto& batch : in_frame_)
        answer(batch, result);
    in_frame_.clear();
    metrics_.queue.set(static_cast<double>(waiting_shares_.load()));
}

void FileShareLog::Impl::answer(const share::ShareBatch& batch, share::CommitResult result) {
    waiting_shares_ -= batch.shares.size();
    if (result == share::CommitResult::failed) metrics_.failed.add(batch.shares.size());
    batch.listener->on_commit(batch.ticket, result);
}

// What the mutant of the power-cut test does.
void FileShareLog::Impl::answer_too_early() {
    answer_frame(share::CommitResult::committed);
    late_.committed(segments_.end().position + frame_->bytes.size());
}

// Whoever waits behind a failure is told at once. None of these shares was ever written.
void FileShareLog::Impl::fail_waiting() {
    {
        const std::lock_guard lock(queue_mutex_);
        gather_locked();
    }
    for (const auto& batch : batches_)
        answer(batch, share::CommitResult::failed);
    batches_taken_ += batches_.size();
    batches_.clear();
    drop_old_jobs();
}

void FileShareLog::Impl::drop_old_jobs() {
    const auto is_job = [](const Note& note) {
        return std::holds_alternative<job::JobId>(note.what);
    };
    auto jobs = static_cast<std::size_t>(std::ranges::count_if(notes_, is_job));
    std::erase_if(notes_, [&](const Note& note) {
        return jobs > kMaxWaitingJobs && is_job(note) && jobs-- > 0;
    });
}

void FileShareLog::Impl::set_state(LogState state) {
    if (state_.exchange(state) == state) return;
    metrics_.available.set(state == LogState::running ? 1 : 0);
    if (state == LogState::running) {
        logger_.info("store", "the share log takes shares again");
    } else {
        logger_.error("store", "the share log is unavailable; shares are refused until it is back",
                      {{"error", segments_.last_error()}});
    }
}

void FileShareLog::Impl::publish_durable() {
    {
        const std::lock_guard lock(durable_mutex_);
        durable_ = segments_.end();
    }
    durable_position_ = segments_.end().position;
    metrics_.position.set(static_cast<double>(segments_.end().position));
    durable_changed_.notify_all();
}

bool FileShareLog::Impl::wait_past(share::LogPosition position, std::stop_token stop,
                                   std::int64_t timeout_ms) const {
    std::unique_lock lock(durable_mutex_);
    durable_changed_.wait_for(lock, stop, std::chrono::milliseconds(timeout_ms), [&] {
        return durable_.position > position || state_.load() == LogState::closed;
    });
    return durable_.position > position;
}

std::expected<std::unique_ptr<FileShareLog>, LogError> FileShareLog::open(
    FileSystem& files, ShareLogSettings settings, const base::Clock& clock,
    metrics::Registry& registry, base::Logger& logger) {
    auto recovered = recover_log(files, settings.dir, settings.slice_s);
    if (!recovered) return std::unexpected(recovered.error());
    if (recovered->torn_bytes > 0) {
        logger.warning("store", "cut a torn, never acknowledged tail of the share log",
                       {{"bytes", recovered->torn_bytes},
                        {"segment", segment_name(recovered->segment.number)}});
    }
    auto impl = std::make_unique<Impl>(files, std::move(settings), std::move(*recovered), clock,
                                       registry, logger);
    if (auto started = impl->start(); !started) return std::unexpected(started.error());
    return std::unique_ptr<FileShareLog>(new FileShareLog(std::move(impl)));
}

FileShareLog::FileShareLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

FileShareLog::~FileShareLog() {
    close();
}

void FileShareLog::close() {
    impl_->close();
}

share::AccountId FileShareLog::account(std::string_view name) {
    return impl_->account(name);
}

share::WorkerId FileShareLog::worker(share::AccountId account, std::string_view name) {
    return impl_->worker(account, name);
}

void FileShareLog::record_job(job::JobRef job) {
    impl_->record_job(*job);
}

bool FileShareLog::submit(share::ShareBatch& batch) {
    return impl_->submit(batch);
}

void FileShareLog::record_block(const job::BlockCandidate& candidate, std::string_view file) {
    impl_->record_block(candidate, file);
}

std::expected<share::LogPosition, FactFailure> FileShareLog::append_fact(const share::Record& fact,
                                                                         std::int64_t timeout_ms,
                                                                         std::stop_token stop) {
    return impl_->append_fact(fact, timeout_ms, std::move(stop));
}

share::LogPosition FileShareLog::durable_position() const {
    return impl_->durable_position_.load();
}

share::LogPoint FileShareLog::durable_point() const {
    return impl_->durable_point();
}

bool FileShareLog::wait_past(share::LogPosition position, std::stop_token stop,
                             std::int64_t timeout_ms) const {
    return impl_->wait_past(position, std::move(stop), timeout_ms);
}

job::JobId FileShareLog::next_job_id() const {
    const auto last = impl_->last_job_.load();
    return last == 0 ? 1 : last + kJobIdGap;
}

const share::LogId& FileShareLog::log_id() const {
    return impl_->log_id_;
}

std::uint32_t FileShareLog::slice_s() const {
    return impl_->slice_s_;
}

LogState FileShareLog::state() const {
    return impl_->state_.load();
}

std::uint64_t FileShareLog::shares_recorded() const {
    return impl_->shares_.load();
}

}  // namespace adit::store
