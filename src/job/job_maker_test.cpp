#include "job/job_maker.h"

#include "job/sample_template.h"

#include <gtest/gtest.h>

namespace adit::job {
namespace {

const base::Bytes kScript(22, 0x11);

std::expected<JobRef, JobError> make(BlockTemplate source, std::string signature = "/Adit/") {
    JobMaker maker({.payout_script = kScript, .signature = std::move(signature)}, 1);
    return maker.make(std::make_shared<const BlockTemplate>(std::move(source)), 0);
}

chain::Transaction coinbase(const Job& job) {
    return chain::parse_transaction(coinbase_of(job, {})).value();
}

TEST(JobMaker, PaysTheWholeRewardToThePayoutScript) {
    const auto source = sample_template({.segwit = false});
    const auto outputs = coinbase(**make(source)).outputs;
    ASSERT_EQ(outputs.size(), 1U);
    EXPECT_EQ(outputs[0].value_sat, source.coinbase_value_sat);
    EXPECT_EQ(outputs[0].script, kScript);
}

TEST(JobMaker, PutsHeightAndSignatureBeforeTheExtranonceRoom) {
    struct Row {
        std::int32_t height;
        std::string_view push;
    };
    for (const auto& row : {Row{1, "51"}, Row{16, "60"}, Row{17, "0111"}, Row{128, "028000"},
                            Row{840'000, "0340d10c"}, Row{2'147'483'647, "04ffffff7f"}}) {
        const auto job = make(sample_template({.height = row.height}), "/sig/").value();
        const auto script = coinbase(*job).inputs[0].script;
        EXPECT_EQ(
            base::to_hex(script),
            std::string(row.push) + base::to_hex(base::as_bytes("/sig/")) + std::string(26, '0'));
    }
}

TEST(JobMaker, KeepsScriptSigWithinConsensusForEverySignature) {
    for (const std::int32_t height : {1, 16, 17, 840'000, 2'147'483'647}) {
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kSignatureLimit}) {
            const auto job = make(sample_template({.height = height}), std::string(size, 'x'));
            ASSERT_TRUE(job);
            const auto script = coinbase(**job).inputs[0].script;
            EXPECT_GE(script.size(), 2U);
            EXPECT_LE(script.size(), 100U);
        }
    }
}

TEST(JobMaker, ClearsTheRollingMaskInTheVersion) {
    auto source = sample_template({});
    source.version = 0xffffffff;
    EXPECT_EQ((*make(source))->version, 0xe0001fffU);
}

TEST(JobMaker, OffersTheNodesTimeButNeverLessThanTheMinimum) {
    auto source = sample_template({});
    source.min_time = 100;
    source.current_time = 500;
    EXPECT_EQ((*make(source))->ntime, 500U);
    source.current_time = 50;
    EXPECT_EQ((*make(source))->ntime, 100U);
    EXPECT_EQ((*make(source))->min_time, 100U);
}

TEST(JobMaker, DerivesTheNetworkTargetFromTheBits) {
    const auto job = make(sample_template({.bits = 0x1d00ffff})).value();
    EXPECT_EQ(job->network_target, chain::target_from_compact(0x1d00ffff));
    EXPECT_EQ(job->network_difficulty.value(), 1.0);
}

