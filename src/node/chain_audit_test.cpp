#include "node/chain_audit.h"

#include "chain/address.h"
#include "ledger/memory_journal.h"
#include "node/block_coinbase.h"
#include "node/scripted_node_testing.h"

#include <gmock/gmock.h>

namespace adit::node {
namespace {

using ledger::BlockState;
using ::testing::HasSubstr;
using testing::ScriptedNode;

constexpr std::int64_t kValue = 5'000;  // of the scripted node's coinbases

struct ChainAuditTest : ::testing::Test {
    void SetUp() override {
        node.start();
        settings.node = "a";
        settings.network = chain::Network::regtest;
        settings.payout_confirmations = 3;
        settings.timeout_ms = 20'000;
        ours = node.add_block("ours");
        height = node.height();
        for (int i = 0; i < 4; ++i)
            node.add_block();
    }
    void put_block(const chain::Hash256& hash, BlockState state, std::int64_t reward = kValue) {
        ledger::BlockRow row;
        row.found.block.hash = hash;
        row.found.block.height = height;
        row.found.position = 77;
        row.found.slice.sequence = ++blocks;
        row.state = state;
        row.reward = chain::Amount::of(reward);
        books->put_block(row);
    }
    void put_payout(const chain::Hash256& block, const chain::Hash256& txid,
                    ledger::PayoutState state = ledger::PayoutState::confirmed) {
        ledger::PayoutRow row;
        row.id = 1;
        row.state = state;
        row.txid = txid;
        row.block = block;
        row.height = height;
        books->put_payout(row);
    }
    ledger::Stored<ChainAuditCount> compare() {
        differences.clear();
        RpcClient client(node.settings("a"));
        return compare_with_chain(client, settings, *books,
                                  [&](ledger::AuditDifference difference) {
                                      differences.push_back(std::move(difference));
                                  });
    }
    // The coinbase's id: every transaction that the scripted chain has.
    chain::Hash256 only_transaction() const {
        return testing::mine_block(before, height, "ours").transactions[0].txid();
    }

    ScriptedNode node;
    ChainAuditSettings settings;
    std::optional<ledger::MemoryJournal> books{std::in_place, ledger::InstanceId{0}, 600u};
    std::vector<ledger::AuditDifference> differences;
    const chain::Hash256 before = node.tip();
    chain::Hash256 ours;
    std::int32_t height = 0;
    std::uint32_t blocks = 0;
};

TEST_F(ChainAuditTest, AgreesWhenBlocksAndPayoutsAreWhereTheLedgerSays) {
    put_block(ours, BlockState::mature);
    put_block(chain::Hash256{{1}}, BlockState::orphaned);
    put_block(chain::Hash256{{2}}, BlockState::found);  // nothing is claimed of these two
    put_block(chain::Hash256{{3}}, BlockState::contested);
    put_payout(ours, only_transaction());
    const auto count = compare();
    ASSERT_TRUE(count) << count.error();
    EXPECT_EQ(count->blocks, 2u);
    EXPECT_EQ(count->payouts, 1u);
    EXPECT_TRUE(differences.empty()) << differences[0].text();
}

TEST_F(ChainAuditTest, NamesWhatIsNotInTheChainAsTheLedgerSays) {
    struct Case {
        std::function<void()> put;
        const char* expected;
        const char* found;
    };
    const chain::Hash256 strange{{9}};
    const Case cases[] = {
        {[&] { put_block(strange, BlockState::mature); }, "in the best chain: it is mature",
         "is there, 5 deep"},
        {[&] { put_block(strange, BlockState::confirmed); }, "it is confirmed", "is there, 5 deep"},
        {[&] { put_block(ours, BlockState::orphaned); }, "it is orphaned", "in the best chain"},
        {[&] { put_block(ours, BlockState::mature, kValue + 1); }, "5001 sat", "5000 sat"},
        {[&] { put_payout(strange, only_transaction()); }, "with 3 confirmations",
         "is there, 5 deep"},
        {[&] { put_payout(ours, strange); }, "in block ", "a block without it"},
        {[&] {
             settings.payout_confirmations = 6;
             put_payout(ours, only_transaction());
         },
         "with 6 confirmations", "5 confirmations"},
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(one.expected);
        books.emplace(ledger::InstanceId{0}, 600u);
        one.put();
        const auto count = compare();
        ASSERT_TRUE(count) << count.error();
        ASSERT_EQ(differences.size(), 1u);
        EXPECT_THAT(differences[0].expected, HasSubstr(one.expected));
        EXPECT_THAT(differences[0].found, HasSubstr(one.found));
    }
}

TEST_F(ChainAuditTest, LooksForEveryOutputThatTheLedgerSaysACoinbaseHas) {
    base::Bytes script{0x00, 0x14};
    script.resize(22, 0x31);
    const auto payee = *chain::address_of_script(script, chain::params(settings.network));
    ours = node.add_block("pays", script);
    height = node.height();
    node.add_block();
    const auto with_paid = [&](const std::string& account, std::int64_t paid_sat) {
        books.emplace(ledger::InstanceId{0}, 600u);
        put_block(ours, BlockState::confirmed);
        const auto paid = chain::Amount::of(paid_sat);
        const ledger::SplitRow rows[] = {{"other", 1, paid, {}, {}}, {account, 1, paid, {}, paid}};
        books->put_split(ours, rows);
        EXPECT_TRUE(compare());
        return differences.size();
    };
    EXPECT_EQ(with_paid(payee, kValue), 0u);
    EXPECT_EQ(with_paid(payee, kValue - 1), 1u);
    EXPECT_THAT(differences[0].text(), HasSubstr("4999 sat to " + payee));
    EXPECT_EQ(with_paid("no address", kValue), 1u);
}

TEST_F(ChainAuditTest, SaysWhyANodeCannotBeAsked) {
    put_block(ours, BlockState::mature);
    node.set_chain("main");
    EXPECT_THAT(compare().error(), HasSubstr("another chain"));
    node.set_chain("regtest");
    node.set_headers_ahead(10);
    EXPECT_THAT(compare().error(), HasSubstr("not synchronised"));
    node.set_headers_ahead(0);
    node.set_error("getblockheader", -1, "the index is broken");
    EXPECT_THAT(compare().error(), HasSubstr("the index is broken"));
    node.clear("getblockheader");
    ASSERT_TRUE(compare());
    node.stop();
    EXPECT_FALSE(compare());
}

TEST_F(ChainAuditTest, BelievesNoListOfIdsThatIsNotTheBlocks) {
    put_payout(ours, only_transaction());
    node.set_result("getblock", fmt::format(R"({{"tx":["{}"]}})", ours.rpc_hex()));
    EXPECT_THAT(compare().error(), HasSubstr("ids that are not the block's"));
}

}  // namespace
}  // namespace adit::node
