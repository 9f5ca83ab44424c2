// Proves promise 1 and 2 of the design on the share log: the power goes at any moment, also during
// recovery, with failing writes and full disks in between; every share that was answered
// `committed` is there afterwards exactly once, none that was answered `failed` is there, nothing
// is there twice. The same of facts that move money, which are there in the order in which they
// were handed over, each behind the shares handed over before it. The mutant that answers before
// fdatasync must be caught by the very same check.
#include "store/log_test_support.h"

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace adit::store {
namespace {

// Four cuts each. Sanitizers look at the threads and the memory, not at the odds: they get fewer.
#if defined(__has_feature)
#define ADIT_TEST_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ADIT_TEST_SANITIZED 1
#else
#define ADIT_TEST_SANITIZED 0
#endif
#if ADIT_TEST_SANITIZED
constexpr std::uint64_t kSeeds = 250;
#else
constexpr std::uint64_t kSeeds = 2'500;
#endif

struct Verdict {
    std::uint64_t cuts = 0;
    std::uint64_t committed = 0;
    std::uint64_t failed = 0;
    std::uint64_t lost = 0;     // committed but not there
    std::uint64_t counted = 0;  // failed but there
    std::uint64_t twice = 0;
    std::uint64_t unreadable = 0;
    std::uint64_t facts_kept = 0;
    std::uint64_t facts_refused = 0;   // known not to be in the log
    std::uint64_t facts_in_doubt = 0;  // nobody knew
    std::uint64_t facts_wrong = 0;     // kept but not there, refused but there, twice, or displaced
    std::string example;

    std::uint64_t violations() const { return lost + counted + twice + unreadable + facts_wrong; }
};

struct FactFate {
    std::uint64_t after_mark = 0;  // shares marked below this were handed over before
    bool kept = false;
    bool in_doubt = false;
    share::LogPosition position = 0;  // behind its batch, when kept
};

// Hands over facts one after another on a thread of its own, as a payer does, and remembers what
// was said of each. Facts are told apart by their amounts, which count up.
class FactTeller {
 public:
    FactTeller(FileShareLog& log, std::vector<FactFate>& fates, std::uint64_t seed)
        : log_(log), fates_(fates), random_(seed), thread_([this](std::stop_token stop) {
              std::unique_lock lock(mutex_);
              while (changed_.wait(lock, stop, [&] { return !asked_.empty(); })) {
                  const auto mark = asked_.front();
                  asked_.pop_front();
                  lock.unlock();
                  append(mark);
                  lock.lock();
              }
          }) {}
    // Before the log goes; what waits there must have been answered, or be answered by now.
    ~FactTeller() { log_.close(); }

    void tell(std::uint64_t mark) {
        {
            const std::lock_guard lock(mutex_);
            asked_.push_back(mark);
        }
        changed_.notify_one();
    }

 private:
    void append(std::uint64_t mark) {
        share::ExplainRecord fact;
        fact.account = "alice";
        fact.amount_sat = static_cast<std::int64_t>(fates_.size());
        fact.note = std::string(random_() % 4 == 0 ? share::kEvidenceLimit : 10, 'x');
        // Some do not wait: their facts queue up behind one another.
        const auto result = log_.append_fact(fact, random_() % 3 == 0 ? 0 : 600'000);
        auto& fate = fates_.emplace_back();
        fate.after_mark = mark;
        fate.kept = result.has_value();
        if (result)
            fate.position = *result;
        else
            fate.in_doubt = result.error().in_doubt;
    }

    FileShareLog& log_;
    std::vector<FactFate>& fates_;
    std::mt19937_64 random_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<std::uint64_t> asked_;
    std::jthread thread_;
};

class Story {
 public:
    Story(std::uint64_t seed, bool mutant)
        : files_(seed), random_(seed * 7'919 + 1), bench_(files_) {
        bench_.settings.answer_before_sync = mutant;
        bench_.settings.segment_bytes = 8 << 10;
        bench_.settings.retry_ms = 0;
        bench_.settings.queue_shares = 400;
        bench_.settings.batch_shares = 100;
    }

    // Lives until the power has gone this often, then reads everything back.
    void live(int cuts, Verdict& verdict) {
        for (int cut = 0; cut < cuts; ++cut) {
            files_.cut_power_at(1 + below(120));
            if (below(4) == 0) files_.set_failure_chance(0.05);
            while (files_.powered()) {
                if (!bench_.open()) continue;
                teller_.emplace(*bench_.log, fates_, random_());
                work();
            }
            end_process();  // with the machine
            files_.clear_faults();
            files_.restore_power();
            ++verdict.cuts;
        }
        judge(verdict);
    }

 private:
    std::uint64_t below(std::uint64_t n) { return random_() % n; }

    void work() {
        while (files_.powered()) {
            if (below(12) == 0) files_.set_capacity(files_.used() + below(20'000));
            if (below(12) == 0) files_.set_capacity(1 << 30);
            if (below(20) == 0) bench_.log->record_job(testing::small_job(++job_));
            if (below(6) == 0) teller_->tell(mark_);
            if (below(20) == 0) bench_.log->account(fmt::format("account {}", below(50)));
            bench_.clock.advance_ms(static_cast<std::int64_t>(below(50)));
            const auto count = static_cast<int>(1 + below(30));
            if (bench_.submit(mark_, count)) {
                sizes_[mark_] = count;
                // Now and then wait, so that batches of many sizes form.
                if (below(3) == 0) std::this_thread::yield();
            } else {
                std::this_thread::yield();
            }
            mark_ += 100;
            if (below(40) == 0) files_.fail(FaultyFileSystem::Call::sync_dir, EIO, 2);
            if (below(40) == 0) files_.fail(FaultyFileSystem::Call::sync, EIO, 1 + below(3));
            if (below(60) == 0) return stop();
        }
    }

    // The process ends and starts again while the machine runs on, now and then with a disk that
    // fails: then bytes that the system still caches are not on the disk.
    void stop() {
        if (below(2) == 0) {
            files_.set_failure_chance(0.7);
            if (bench_.submit(mark_, 5)) sizes_[mark_] = 5;
            mark_ += 100;
        }
        end_process();
        files_.clear_faults();
    }

    void end_process() {
        teller_.reset();
        bench_.log.reset();
    }

    void judge(Verdict& verdict) {
        const auto opened = bench_.open();
        bench_.log.reset();
        const auto all = testing::read_log(files_);
        if (!opened || !all.error.empty()) {
            ++verdict.unreadable;
            verdict.example = opened ? all.error : opened.error().text();
            return;
        }
        const auto marks = all.marks();
        for (const auto& [mark, times] : marks)
            verdict.twice += times != 1;
        for (const auto& [ticket, result] : bench_.answers.results()) {
            for (int i = 0; i < sizes_.at(ticket); ++i) {
                const bool there = marks.contains(ticket + static_cast<unsigned>(i));
                if (result == share::CommitResult::committed) {
                    ++verdict.committed;
                    verdict.lost += !there;
                } else {
                    ++verdict.failed;
                    verdict.counted += there;
                }
            }
        }
        judge_facts(verdict);
    }

    void judge_facts(Verdict& verdict) {
        auto reader = LogReader::open(files_, testing::kDir);
        std::map<std::size_t, share::LogPosition> there;  // by number
        std::size_t next = 0;
        std::uint64_t least_mark = 0;  // that a share behind the last fact may have
        while (auto batch = *reader->next(LogReader::kToTheEnd)) {
            base::ByteReader records(batch->payload);
            while (records.left() > 0) {
                const auto record = *share::read_record(records);
                if (const auto* share = std::get_if<share::ShareRecord>(&record)) {
                    verdict.facts_wrong += testing::mark_of(*share) < least_mark;
                } else if (const auto* fact = std::get_if<share::ExplainRecord>(&record)) {
                    const auto number = static_cast<std::size_t>(fact->amount_sat);
                    verdict.facts_wrong += number < next;  // twice, or out of order
                    next = number + 1;
                    there[number] = batch->after.position;
                    least_mark = fates_.at(number).after_mark;
                }
            }
        }
        for (std::size_t number = 0; number < fates_.size(); ++number) {
            const auto& fate = fates_[number];
            const auto found = there.find(number);
            if (fate.kept) {
                ++verdict.facts_kept;
                verdict.facts_wrong += found == there.end() || found->second != fate.position;
            } else if (fate.in_doubt) {
                ++verdict.facts_in_doubt;
            } else {
                ++verdict.facts_refused;
                verdict.facts_wrong += found != there.end();
            }
        }
    }

    FaultyFileSystem files_;
    std::mt19937_64 random_;
    testing::LogBench bench_;
    std::optional<FactTeller> teller_;
    std::map<std::uint64_t, int> sizes_;
    std::vector<FactFate> fates_;
    std::uint64_t mark_ = 1'000;
    job::JobId job_ = 0;
};

Verdict tell(std::uint64_t seeds, bool mutant) {
    Verdict verdict;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const auto before = verdict.violations();
        Story(seed, mutant).live(4, verdict);
        if (!mutant && verdict.violations() != before) {
            ADD_FAILURE() << "seed " << seed << ": lost " << verdict.lost << ", counted "
                          << verdict.counted << ", twice " << verdict.twice << ", unreadable "
                          << verdict.unreadable << ", facts wrong " << verdict.facts_wrong << " "
                          << verdict.example;
            break;
        }
    }
    return verdict;
}

TEST(PowerCut, LosesNothingAnsweredInTenThousandCuts) {
    const auto verdict = tell(kSeeds, false);
    EXPECT_EQ(verdict.violations(), 0u);
    EXPECT_EQ(verdict.cuts, 4 * kSeeds);
    // The story is about something: many answers of both kinds.
    EXPECT_GT(verdict.committed, 40 * kSeeds);
    EXPECT_GT(verdict.failed, kSeeds / 2);
    EXPECT_GT(verdict.facts_kept, 2 * kSeeds);
    EXPECT_GT(verdict.facts_refused, 0u);
    EXPECT_GT(verdict.facts_in_doubt, kSeeds / 2);
    RecordProperty("facts_kept", std::to_string(verdict.facts_kept));
    RecordProperty("committed", std::to_string(verdict.committed));
    RecordProperty("failed", std::to_string(verdict.failed));
}

TEST(PowerCut, CatchesALogThatAnswersBeforeFdatasync) {
    const auto verdict = tell(100, true);
    EXPECT_GT(verdict.lost, 0u);
    EXPECT_GT(verdict.facts_wrong, 0u);
}

}  // namespace
}  // namespace adit::store
