#include "job/finder_job.h"

#include "job/job_maker.h"
#include "job/sample_template.h"

#include <gtest/gtest.h>

namespace adit::job {
namespace {

const base::Bytes kPool(22, 0x77);

TEST(FinderJob, DiffersFromTheSharedJobInTheFirstScriptAlone) {
    JobMaker maker({.payout_script = kPool, .signature = "/Adit/"}, 3);
    const auto shared = *maker.make(sample_template_ref({}), 0);
    for (const std::size_t size : {std::size_t{22}, std::size_t{25}, std::size_t{300}}) {
        const base::Bytes script(size, 0x42);
        const auto own = job_for_finder(*shared, script);
        ASSERT_NE(own, nullptr);
        EXPECT_EQ(own->id, shared->id);
        const auto theirs = chain::parse_transaction(coinbase_of(*shared, {})).value();
        const auto coinbase = chain::parse_transaction(coinbase_of(*own, {})).value();
        ASSERT_EQ(coinbase.outputs.size(), theirs.outputs.size());
        EXPECT_EQ(coinbase.outputs[0].script, script);
        EXPECT_EQ(coinbase.outputs[0].value_sat, theirs.outputs[0].value_sat);
        EXPECT_EQ(coinbase.outputs[1].script, theirs.outputs[1].script);
        EXPECT_NE(own->broadcast_line, shared->broadcast_line);
        // Back again it is the same to the byte.
        const auto back = job_for_finder(*own, kPool);
        EXPECT_EQ(back->coinbase_tail, shared->coinbase_tail);
        EXPECT_EQ(back->padded_tail, shared->padded_tail);
        EXPECT_EQ(back->broadcast_line, shared->broadcast_line);
    }
}

TEST(FinderJob, PaysTheFinderLessTheFeeAndThePoolTheFee) {
    const auto source = sample_template({});
    for (const std::uint32_t fee_ppm : {0U, 15'000U}) {
        JobMaker maker({kPool, "/Adit/", fee_ppm}, 1);
        const auto job = *maker.make(std::make_shared<const BlockTemplate>(source), 0);
        EXPECT_TRUE(job->pays_finder);
        EXPECT_EQ(job->snapshot, 0U);
        const auto outputs = chain::parse_transaction(coinbase_of(*job, {})).value().outputs;
        const auto fee = source.coinbase_value_sat * fee_ppm / 1'000'000;
        ASSERT_EQ(outputs.size(), fee_ppm == 0 ? 2U : 3U);
        EXPECT_EQ(outputs[0].value_sat, source.coinbase_value_sat - fee);
        if (fee_ppm != 0) {
            EXPECT_EQ(outputs[1].value_sat, fee);
        }
    }
}

TEST(FinderJob, IsNoneOfATailThatHasNoOutput) {
    Job job;
    job.source = sample_template_ref({});
    job.bits = job.source->bits;
    job.coinbase_tail = {0xff, 0xff, 0xff, 0xff, 0x00, 0, 0, 0, 0};
    EXPECT_EQ(job_for_finder(job, kPool), nullptr);
    job.coinbase_tail = {0xff, 0xff, 0xff, 0xff, 0x01, 0, 0, 0};
    EXPECT_EQ(job_for_finder(job, kPool), nullptr);
    job.coinbase_tail = {0xff, 0xff, 0xff, 0xff, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0x05, 1, 2};
    EXPECT_EQ(job_for_finder(job, kPool), nullptr);
}

}  // namespace
}  // namespace adit::job
