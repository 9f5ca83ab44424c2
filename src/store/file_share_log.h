// The share log on disk: a share::Recorder that answers only what is durable. One writer thread
// takes everything that has gathered in a bounded queue, writes it as one batch, calls fdatasync
// once and then answers in order. Format and recovery: docs/share-log.md.
//
// A failed write or fdatasync is never retried on the same file: the batch goes to a new segment,
// whose header says where the old one ends. When that fails too, the log is unavailable until space
// or the disk returns; it tries every retry_ms. All public calls are safe from any thread. The file
// system, clock, registry and logger must outlive the log, listeners their batches.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "metrics/registry.h"
#include "share/record.h"
#include "store/late_records.h"

#include <expected>
#include <memory>
#include <stop_token>

namespace adit::store {

struct ShareLogSettings {
    std::filesystem::path dir;
    std::uint64_t segment_bytes = 64 << 20;
    std::uint32_t slice_s = 600;         // of a new log; an existing one keeps its own
    std::size_t queue_shares = 1 << 17;  // bound of what waits for the writer
    std::size_t batch_shares = 1 << 15;  // most shares in one write, and in one submit()
    std::size_t queue_facts = 1'024;     // most facts that wait for the writer
    std::size_t queue_fact_bytes = 32 << 20;
    std::size_t max_accounts = 1 << 20;
    std::size_t max_workers = 1 << 21;
    std::int64_t gather_us = 0;     // a commit waits this long for more to come
    std::int64_t stall_ms = 2'000;  // submit() refuses while a commit is older than this
    std::int64_t retry_ms = 1'000;  // between attempts while unavailable
    std::string pool_version = ADIT_VERSION;
    // Test only: answers before fdatasync, which the power-cut test must notice.
    bool answer_before_sync = false;
};

enum class LogState { running, unavailable, closed };

// How far a log can be read, for those who follow it.
class DurableLog {
 public:
    virtual ~DurableLog() = default;
    virtual share::LogPoint durable_point() const = 0;
    // Waits until the log is durable past this position, or closed, or stop is requested, at most
    // timeout_ms. True when there is more to read.
    virtual bool wait_past(share::LogPosition position, std::stop_token stop,
                           std::int64_t timeout_ms) const = 0;
};

class FileShareLog final : public share::Recorder, public DurableLog {
 public:
    // Opens or creates the log: cuts a torn tail, restores ids, starts the writer.
    static std::expected<std::unique_ptr<FileShareLog>, LogError> open(FileSystem& files,
                                                                       ShareLogSettings settings,
                                                                       const base::Clock& clock,
                                                                       metrics::Registry& registry,
                                                                       base::Logger& logger);
    ~FileShareLog() override;  // close()

    share::AccountId account(std::string_view name) override;
    share::WorkerId worker(share::AccountId account, std::string_view name) override;
    void record_job(job::JobRef job) override;
    bool submit(share::ShareBatch& batch) override;
    share::LogPosition durable_position() const override;

    // Records a found block behind the shares handed over before it. Never refused: waits for
    // storage like a job. `file` is its name in the blocks folder.
    void record_block(const job::BlockCandidate& candidate, std::string_view file);

    // Records a fact that moves money (money_records.h) behind the shares, blocks and facts handed
    // over before it, and waits at most timeout_ms for its fate: the position behind the batch that
    // holds it, once that is on disk. A failure says whether the fact may be in the log; while
    // storage is gone it stays queued, in order, whoever still waits for it.
    std::expected<share::LogPosition, FactFailure> append_fact(const share::Record& fact,
                                                               std::int64_t timeout_ms,
                                                               std::stop_token stop = {});

    share::LogPoint durable_point() const override;
    bool wait_past(share::LogPosition position, std::stop_token stop,
                   std::int64_t timeout_ms) const override;

    // The first job id that this log has never seen. A gap is left at each start for jobs that were
    // announced but not yet recorded when the pool died.
    job::JobId next_job_id() const;
    const share::LogId& log_id() const;
    std::uint32_t slice_s() const;  // seconds
    LogState state() const;
    std::uint64_t shares_recorded() const;  // since the log began

    // Takes no more, commits and answers what is queued, stops the writer. A batch that may be on
    // disk but cannot be proven either way (the disk is gone) is not answered. Idempotent.
    void close();

 private:
    class Impl;
    explicit FileShareLog(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace adit::store
