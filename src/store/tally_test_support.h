// A share log whose shares are really mined (regtest difficulty), and a tally over it. Tests only.
#pragma once

#include "share/validator.h"
#include "store/log_test_support.h"
#include "store/sql_ledger.h"
#include "store/tally_thread.h"

#include <cstdlib>

namespace adit::store::testing {

// A folder that is gone afterwards.
class TemporaryDir {
 public:
    TemporaryDir() {
        auto pattern = (std::filesystem::temp_directory_path() / "adit-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~TemporaryDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDir(const TemporaryDir&) = delete;
    TemporaryDir& operator=(const TemporaryDir&) = delete;
    const std::filesystem::path& path() const { return path_; }

 private:
    std::filesystem::path path_;
};

// A job whose network target every second hash meets.
inline job::JobRef mining_job(job::JobId id) {
    auto job = small_job(id);
    job->coinbase_head[0] = static_cast<std::uint8_t>(id);
    EXPECT_TRUE(job::derive(*job));
    return job;
}

inline constexpr double kEasy = 1.0 / (1 << 30);  // every hash but one in four meets it

// A share of the job that meets difficulty `kEasy`, found by counting nonces up from `nonce`, with
// a true block flag.
inline share::ShareRecord mine(const job::JobRef& job, share::AccountId account,
                               share::WorkerId worker, std::uint32_t& nonce) {
    const share::Validator validator;
    share::ShareRecord share;
    share.job = job->id;
    share.account = account;
    share.worker = worker;
    share.difficulty = *chain::Difficulty::from_double(kEasy);
    share.choice.ntime = job->ntime;
    share.choice.version = job->version;
    for (;;) {
        share.choice.nonce = nonce++;
        const share::CheckRequest request{job.get(), share.choice, share.difficulty.target()};
        share::CheckResult result;
        validator.check({&request, 1}, {&result, 1});
        share.block = result.meets_network;
        if (result.meets_share) return share;
    }
}

}  // namespace adit::store::testing
