#include "share/validator.h"

#include "job/historic_job.h"
#include "job/job_maker.h"
#include "job/sample_template.h"

#include <gtest/gtest.h>

#include <set>

namespace adit::share {
namespace {

job::HeaderChoice random_choice(std::mt19937& random, const job::Job& job) {
    job::HeaderChoice choice;
    choice.variant = static_cast<std::uint8_t>(random());
    choice.extranonce1 = static_cast<std::uint32_t>(random());
    for (auto& byte : choice.extranonce2)
        byte = static_cast<std::uint8_t>(random());
    choice.ntime = job.ntime + static_cast<std::uint32_t>(random() % 100);
    choice.nonce = static_cast<std::uint32_t>(random());
    choice.version =
        job.version | (static_cast<std::uint32_t>(random()) & job::kVersionRollingMask);
    return choice;
}

// Jobs of many shapes: heads of every length modulo 64, tails from one block to many, 0 to 9
// branches.
std::vector<job::JobRef> jobs_of_many_shapes() {
    std::vector<job::JobRef> jobs;
    std::mt19937 random(3);
    for (std::size_t i = 0; i < 80; ++i) {
        const std::size_t transactions[] = {0, 1, 2, 3, 7, 30, 300};
        const std::size_t script_sizes[] = {1, 22, 23, 25, 34, 35, 60, 90, 200, 252, 5'000};
        job::JobMaker maker({.payout_script = base::Bytes(script_sizes[random() % 11], 0x51),
                             .signature = std::string(i % 61, 's')},
                            1);
        const job::SampleTemplate sample{.seed = static_cast<std::uint32_t>(i),
                                         .transactions = transactions[random() % 7],
                                         .segwit = random() % 2 == 0,
                                         .bits = 0x207fffff};
        jobs.push_back(maker.make(job::sample_template_ref(sample), 0).value());
    }
    return jobs;
}

class ValidatorOfEveryKernel : public testing::TestWithParam<const chain::Sha256Kernel*> {};

TEST_P(ValidatorOfEveryKernel, AgreesWithTheSlowFunctionsForBatchesOfAllSizesAndShapes) {
    const auto jobs = jobs_of_many_shapes();
    const Validator validator(*GetParam());
    std::mt19937 random(5);
    for (std::size_t size = 0; size <= 150; size = size < 9 ? size + 1 : size * 2 - 1) {
        // From one job for all to a different one for each.
        for (const std::size_t different : {std::size_t{1}, std::size_t{2}, jobs.size()}) {
            std::vector<CheckRequest> requests;
            std::vector<chain::Hash256> expected;
            for (std::size_t i = 0; i < size; ++i) {
                const auto& job = *jobs[random() % different];
                const auto choice = random_choice(random, job);
                expected.push_back(job::header_of(job, choice).hash());
                auto target = base::U256::from_le(expected.back().bytes);
                if (i % 2 == 1) target -= base::U256{1};
                requests.push_back({&job, choice, {target}});
            }
            std::vector<CheckResult> results(size);
            validator.check(requests, results);
            for (std::size_t i = 0; i < size; ++i) {
                ASSERT_EQ(results[i].hash, expected[i]) << size << ' ' << i;
                ASSERT_EQ(results[i].meets_share, i % 2 == 0);
                ASSERT_EQ(results[i].meets_network,
                          requests[i].job->network_target.met_by(expected[i]));
            }
        }
    }
}

TEST_P(ValidatorOfEveryKernel, FindsHistoricBlocksTogether) {
    std::vector<std::pair<job::Job, job::HeaderChoice>> jobs;
    std::vector<std::string> hashes;
    for (const std::size_t split : {0U, 30U, 50U, 51U, 52U, 63U, 64U, 65U, 90U, 1'000U}) {
        for (const auto& historic : job::historic_blocks()) {
            jobs.push_back(historic.job_split_at(split));
            hashes.push_back(historic.hash);
        }
    }
    std::vector<CheckRequest> requests;
    for (const auto& [job, choice] : jobs) {
        requests.push_back({&job, choice, job.network_difficulty.target()});
    }
    std::vector<CheckResult> results(requests.size());
    Validator(*GetParam()).check(requests, results);
    for (std::size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(results[i].hash.rpc_hex(), hashes[i]);
        EXPECT_TRUE(results[i].meets_share);
        EXPECT_TRUE(results[i].meets_network);
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, ValidatorOfEveryKernel,
                         testing::ValuesIn(chain::sha256_kernels().begin(),
                                           chain::sha256_kernels().end()),
                         [](const auto& kernel) {
                             std::string name(kernel.param->name);
                             std::erase_if(name, [](char c) { return c == '-'; });
                             return name;
                         });

TEST(Validator, SeesEveryFieldOfTheChoice) {
    job::JobMaker maker({.payout_script = base::Bytes(22, 1)}, 1);
    const auto job = maker.make(job::sample_template_ref({}), 0).value();
    using Change = void (*)(job::HeaderChoice&);
    const Change changes[] = {
        [](auto&) {},
        [](auto& c) { c.variant ^= 1; },
        [](auto& c) { c.extranonce1 ^= 1; },
        [](auto& c) { c.extranonce2[0] ^= 1; },
        [](auto& c) { c.extranonce2[7] ^= 1; },
        [](auto& c) { c.ntime ^= 1; },
        [](auto& c) { c.nonce ^= 1; },
        [](auto& c) { c.version ^= 0x2000; },
    };
    std::set<chain::Hash256> hashes;
    for (const auto change : changes) {
        CheckRequest request{job.get(), {}, {}};
        change(request.choice);
        CheckResult result;
        Validator().check({&request, 1}, {&result, 1});
        hashes.insert(result.hash);
    }
    EXPECT_EQ(hashes.size(), std::size(changes));
}

TEST(RollVersion, TakesBitsOfTheMaskAndRefusesOthers) {
    struct Row {
        std::uint32_t job, mask, bits;
        std::optional<std::uint32_t> rolled;
    };
    const Row rows[] = {
        {0x20000000, 0x1fffe000, 0, 0x20000000},
        {0x20000000, 0x1fffe000, 0x1fffe000, 0x3fffe000},
        {0x20000004, 0x1fffe000, 0x00002000, 0x20002004},
        {0x3fffe000, 0x1fffe000, 0x00002000, 0x20002000},
        {0x20000000, 0x1fffe000, 0x20000000, std::nullopt},
        {0x20000000, 0x1fffe000, 0x00001000, std::nullopt},
        {0x20000000, 0x00ffe000, 0x01000000, std::nullopt},
        {0x20000000, 0, 0x00002000, std::nullopt},
        {0x20000000, 0, 0, 0x20000000},
    };
    for (const auto& row : rows)
        EXPECT_EQ(roll_version(row.job, row.mask, row.bits), row.rolled);
}

TEST(CheckTime, RefusesByJobAndByClock) {
    job::Job job;
    job.min_time = 10'000;
    job.ntime = 20'000;
    struct Row {
        std::uint32_t ntime;
        std::int64_t wall;
        std::optional<Refusal> refusal;
    };
    const Row rows[] = {
        {9'999, 20'000, Refusal::time_too_old},
        {10'000, 20'000, std::nullopt},
        {27'000, 20'000, std::nullopt},
        {27'001, 20'000, Refusal::time_too_new},
        {22'200, 15'000, std::nullopt},
        {22'201, 15'000, Refusal::time_too_new},
        {0xffffffff, 20'000, Refusal::time_too_new},
    };
    for (const auto& row : rows)
        EXPECT_EQ(check_time(job, row.ntime, row.wall), row.refusal);

    job.ntime = 0xfffffff0;  // near the end of 32 bits nothing wraps
    EXPECT_EQ(check_time(job, 0xffffffff, 0xfffffff0), std::nullopt);
}

}  // namespace
}  // namespace adit::share
