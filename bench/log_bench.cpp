// The share log against bare loops: how many shares a second become durable compared with plain
// write + fdatasync of as many bytes, how long a start takes with a long log, and how fast the
// tally folds and the audit checks. Usage: log_bench [--quick] [--shares N] [--dir DIR]
#include "bench_program.h"
#include "ledger/audit.h"
#include "ledger/tally.h"
#include "store/file_share_log.h"
#include "store/log_reader.h"
#include "store/sql_ledger.h"

#include <fmt/core.h>

#include <ctime>
#include <tuple>

namespace {

using namespace adit;
using bench::Stopwatch;

class CountingListener final : public share::CommitListener {
 public:
    void on_commit(std::uint64_t, share::CommitResult result) override {
        if (result != share::CommitResult::committed) failed_ = true;
        ++answered_;
        answered_.notify_all();
    }
    void await(std::uint64_t batches) {
        for (auto seen = answered_.load(); seen < batches; seen = answered_.load()) {
            answered_.wait(seen);
        }
    }
    bool failed() const { return failed_; }

 private:
    std::atomic<std::uint64_t> answered_{0};
    std::atomic<bool> failed_{false};
};

job::JobRef a_job() {
    auto source = std::make_shared<job::BlockTemplate>();
    source->network = chain::Network::regtest;
    source->height = 840'000;
    source->bits = 0x03000001;  // no share is a block
    source->coinbase_value_sat = 312'500'000;
    auto job = std::make_shared<job::Job>();
    job->id = 1;
    job->source = source;
    job->coinbase_head = base::Bytes(120, 0x11);
    job->coinbase_tail = base::Bytes(170, 0x22);
    job->branches.resize(12);
    job->version = 0x20000000;
    job->bits = source->bits;
    job->ntime = 1'700'000'000;
    if (!job::derive(*job)) std::abort();
    return job;
}

struct Settings {
    std::filesystem::path dir;
    std::uint64_t shares = 10'000'000;
    std::uint64_t workers = 10'000;
    std::uint64_t rounds = 500;  // of single commits
};

// The processor time of this thread: what a core can do, whoever else uses the machine.
class CoreStopwatch {
 public:
    double seconds() const { return now() - start_; }

 private:
    static double now() {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    }
    double start_ = now();
};

class Bench {
 public:
    explicit Bench(Settings settings) : settings_(std::move(settings)) {}

