// What the tests of the share log share: a listener that remembers its answers, shares that can be
// told apart, and a reader that collects everything a log holds. Tests only.
#pragma once

#include "store/faulty_file_system.h"
#include "store/file_share_log.h"
#include "store/log_reader.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>

namespace adit::store::testing {

inline const std::filesystem::path kDir = "/data/log";

class Answers final : public share::CommitListener {
 public:
    void on_commit(std::uint64_t ticket, share::CommitResult result) override {
        const std::lock_guard lock(mutex_);
        order_.push_back(ticket);
        results_.emplace(ticket, result);
        changed_.notify_all();
    }
    share::CommitResult await(std::uint64_t ticket) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return results_.contains(ticket); });
        return results_.at(ticket);
    }
    std::map<std::uint64_t, share::CommitResult> results() const {
        const std::lock_guard lock(mutex_);
        return results_;
    }
    std::vector<std::uint64_t> order() const {
        const std::lock_guard lock(mutex_);
        return order_;
    }

 private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint64_t, share::CommitResult> results_;
    std::vector<std::uint64_t> order_;
};

// A share that is recognised by `mark`, with the work of difficulty 2.
inline share::ShareRecord share_of(share::AccountId account, share::WorkerId worker,
                                   std::uint64_t mark, job::JobId job = 1) {
    share::ShareRecord share;
    share.job = job;
    share.account = account;
    share.worker = worker;
    share.difficulty = *chain::Difficulty::from_double(2);
    base::store_le(share.choice.extranonce2.data(), mark);
    return share;
}

inline std::uint64_t mark_of(const share::ShareRecord& share) {
    return base::load_le<std::uint64_t>(share.choice.extranonce2.data());
}

inline std::shared_ptr<job::Job> small_job(job::JobId id) {
    auto source = std::make_shared<job::BlockTemplate>();
    source->network = chain::Network::regtest;
    source->height = 7;
    source->bits = 0x207fffff;
    source->coinbase_value_sat = 5'000'000'000;
    auto job = std::make_shared<job::Job>();
    job->id = id;
    job->source = source;
    job->coinbase_head = base::Bytes(90, 0x11);
    job->coinbase_tail = base::Bytes(60, 0x22);
    job->branches.resize(2);
    job->version = 0x20000000;
    job->bits = 0x207fffff;
    job->ntime = 1'700'000'000;
    return job;
}

struct LogContents {
    std::vector<share::ShareRecord> shares;
    std::vector<share::JobRecord> jobs;
    std::vector<share::AccountRecord> accounts;
    std::vector<share::WorkerRecord> workers;
    std::vector<share::BlockRecord> blocks;
    std::vector<share::RunRecord> runs;
    std::vector<share::Record> facts;      // that move money
    std::vector<share::LogBatch> batches;  // payloads are gone
    std::string error;                     // empty when everything was read

    // How often each mark is there.
    std::map<std::uint64_t, int> marks() const {
        std::map<std::uint64_t, int> counts;
        for (const auto& share : shares)
            ++counts[mark_of(share)];
        return counts;
    }
};

inline LogContents read_log(FileSystem& files, const std::filesystem::path& dir = kDir,
                            share::LogPosition limit = LogReader::kToTheEnd) {
    LogContents all;
    auto reader = LogReader::open(files, dir);
    if (!reader) {
        all.error = reader.error().text();
        return all;
    }
    for (;;) {
        auto batch = reader->next(limit);
        if (!batch) {
            all.error = batch.error().text();
            return all;
        }
        if (!*batch) return all;
        base::ByteReader records((*batch)->payload);
        while (records.left() > 0) {
            auto record = share::read_record(records);
            if (!record) {
                all.error = describe(record.error());
                return all;
            }
            std::visit(
                [&]<class R>(R& value) {
                    if constexpr (std::is_same_v<R, share::ShareRecord>)
                        all.shares.push_back(value);
                    else if constexpr (std::is_same_v<R, share::JobRecord>)
                        all.jobs.push_back(value);
                    else if constexpr (std::is_same_v<R, share::AccountRecord>)
                        all.accounts.push_back(value);
                    else if constexpr (std::is_same_v<R, share::WorkerRecord>)
                        all.workers.push_back(value);
                    else if constexpr (std::is_same_v<R, share::BlockRecord>)
                        all.blocks.push_back(value);
                    else if constexpr (std::is_same_v<R, share::RunRecord>)
                        all.runs.push_back(value);
                    else
                        all.facts.push_back(value);
                },
                *record);
        }
        (*batch)->payload = {};
        all.batches.push_back(**batch);
    }
}

// A log over a file system, with everything else that it needs.
struct LogBench {
    explicit LogBench(FileSystem& file_system) : files(file_system) {
        settings.dir = kDir;
        settings.segment_bytes = 32 << 10;
        settings.retry_ms = 1;
    }
    std::expected<void, LogError> open() {
        log.reset();
        auto opened = FileShareLog::open(files, settings, clock, registry, logger);
        if (!opened) return std::unexpected(opened.error());
        log = std::move(*opened);
        return {};
    }
    // Hands over `count` shares marked from `mark` on in one batch with that ticket.
    bool submit(std::uint64_t mark, int count = 1) {
        const auto account = log->account("alice");
        const auto worker = log->worker(account, "rig");
        share::ShareBatch batch;
        for (int i = 0; i < count; ++i) {
            batch.shares.push_back(share_of(account, worker, mark + static_cast<unsigned>(i)));
        }
        batch.listener = &answers;
        batch.ticket = mark;
        return log->submit(batch);
    }
    share::CommitResult commit(std::uint64_t mark, int count = 1) {
        EXPECT_TRUE(submit(mark, count));
        return answers.await(mark);
    }
    // Until the log takes shares again.
    void await_running() {
        while (log->state() != LogState::running)
            std::this_thread::yield();
    }

    FileSystem& files;
    ShareLogSettings settings;
    base::ManualClock clock;
    metrics::Registry registry;
    base::Logger logger{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    Answers answers;
    std::unique_ptr<FileShareLog> log;
};

}  // namespace adit::store::testing
