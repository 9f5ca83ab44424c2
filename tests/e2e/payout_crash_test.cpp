// Payouts by a process that dies again and again, at any call into wallet, log or ledger, with a
// real share log (whose power is cut too), a real database, and a node's wallet over HTTP whose
// transactions are really signed and mined. Judged from the chain alone: what the miners' scripts
// hold.
#include "ledger/payer.h"
#include "node/node_wallet.h"
#include "node/spend_witness.h"
#include "sim/sim_node.h"
#include "store/log_audit.h"
#include "store/log_fact_sink.h"
#include "store/sql_ledger_testing.h"
#include "store/tally_test_support.h"
#include "tests/support/pool_setup.h"

#include <gtest/gtest.h>

#include <random>

namespace adit::tests {
namespace {

using ledger::PayoutState;
using store::SqlDialect;

constexpr int kMiners = 3;
constexpr std::int64_t kPatienceMs = 60'000;
constexpr int kDeaths = 1'000;

struct Death {};

// Counts the calls of a process down to its death.
class Fate {
 public:
    void die_at(int calls) { left_ = calls; }  // 0: never
    void call() {
        if (left_ > 0 && --left_ == 0) throw Death{};
    }

 private:
    int left_ = 0;
};

// Death may strike before a call reaches the wallet, and before its answer is heard.
class MortalWallet final : public ledger::Wallet {
 public:
    MortalWallet(ledger::Wallet& wallet, Fate& fate) : wallet_(wallet), fate_(fate) {}

    std::string name() const override { return wallet_.name(); }
    ledger::FromWallet<ledger::WalletTip> tip() override { return mortal(wallet_.tip()); }
    ledger::FromWallet<std::vector<ledger::Coin>> coins(std::int32_t min) override {
        return mortal(wallet_.coins(min));
    }
    ledger::FromWallet<std::optional<ledger::Coin>> coin(const chain::OutPoint& at) override {
        return mortal(wallet_.coin(at));
    }
    ledger::FromWallet<void> lock(std::span<const chain::OutPoint> outpoints) override {
        fate_.call();
        return mortal(wallet_.lock(outpoints));
    }
    ledger::FromWallet<void> unlock(std::span<const chain::OutPoint> outpoints) override {
        fate_.call();
        return mortal(wallet_.unlock(outpoints));
    }
    ledger::FromWallet<chain::Transaction> sign(const chain::Transaction& transaction,
                                                std::span<const ledger::Coin> coins) override {
        return mortal(wallet_.sign(transaction, coins));
    }
    ledger::FromWallet<void> test(base::ByteSpan raw) override { return mortal(wallet_.test(raw)); }
    ledger::FromWallet<void> broadcast(base::ByteSpan raw) override {
        fate_.call();
        return mortal(wallet_.broadcast(raw));
    }
    ledger::FromWallet<std::optional<ledger::TransactionStatus>> status(
        const chain::Hash256& txid) override {
        return mortal(wallet_.status(txid));
    }
    ledger::FromWallet<ledger::OutputState> output_state(const chain::OutPoint& at) override {
        return mortal(wallet_.output_state(at));
    }
    ledger::FromWallet<ledger::WalletSpends> spends_since(const chain::Hash256& block) override {
        return mortal(wallet_.spends_since(block));
    }
    ledger::FromWallet<std::optional<chain::Transaction>> transaction(
        const chain::Hash256& txid) override {
        return mortal(wallet_.transaction(txid));
    }
    ledger::FromWallet<std::optional<std::int64_t>> fee_rate(std::int32_t blocks) override {
        return mortal(wallet_.fee_rate(blocks));
    }

 private:
    template <class T>
    T mortal(T answer) {
        fate_.call();
        return answer;
    }

    ledger::Wallet& wallet_;
    Fate& fate_;
};

class MortalSink final : public ledger::FactSink {
 public:
    MortalSink(ledger::FactSink& sink, Fate& fate) : sink_(sink), fate_(fate) {}
    ledger::Stored<void> record(share::Record fact) override {
        fate_.call();
        auto recorded = sink_.record(std::move(fact));
        fate_.call();
        return recorded;
    }
    ledger::Stored<void> caught_up() override { return sink_.caught_up(); }

