// Found blocks from the shards to disk, log and nodes, through deaths at the worst moments; with
// the real stores.
#include "manager/block_desk.h"

#include "manager/pool_parts.h"
#include "store/log_audit.h"
#include "store/tally_test_support.h"

#include <gmock/gmock.h>

namespace adit::manager {
namespace {

using store::CandidateState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// Stands where the nodes are and remembers what it got.
class Nodes final : public job::BlockSink {
 public:
    void submit(std::shared_ptr<const job::BlockCandidate> candidate) override {
        submitted.push_back(candidate->hash);
    }
    std::vector<chain::Hash256> submitted;
    std::vector<chain::Hash256> resumed;
};

class BlockDeskTest : public ::testing::Test {
 protected:
    BlockDeskTest() { start(); }
    ~BlockDeskTest() override { stop(); }

    void start() {
        candidates_ = *store::CandidateStore::open(files_, kBlocks, bench_.clock);
        EXPECT_TRUE(bench_.open());
        slices_ = *store::SqlLedger::open({(dir_.path() / "ledger.sqlite").string()});
        desk_ = std::make_unique<BlockDesk>(*candidates_, *bench_.log, bench_.registry,
                                            bench_.clock, bench_.logger);
        auto recorded = store::recorded_blocks(files_, store::testing::kDir, *bench_.log, *slices_);
        ASSERT_TRUE(recorded) << recorded.error();
        ASSERT_TRUE(desk_->open(*recorded));
        connect();
    }
    void connect() {
        nodes_ = std::make_shared<Nodes>();
        desk_->set_submitter(nodes_, [nodes = nodes_.get()](const auto& candidate) {
            nodes->resumed.push_back(candidate->hash);
        });
    }
    void stop() {
        desk_.reset();
        bench_.log.reset();
        slices_.reset();
        candidates_.reset();
    }
    void restart() {
        stop();
        start();
    }
    // Folds everything into the ledger.
    void tally() {
        store::TallyThread tally(files_, {store::testing::kDir, 0, 50}, *bench_.log, *slices_,
                                 bench_.clock, bench_.registry, bench_.logger);
        ASSERT_TRUE(tally.start());
        tally.stop();
        EXPECT_EQ(tally.error(), "");
    }
    void expect_clean_audit() {
        const auto report = store::audit_log(files_, store::testing::kDir, slices_.get());
        ASSERT_TRUE(report) << report.error();
        EXPECT_TRUE(report->clean()) << report->first->text();
    }
    std::vector<chain::Hash256> blocks_in_log() {
        std::vector<chain::Hash256> hashes;
        for (const auto& block : store::testing::read_log(files_).blocks)
            hashes.push_back(block.hash);
        return hashes;
    }
    static std::shared_ptr<const job::BlockCandidate> block(std::uint8_t mark) {
        auto candidate = std::make_shared<job::BlockCandidate>();
        candidate->job = store::testing::mining_job(mark);
        candidate->hash.bytes.fill(mark);
        candidate->hash.bytes.back() = 0;  // meets the target
        candidate->height = candidate->job->source->height;
        candidate->block = base::Bytes(1'000, mark);
        candidate->account = "alice";
        candidate->worker = "rig";
        candidate->found_wall_ms = 1'700'000'000'000;
        return candidate;
    }
    static node::SubmitReport report(const std::shared_ptr<const job::BlockCandidate>& candidate,
                                     node::SubmitState state) {
        node::SubmitReport report;
        report.candidate = candidate;
        report.state = state;
        report.nodes.emplace_back("a", node::NodeVerdict::holds);
        return report;
    }
    CandidateState state_of(std::uint8_t mark) {
        const auto found = block(mark);
        return candidates_->load(store::CandidateStore::file_name(found->height, found->hash))
            ->state();
    }

    static inline const std::filesystem::path kBlocks = "/data/blocks";
    store::FaultyFileSystem files_{1};
    store::testing::LogBench bench_{files_};
    store::testing::TemporaryDir dir_;
    std::unique_ptr<store::CandidateStore> candidates_;
    std::unique_ptr<store::SqlLedger> slices_;
    std::unique_ptr<BlockDesk> desk_;
    std::shared_ptr<Nodes> nodes_;
};

TEST_F(BlockDeskTest, KeepsRecordsAndSubmitsABlockOnce) {
    const auto found = block(1);
    bench_.log->record_job(found->job);
    desk_->submit(found);
    desk_->submit(found);
    EXPECT_THAT(nodes_->submitted, ElementsAre(found->hash));
    desk_->on_report(report(found, node::SubmitState::pending));
    desk_->on_report(report(found, node::SubmitState::accepted));
    restart();
    EXPECT_THAT(blocks_in_log(), ElementsAre(found->hash));
    EXPECT_EQ(state_of(1), CandidateState::accepted);
    EXPECT_TRUE(desk_->knows(found->hash));
    EXPECT_THAT(nodes_->resumed, IsEmpty());
    tally();
    expect_clean_audit();
}

TEST_F(BlockDeskTest, WritesDownABlockThatOnlyTheChainKnows) {
    node::OwnBlock own;
    own.hash = block(1)->hash;
    own.height = 7;
    own.header.bits = 0x207fffff;
    own.header.time = 1'700'000'000;
    own.value_sat = 5'000'000'000;
    own.node = "a";
    chain::Transaction coinbase;
    coinbase.inputs.resize(1);
    coinbase.inputs[0].script = {1, 7};
    base::append(coinbase.inputs[0].script, base::as_bytes("/Adit/"));
    coinbase.inputs[0].script.resize(coinbase.inputs[0].script.size() + 13);
    coinbase.outputs.push_back({own.value_sat, base::Bytes(22, 1)});
    own.coinbase = coinbase.serialize();
    const auto job = job_of_chain(own, 9, chain::Network::regtest, "/Adit/");
    ASSERT_NE(job, nullptr);
    desk_->recover(own, job);
    desk_->recover(own, job);
    desk_->recover(own, nullptr);
    restart();
    restart();
    EXPECT_TRUE(desk_->knows(own.hash));
    EXPECT_THAT(nodes_->resumed, IsEmpty());
    EXPECT_THAT(blocks_in_log(), ElementsAre(own.hash));
    tally();
    expect_clean_audit();
    EXPECT_THAT(*slices_->blocks(), SizeIs(1));
}

TEST_F(BlockDeskTest, RecordsAtStartWhatWasOnDiskButNotInTheLog) {
    const auto folded = block(1);
    const auto logged = block(2);
    const auto lost = block(3);
    bench_.log->record_job(folded->job);
    desk_->submit(folded);
    restart();
    tally();
    bench_.log->record_job(logged->job);
    desk_->submit(logged);
    restart();
    // Killed between the file and the log.
    ASSERT_TRUE(candidates_->save(*lost));
    for (int life = 0; life < 3; ++life) {
        restart();
        EXPECT_TRUE(desk_->knows(lost->hash));
    }
    bench_.log->close();
    EXPECT_THAT(blocks_in_log(), ElementsAre(folded->hash, logged->hash, lost->hash));
    tally();
    restart();
    bench_.log->close();
    EXPECT_THAT(blocks_in_log(), SizeIs(3));
    expect_clean_audit();
    EXPECT_THAT(*slices_->blocks(), SizeIs(3));
}

TEST_F(BlockDeskTest, LeavesABlockOfAnotherLogAlone) {
    auto foreign = *block(1);
    foreign.log_position = 1 << 30;
    ASSERT_TRUE(candidates_->save(foreign));
    restart();
    bench_.log->close();
    EXPECT_TRUE(desk_->knows(foreign.hash));
    EXPECT_THAT(blocks_in_log(), IsEmpty());
}

TEST_F(BlockDeskTest, HandsEveryOpenBlockToANewSubmitter) {
    const auto won = block(1);
    const auto open = block(2);
    desk_->submit(won);
    desk_->submit(open);
    desk_->on_report(report(won, node::SubmitState::accepted));
    connect();
    EXPECT_THAT(nodes_->resumed, ElementsAre(open->hash));
    desk_->set_submitter(nullptr, {});
    const auto between = block(3);
    desk_->submit(between);
    connect();
    EXPECT_THAT(nodes_->submitted, IsEmpty());
    EXPECT_THAT(nodes_->resumed, UnorderedElementsAre(open->hash, between->hash));
    restart();
    EXPECT_THAT(nodes_->resumed, UnorderedElementsAre(open->hash, between->hash));
}

TEST_F(BlockDeskTest, KeepsTheFinalWordWhenAnotherSubmitterStillSpeaks) {
    const auto found = block(1);
    desk_->submit(found);
    desk_->on_report(report(found, node::SubmitState::accepted));
    desk_->on_report(report(found, node::SubmitState::pending));
    desk_->on_report(report(found, node::SubmitState::refused));
    desk_->stop();
    EXPECT_EQ(state_of(1), CandidateState::accepted);
    EXPECT_EQ(desk_->accepted(), 1u);
}

TEST_F(BlockDeskTest, SubmitsABlockThatCannotBeKept) {
    files_.fail(store::FaultyFileSystem::Call::write, EIO, 100, 0, "/data/blocks");
    const auto found = block(1);
    bench_.log->record_job(found->job);
    desk_->submit(found);
    EXPECT_THAT(nodes_->submitted, ElementsAre(found->hash));
    desk_->stop();
    bench_.log->close();
    EXPECT_THAT(blocks_in_log(), ElementsAre(found->hash));
    EXPECT_EQ(bench_.registry.counter("adit_blocks_save_failures_total", "").value(), 1u);
    files_.clear_faults();
}

TEST(NodeSide, WaitsOnlyForBlocksOnTheirFirstWay) {
    using node::NodeVerdict;
    struct Case {
        node::SubmitState state;
        std::int64_t first_answer_ms;
        std::vector<NodeVerdict> verdicts;
        bool answered;
    };
    const std::vector<Case> cases{
        {node::SubmitState::pending, 0, {NodeVerdict::waiting}, false},
        {node::SubmitState::pending, 0, {NodeVerdict::refused, NodeVerdict::waiting}, false},
        {node::SubmitState::pending, 5, {NodeVerdict::holds, NodeVerdict::waiting}, true},
        {node::SubmitState::pending, 0, {NodeVerdict::refused, NodeVerdict::unreachable}, true},
        {node::SubmitState::accepted, 0, {NodeVerdict::waiting}, true},
    };
    for (const auto& row : cases) {
        node::SubmitReport report;
        report.state = row.state;
        report.first_answer_ms = row.first_answer_ms;
        for (const auto verdict : row.verdicts)
            report.nodes.emplace_back("a", verdict);
        EXPECT_EQ(is_answered(report), row.answered);
    }
}

}  // namespace
}  // namespace adit::manager