TEST(JobMaker, CountsIdsAndTipsAndSaysCleanOnANewTipOnly) {
    JobMaker maker({.payout_script = kScript}, 41);
    const auto first = maker.make(sample_template_ref({.seed = 1}), 1'000).value();
    const auto refresh = maker.make(sample_template_ref({.seed = 1}), 2'000).value();
    const auto next = maker.make(sample_template_ref({.seed = 2}), 3'000).value();
    const auto back = maker.make(sample_template_ref({.seed = 1}), 4'000).value();

    EXPECT_EQ((std::vector{first->id, refresh->id, next->id, back->id}),
              (std::vector<JobId>{41, 42, 43, 44}));
    EXPECT_EQ((std::vector{first->tip, refresh->tip, next->tip, back->tip}),
              (std::vector<std::uint64_t>{1, 1, 2, 3}));
    EXPECT_EQ((std::vector{first->clean, refresh->clean, next->clean, back->clean}),
              (std::vector{true, false, true, true}));
    EXPECT_EQ(next->created_ms, 3'000);
    EXPECT_EQ(maker.next_id(), 45U);
}

TEST(JobMaker, IsCleanWhenTheHeightOnTheSameTipWasWrong) {
    JobMaker maker({.payout_script = kScript}, 1);
    auto wrong = sample_template({});
    wrong.height += 5;
    const auto first = maker.make(std::make_shared<BlockTemplate>(wrong), 0).value();
    const auto second = maker.make(sample_template_ref({}), 50).value();
    EXPECT_EQ(second->source->previous, first->source->previous);
    EXPECT_TRUE(second->clean);
    EXPECT_EQ(second->tip, first->tip + 1);
}

TEST(JobMaker, IsCleanAtFirstEvenOnTheGenesisBlocksZeroPrevious) {
    auto source = sample_template({});
    source.previous = {};
    EXPECT_TRUE((*make(source))->clean);
}

TEST(JobMaker, FollowsAJobWithoutTransactionsByTheFullOneOfTheSameTip) {
    JobMaker maker({.payout_script = kScript}, 1);
    auto early = sample_template({.transactions = 0});
    early.complete = false;
    const auto full = sample_template_ref({.transactions = 7});
    early.previous = full->previous;
    const auto first = maker.make(std::make_shared<BlockTemplate>(early), 0).value();
    const auto second = maker.make(full, 50).value();
    EXPECT_TRUE(first->branches.empty());
    EXPECT_TRUE(first->clean);
    EXPECT_FALSE(second->clean);
    EXPECT_EQ(second->tip, first->tip);
    EXPECT_EQ(second->branches.size(), 3U);
    EXPECT_TRUE(chain::witness_commitment_of(coinbase(*first)));
}

TEST(JobMaker, RefusesBadTemplatesByReason) {
    struct Row {
        std::string_view name;
        void (*spoil)(BlockTemplate&);
        JobError error;
    };
    const Row rows[] = {
        {"negative value", [](auto& t) { t.coinbase_value_sat = -1; }, JobError::bad_value},
        {"more than all coins", [](auto& t) { t.coinbase_value_sat = 2'100'000'000'000'001; },
         JobError::bad_value},
        {"zero bits", [](auto& t) { t.bits = 0; }, JobError::bad_bits},
        {"negative bits", [](auto& t) { t.bits = 0x1d80ffff; }, JobError::bad_bits},
        {"overflowing bits", [](auto& t) { t.bits = 0xff123456; }, JobError::bad_bits},
        {"height 0", [](auto& t) { t.height = 0; }, JobError::bad_height},
        {"negative height", [](auto& t) { t.height = -5; }, JobError::bad_height},
        {"no room for the coinbase", [](auto& t) { t.weight_limit = 1'000; },
         JobError::template_too_heavy},
    };
    for (const auto& row : rows) {
        auto source = sample_template({});
        row.spoil(source);
        const auto job = make(source);
        ASSERT_FALSE(job) << row.name;
        EXPECT_EQ(job.error(), row.error) << row.name;
    }
}

TEST(JobMaker, RefusesBadSettingsByReason) {
    EXPECT_EQ(make(sample_template({}), std::string(61, 'x')).error(),
              JobError::signature_too_long);
    JobMaker maker({.payout_script = {}, .signature = ""}, 7);
    EXPECT_EQ(maker.make(sample_template_ref({}), 0).error(), JobError::no_payout_script);
    EXPECT_EQ(maker.next_id(), 7U);
}

TEST(JobMaker, CountsTheWeightOfTheWholeBlock) {
    for (const bool segwit : {false, true}) {
        for (const std::size_t transactions : {0U, 10U, 300U}) {
            auto source = sample_template({.transactions = transactions, .segwit = segwit});
            const auto block = chain::parse_block(block_of(**make(source), {})).value();
            source.weight_limit = static_cast<std::uint32_t>(block.weight());
            EXPECT_TRUE(make(source));
            --source.weight_limit;
            EXPECT_EQ(make(source).error(), JobError::template_too_heavy);
        }
    }
}

TEST(JobMaker, DescribesEveryError) {
    for (const auto error :
         {JobError::signature_too_long, JobError::no_payout_script, JobError::bad_height,
          JobError::bad_bits, JobError::bad_value, JobError::template_too_heavy}) {
        EXPECT_GT(describe(error).size(), 20U);
    }
}

TEST(JobMaker, HoldsTheTemplateItselfNotACopy) {
    const auto source = sample_template_ref({});
    JobMaker maker({.payout_script = kScript}, 1);
    EXPECT_EQ(maker.make(source, 0).value()->source, source);
}

}  // namespace
}  // namespace adit::job