 private:
    ledger::FactSink& sink_;
    Fate& fate_;
};

sim::SimNodeSettings node_with_wallets() {
    sim::SimNodeSettings settings;
    settings.wallets = {"pool", "miners"};
    return settings;
}

class PayoutCrashTest : public ::testing::TestWithParam<SqlDialect> {
 protected:
    PayoutCrashTest() {
        node_.start();
        pool_ = node_.new_address("pool");
        for (auto& miner : miners_)
            miner = node_.new_address("miners");
        node_.generate(40, pool_.script);
        node_.generate(100, other_);
        node::NodeWalletSettings wallet;
        wallet.node = settings_of(login_of(node_));
        wallet.wallet = "pool";
        wallet.network = chain::Network::regtest;
        wallet_.emplace(wallet);
        witness_.emplace(std::vector{settings_of(login_of(node_))}, chain::Network::regtest);
        settings_.network = chain::Network::regtest;
        settings_.change_script = pool_.script;
        settings_.interval_ms = 1'000;
        settings_.confirmations = 3;
        settings_.bump_after_blocks = 2;
        settings_.approve_above = chain::Amount::of(900'000);
        be_born();
        bench_.log->record_job(job_);
        share::RulesRecord rules;
        rules.fee_ppm = 0;
        record(rules);
    }
    ~PayoutCrashTest() override { die(); }

    // --- the process -----------------------------------------------------------------------
    void be_born() {
        const auto opened = bench_.open();
        ASSERT_TRUE(opened) << opened.error().text();
        store::SqlLedgerSettings ledger;
        ledger.database = database_.name();
        ledger.slice_s = bench_.log->slice_s();
        auto books = store::SqlLedger::open(ledger);
        ASSERT_TRUE(books) << books.error();
        ledger_ = std::move(*books);
        store::TallySettings tally;
        tally.log_dir = store::testing::kDir;
        tally.interval_ms = 0;
        tally_.emplace(files_, tally, *bench_.log, *ledger_, bench_.clock, bench_.registry,
                       bench_.logger);
        const auto started = tally_->start();
        ASSERT_TRUE(started) << started.error();
        ASSERT_TRUE(tally_->wait_folded(bench_.log->durable_position(), kPatienceMs));
        sink_.emplace(*bench_.log, *tally_, bench_.clock, kPatienceMs);
        mortal_sink_.emplace(*sink_, fate_);
        mortal_wallet_.emplace(*wallet_, fate_);
        payer_.emplace(settings_, *ledger_, *mortal_sink_, *mortal_wallet_, *witness_,
                       bench_.registry, bench_.clock, bench_.logger);
    }
    void die(bool power_goes = false) {
        payer_.reset();
        if (power_goes) files_.cut_power();
        if (sink_) sink_->stop();
        if (tally_) tally_->stop();
        sink_.reset();
        tally_.reset();
        ledger_.reset();
        bench_.log.reset();
        if (power_goes) files_.restore_power();
    }
    // A step of the payer, which may be its last. True when it died.
    bool live(int calls) {
        fate_.die_at(calls);
        bench_.clock.advance_ms(2'000);
        try {
            payer_->step();
        } catch (const Death&) {
            fate_.die_at(0);
            die(below(3) == 0);
            be_born();
            return true;
        }
        fate_.die_at(0);
        return false;
    }

    // --- the world ---------------------------------------------------------------------------
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    void record(const share::Record& fact) {
        const auto recorded = sink_->record(fact);
        ASSERT_TRUE(recorded) << recorded.error();
    }
    void credit(int miner, std::int64_t sat) {
        job::BlockCandidate block;
        base::store_le(block.hash.bytes.data(), ++blocks_);
        block.job = job_;
        block.height = job_->source->height;
        block.account = miners_[static_cast<std::size_t>(miner)].address;
        block.worker = "rig";
        block.found_wall_ms = bench_.clock.wall_ms();
        bench_.log->record_block(block, "block");
        for (const auto fact : {share::BlockFact::confirmed, share::BlockFact::mature}) {
            share::BlockFactRecord says;
            says.hash = block.hash;
            says.transition = fact == share::BlockFact::confirmed ? 1 : 2;
            says.fact = fact;
            says.coinbase_value_sat = fact == share::BlockFact::confirmed ? sat : 0;
            record(says);
        }
        credited_[static_cast<std::size_t>(miner)] += sat;
    }
    void decide() {
        const auto rows = ledger_->payout_rows();
        ASSERT_TRUE(rows) << rows.error();
        for (const auto& row : *rows) {
            if (row.state == PayoutState::waiting_approval) {
                ASSERT_TRUE(payer_->approve(row.id, "fine"));
            } else if (row.state == PayoutState::conflicted) {
                (void)payer_->replace(row.id, "lost");  // refused until it is 100 deep
            }
        }
    }
    void happen() {
        switch (below(8)) {
            case 0:
            case 1:
                return credit(static_cast<int>(below(kMiners)),
                              static_cast<std::int64_t>(below(500'000)) + 1);
            case 2:
                node_.mine_branch(static_cast<std::int32_t>(below(4)), 4, other_);
                return;
            case 3:
                return decide();
            case 4:
                node_.mine_branch(0, 3, other_);  // nobody takes it
                return;
            default:
                node_.generate(static_cast<int>(below(3)), other_);
        }
    }
    // What the best chain's blocks have paid to this script.
    std::int64_t received(int miner) {
        const auto& script = miners_[static_cast<std::size_t>(miner)].script;
        std::int64_t sum = 0;
        node_.with_chain([&](sim::SimChain& chain) {
            for (std::int32_t height = 1; height <= chain.tip().height; ++height) {
                for (const auto& transaction : chain.at_height(height)->block->transactions) {
                    for (const auto& output : transaction.outputs)
                        if (output.script == script) sum += output.value_sat;
                }
            }
        });
        return sum;
    }

    std::mt19937_64 random_{20'261'128};
    store::testing::EmptyDatabase database_{GetParam()};
    store::FaultyFileSystem files_{1};
    store::testing::LogBench bench_{files_};
    sim::SimNode node_{node_with_wallets(), sim::SimParams::regtest(), bench_.clock, bench_.logger};
    sim::SimNode::PaidTo pool_;
    std::array<sim::SimNode::PaidTo, kMiners> miners_;
    const base::Bytes other_{0x51};
    std::optional<node::NodeWallet> wallet_;
    std::optional<node::ChainWitness> witness_;
    ledger::PayerSettings settings_;
    Fate fate_;
    std::unique_ptr<store::SqlLedger> ledger_;
    std::optional<store::TallyThread> tally_;
    std::optional<store::LogFactSink> sink_;
    std::optional<MortalSink> mortal_sink_;
    std::optional<MortalWallet> mortal_wallet_;
    std::optional<ledger::Payer> payer_;
    job::JobRef job_ = store::testing::mining_job(1);
    std::uint64_t blocks_ = 0;
    std::array<std::int64_t, kMiners> credited_{};
};

INSTANTIATE_TEST_SUITE_P(On, PayoutCrashTest,
                         ::testing::Values(SqlDialect::sqlite, SqlDialect::postgres),
                         store::testing::dialect_name);

TEST_P(PayoutCrashTest, PaysExactlyOnceThroughAThousandDeaths) {
    int deaths = 0;
    while (deaths < kDeaths) {
        for (auto events = below(3); events > 0; --events)
            happen();
        deaths += live(static_cast<int>(below(40)) + 1) ? 1 : 0;
        ASSERT_FALSE(HasFailure()) << "after " << deaths << " deaths";
    }
    for (int i = 0; i < 5; ++i) {
        decide();
        live(0);
        node_.generate(101, other_);
        live(0);
    }
    EXPECT_EQ(payer_->status().hold, ledger::PayoutHold::none) << payer_->status().hold_text;
    EXPECT_TRUE(payer_->status().alerts.empty());
    std::int64_t paid = 0;
    for (int miner = 0; miner < kMiners; ++miner) {
        const auto& name = miners_[static_cast<std::size_t>(miner)].address;
        const auto owed = *ledger_->balance_of(name);
        EXPECT_EQ(received(miner) + owed.posted.sat(), credited_[static_cast<std::size_t>(miner)]);
        EXPECT_EQ(owed.reserved.sat(), 0);
        EXPECT_LT(owed.posted, settings_.threshold);
        paid += received(miner);
    }
    EXPECT_GT(paid, 10'000'000);
    const auto rows = *ledger_->payout_rows();
    EXPECT_GT(rows.size(), 50u);
    for (const auto& row : rows)
        EXPECT_EQ(row.state, PayoutState::buried) << row.id;
    ASSERT_TRUE(tally_->wait_folded(bench_.log->durable_position(), kPatienceMs));
    const auto report = store::audit_log(files_, store::testing::kDir, ledger_.get());
    ASSERT_TRUE(report) << report.error();
    EXPECT_TRUE(report->clean()) << report->first->text();
}

}  // namespace
}  // namespace adit::tests