    bool run() {
        if (!open()) return false;
        log_->record_job(a_job());
        for (const std::size_t batch : {std::size_t{1}, std::size_t{8}, std::size_t{1'000}}) {
            commits(batch, settings_.rounds);
        }
        fill();
        restart();
        fold_and_audit();
        return !listener_.failed();
    }

 private:
    bool open() {
        store::ShareLogSettings log;
        log.dir = settings_.dir / "log";
        auto opened = store::FileShareLog::open(files_, log, clock_, registry_, logger_);
        if (!opened) {
            fmt::print(stderr, "{}\n", opened.error().text());
            return false;
        }
        log_ = std::move(*opened);
        return true;
    }

    void submit(std::size_t shares) {
        share::ShareBatch batch;
        batch.shares.reserve(shares);
        for (std::size_t i = 0; i < shares; ++i) {
            auto& share = batch.shares.emplace_back();
            const auto name = next_ % settings_.workers;
            if (names_.size() <= name) {
                const auto account = log_->account(fmt::format("account {}", name / 10));
                names_.emplace_back(account, log_->worker(account, fmt::format("rig {}", name)));
            }
            share.job = 1;
            std::tie(share.account, share.worker) = names_[name];
            // Every hash meets it, so that the audit finds nothing.
            share.difficulty = *chain::Difficulty::from_double(0x1p-33);
            share.choice.version = 0x20000000;
            share.choice.ntime = 1'700'000'000;
            base::store_le(share.choice.extranonce2.data(), next_++);
        }
        batch.listener = &listener_;
        batch.ticket = 1;
        while (!log_->submit(batch))
            listener_.await(batches_ - 1);
        ++batches_;
    }

    // One batch at a time, against a file that is only written and synced.
    void commits(std::size_t batch, std::uint64_t rounds) {
        submit(batch);
        listener_.await(batches_);
        const Stopwatch log_time;
        for (std::uint64_t i = 0; i < rounds; ++i) {
            submit(batch);
            listener_.await(batches_);
        }
        const auto log_us = log_time.seconds() * 1e6 / static_cast<double>(rounds);

        const auto bytes = base::Bytes(64 + batch * share::kShareRecordSize, 7);
        auto file = *files_.open(settings_.dir / "bare", store::OpenMode::create_new);
        (void)file->allocate(bytes.size() * rounds);
        (void)file->sync();
        const Stopwatch bare_time;
        for (std::uint64_t i = 0; i < rounds; ++i) {
            (void)file->write_at(bytes, i * bytes.size());
            (void)file->sync();
        }
        const auto bare_us = bare_time.seconds() * 1e6 / static_cast<double>(rounds);
        (void)files_.remove(settings_.dir / "bare");
        fmt::print(
            "commit of {:5} shares: {:8.1f} us, bare write + fdatasync {:8.1f} us, "
            "ratio {:.2f}\n",
            batch, log_us, bare_us, log_us / bare_us);
    }

    void fill() {
        const Stopwatch time;
        const auto before = next_;
        while (next_ < settings_.shares)
            submit(1'000);
        listener_.await(batches_);
        const auto shares = static_cast<double>(next_ - before);
        fmt::print("group commit: {:.0f} shares in {:.2f} s, {:.2f} us each\n", shares,
                   time.seconds(), time.seconds() * 1e6 / shares);
    }

    void restart() {
        log_.reset();
        const Stopwatch time;
        if (!open()) return;
        fmt::print("start with {} shares and {} workers: {:.0f} ms\n", log_->shares_recorded(),
                   names_.size(), time.seconds() * 1e3);
        log_.reset();
    }

    void fold_and_audit() {
        auto slices = *store::SqlLedger::open({(settings_.dir / "ledger.sqlite").string()});
        auto reader = *store::LogReader::open(files_, settings_.dir / "log");
        ledger::FoldPoint from;
        from.log_id = reader.log_id();
        from.log = reader.point();
        ledger::Tally tally(from, reader.slice_s());
        const CoreStopwatch fold_time;
        std::uint64_t folded = 0;
        while (const auto batch = *reader.next(store::LogReader::kToTheEnd)) {
            if (!tally.fold(*batch)) return;
            folded += batch->shares;
            if (tally.gathered() >= 1 << 18) (void)slices->apply(tally.take());
        }
        (void)slices->apply(tally.take());
        fmt::print("tally: {:.0f} shares/s into SQLite on one core\n",
                   static_cast<double>(folded) / fold_time.seconds());

        auto again = *store::LogReader::open(files_, settings_.dir / "log");
        ledger::Auditor auditor(again.log_id(), again.point(), again.slice_s());
        const CoreStopwatch audit_time;
        while (const auto batch = *again.next(store::LogReader::kToTheEnd)) {
            auditor.add(*batch);
            if (auditor.report().shares > 3'000'000) break;
        }
        fmt::print("audit: {:.0f} shares/s on one core, {} differences\n",
                   static_cast<double>(auditor.report().shares) / audit_time.seconds(),
                   auditor.report().differences);
        if (auditor.point() != tally.point().log) return;
        const CoreStopwatch compare_time;
        (void)auditor.compare(*slices, *slices);
        fmt::print("audit: {} rows of the ledger compared in {:.0f} ms, {} differences\n",
                   auditor.report().rows_compared, compare_time.seconds() * 1e3,
                   auditor.report().differences);
    }

    Settings settings_;
    store::PosixFileSystem files_;
    base::SystemClock clock_;
    metrics::Registry registry_;
    base::Logger logger_{base::LogLevel::warning};
    CountingListener listener_;
    std::unique_ptr<store::FileShareLog> log_;
    std::vector<std::pair<share::AccountId, share::WorkerId>> names_;
    std::uint64_t next_ = 0;
    std::uint64_t batches_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    auto parent = std::filesystem::temp_directory_path();
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--quick") {
            settings.shares = 100'000;
            settings.workers = 100;
            settings.rounds = 10;
        } else if (argument == "--shares" && i + 1 < argc) {
            settings.shares = std::strtoull(argv[++i], nullptr, 10);
        } else if (argument == "--dir" && i + 1 < argc) {
            parent = argv[++i];
        } else {
            fmt::print(stderr, "usage: log_bench [--quick] [--shares N] [--dir DIR]\n");
            return 2;
        }
    }
    try {
        const bench::ScratchDir scratch(parent);
        settings.dir = scratch.path();
        return Bench(settings).run() ? 0 : 1;
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
