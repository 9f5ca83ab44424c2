// Payouts as an operator meets them: the program, a node with wallets, miners; what the ledger says
// is owed arrives in the miners' own wallets, to the satoshi.
#include "chain/amount.h"
#include "tests/bcoin/rpc_call.h"
#include "tests/support/child.h"
#include "tests/support/line_miner.h"
#include "tests/support/pool_setup.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>

#include <csignal>
#include <random>

namespace adit::tests {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

constexpr std::int32_t kMaturity = 3;  // of coinbases on this chain

sim::SimParams quickly_mature() {
    auto params = sim::SimParams::regtest();
    params.coinbase_maturity = kMaturity;
    return params;
}

class Payouts : public ::testing::Test {
 protected:
    Payouts() {
        setup_.data_dir = dir_.path() / "data";
        setup_.nodes = {login_of(*node_)};
        setup_.address = node_->new_address("pool").address;
        setup_.extra = fmt::format("[rewards]\nfee = \"2.5%\"\nmaturity = {}\n", kMaturity + 1);
        configure("");
        alice_ = node_->new_address("alice").address;
        bob_ = node_->new_address("bob").address;
    }
    // Further lines of [payout].
    void configure(const std::string& more) {
        setup_.payout = "interval_s = 1\nconfirmations = 2\nthreshold_sat = 10000\n" + more;
        file_ = setup_.write_to(dir_.path() / "adit.toml");
    }
    void start() {
        pool_.emplace(adit_run(file_));
        port_ = listening_port(*pool_);
        ASSERT_NE(port_, 0) << pool_->err();
    }
    void stop() {
        pool_->signal(SIGTERM);
        EXPECT_EQ(pool_->wait(), 0) << pool_->err();
    }

    Finished adit(std::vector<std::string> command) {
        command.insert(command.end(), {"--config", file_});
        return run_adit(command);
    }
    Json ask(std::vector<std::string> command) {
        command.emplace_back("--json");
        const auto told = adit(std::move(command));
        EXPECT_EQ(told.code, 0) << told.err;
        return Json::parse(told.out, nullptr, false);
    }
    Json payouts() { return ask({"payout", "list", "--all"}); }
    std::size_t payouts_in(std::string_view state) {
        const auto all = payouts();
        return static_cast<std::size_t>(
            std::ranges::count_if(all, [&](const Json& row) { return row.at("state") == state; }));
    }
    std::int64_t balance(const std::string& account, const char* key) {
        return ask({"account", "show", account}).at(key);
    }

    // This account finds a block.
    void find_a_block(const std::string& account) {
        const auto user = account + ".rig";
        EXPECT_TRUE(eventually([&] {
            LineMiner miner(port_);
            miner.open(user);
            const auto submit = miner.solve(miner.job(0), user, 1);
            const auto header = miner.header(miner.job(0), submit);
            // The first job may still be of the block before.
            if (header.previous != tip_hash()) return false;
            if (miner.request("mining.submit", submit)["result"] != true) return false;
            return eventually([&] { return node_.in_best_chain(header.hash()); });
        })) << pool_->err();
    }
    chain::Hash256 tip_hash() {
        chain::Hash256 hash;
        node_->with_chain([&](sim::SimChain& chain) { hash = chain.tip().hash; });
        return hash;
    }
    // Both find one, and what they earn is mature.
    void earn() {
        find_a_block(alice_);
        find_a_block(bob_);
        node_->generate(kMaturity, other_script());
    }
    // Everything in a wallet, also what waits in the mempool.
    std::int64_t wallet_sat(const std::string& name) {
        std::int64_t sum_sat = 0;
        node_->with_chain([&](sim::SimChain& chain) { tip_ = &chain; });
        node_->with_wallet(name, [&](sim::SimWallet& wallet) {
            for (const auto& coin : wallet.coins(*tip_))
                sum_sat += coin.output.value_sat;
        });
        return sum_sat;
    }
    // Sum of what all payouts send to this account.
    std::int64_t sent_sat(const std::string& account) {
        std::int64_t sum_sat = 0;
        for (const auto& row : payouts()) {
            if (row.at("state") == "cancelled") continue;
            const auto id = std::to_string(row.at("id").get<std::uint64_t>());
            const auto detail = ask({"payout", "show", id});
            for (const auto& payee : detail.at("to")) {
                if (payee.at("account") == account)
                    sum_sat += payee.at("output_sat").get<std::int64_t>();
            }
        }
        return sum_sat;
    }
    // The chain grows until this holds: quickly at first, then only now and then, since on a chain
    // that halves every 150 blocks a slow pool would soon have nothing to pay.
    bool grows_until(const std::function<bool()>& holds) {
        constexpr int kQuickly = 20;
        constexpr int kSeldom = 100;
        int looks = 0;
        return eventually([&] {
            if (looks < kQuickly || looks % kSeldom == 0) node_->generate(1, other_script());
            ++looks;
            return holds();
        });
    }
    // By confirmed payouts, whatever it earned.
    bool is_paid(const std::string& account) {
        return balance(account, "posted_sat") == 0 && balance(account, "pending_sat") == 0;
    }
    // Blocks, until nothing is under way.
    void confirm_all() {
        EXPECT_TRUE(grows_until([&] {
            const auto all = payouts();
            return !all.empty() && std::ranges::all_of(all, [](const Json& row) {
                return row.at("state") == "confirmed" || row.at("state") == "cancelled";
            });
        })) << payouts()
            << pool_->err();
    }
    void expect_clean_audit() {
        const auto audit = adit({"audit"});
        EXPECT_EQ(audit.code, 0) << audit.out << audit.err;
    }

    SimHost node_{quickly_mature(), true, {"pool", "alice", "bob"}};
    TempDir dir_;
    PoolSetup setup_;
    std::string file_;
    std::string alice_;
    std::string bob_;
    std::optional<Child> pool_;
    std::uint16_t port_ = 0;
    sim::SimChain* tip_ = nullptr;
};

TEST_F(Payouts, WhatTheLedgerOwesArrivesInTheMinersWallets) {
    start();
    earn();
    // The chain grows until both blocks are posted, paid and confirmed.
    ASSERT_TRUE(eventually([&] { return !payouts().empty(); })) << pool_->err();
    // Perhaps by two payouts: one block may be posted before the other.
    ASSERT_TRUE(grows_until([&] { return is_paid(alice_) && is_paid(bob_); }))
        << payouts() << pool_->err();
    confirm_all();
    for (const auto& [account, wallet] : {std::pair{alice_, "alice"}, std::pair{bob_, "bob"}}) {
        EXPECT_GT(wallet_sat(wallet), 0);
        EXPECT_EQ(wallet_sat(wallet), sent_sat(account)) << wallet;
        EXPECT_EQ(balance(account, "posted_sat"), 0) << wallet;
        EXPECT_EQ(balance(account, "reserved_sat"), 0) << wallet;
        const auto csv = adit({"export", "payouts", "--account", account});
        EXPECT_THAT(csv.out, HasSubstr(account));
    }
    const auto list = adit({"payout", "list"});
    EXPECT_THAT(list.out, HasSubstr("confirmed"));
    EXPECT_THAT(list.out, HasSubstr(payouts().at(0).at("txid").get<std::string>()));
    const auto status = ask({"payout", "status"});
    EXPECT_EQ(status.at("hold"), "none") << status;
    EXPECT_EQ(status.at("paid_sat"), wallet_sat("alice") + wallet_sat("bob"));
    EXPECT_THAT(adit({"payout", "status"}).out, HasSubstr("nothing holds payouts up"));
    expect_clean_audit();
    stop();
    expect_clean_audit();
    // Without a pool: the ledger can be read, the pool cannot be asked.
    EXPECT_EQ(adit({"payout", "list"}).code, 0);
    const auto alone = adit({"payout", "run"});
    EXPECT_EQ(alone.code, 2);
    EXPECT_THAT(alone.err, HasSubstr("no pool is running"));
}

// The kills come right behind a call of the wallet, so that they strike between intent, lock,
// signature, log and network.
TEST_F(Payouts, TwentyKillsPayNobodyTwiceAndNobodyLess) {
    constexpr int kKills = 20;
    const std::array<std::string, 6> calls{
        "listunspent",       "lockunspent",        "signrawtransactionwithwallet",
        "testmempoolaccept", "sendrawtransaction", "gettransaction"};
    std::mt19937_64 random(20'261'128);
    for (int kill = 0; kill < kKills; ++kill) {
        start();
        ASSERT_FALSE(HasFailure()) << "after " << kill << " kills";
        find_a_block(kill % 2 == 0 ? alice_ : bob_);
        const auto& call = calls[random() % calls.size()];
        const auto before = node_->calls(call);
        ASSERT_TRUE(grows_until([&] { return node_->calls(call) > before; })) << call << "\n"
                                                                              << pool_->err();
        pool_->signal(SIGKILL);
        pool_->wait();
        if (kill % 3 == 0) node_->generate(2, other_script());
    }
    start();
    ASSERT_TRUE(grows_until([&] { return is_paid(alice_) && is_paid(bob_); }))
        << payouts() << pool_->err();
    EXPECT_GT(payouts().size(), 5u);
    EXPECT_EQ(wallet_sat("alice"), sent_sat(alice_));
    EXPECT_EQ(wallet_sat("bob"), sent_sat(bob_));
    EXPECT_EQ(ask({"payout", "status"}).at("hold"), "none");
    expect_clean_audit();
    stop();
}

// The blocks that earned the money stay; those with the payout go, six deep, and the same bytes are
// mined again.
TEST_F(Payouts, ArriveOnceWhenSixBlocksAreReorganised) {
    configure("approve_above_sat = 1\n");
    start();
    earn();
    ASSERT_TRUE(eventually([&] { return payouts_in("waiting_approval") > 0; })) << pool_->err();
    node_->generate(6, other_script());
    const auto id = std::to_string(payouts().at(0).at("id").get<std::uint64_t>());
    ASSERT_EQ(adit({"payout", "approve", id}).code, 0);
    ASSERT_TRUE(eventually([&] { return payouts_in("signed") == 1; })) << pool_->err();
    const std::string txid = payouts().at(0).at("txid");
    ASSERT_TRUE(grows_until([&] { return payouts_in("confirmed") == 1; })) << pool_->err();
    const auto paid = wallet_sat("alice") + wallet_sat("bob");
    EXPECT_GT(paid, 0);

    ASSERT_EQ(node_->mine_branch(6, 7, other_script()).size(), 7u);
    ASSERT_TRUE(eventually([&] { return payouts_in("signed") == 1; })) << pool_->err();
    EXPECT_TRUE(pool_->writes("the block of a payout has left the chain"));
    ASSERT_TRUE(grows_until([&] { return payouts_in("confirmed") == 1; })) << pool_->err();
    EXPECT_EQ(payouts().at(0).at("txid"), txid);
    EXPECT_EQ(wallet_sat("alice") + wallet_sat("bob"), paid);
    EXPECT_EQ(paid, payouts().at(0).at("outputs_sat"));
    expect_clean_audit();
    stop();
}

TEST_F(Payouts, LargeOnesWaitForApprovalAndAreApprovedOrCancelled) {
    configure("approve_above_sat = 20000\n");
    start();
    earn();
    ASSERT_TRUE(eventually([&] { return payouts_in("waiting_approval") > 0; })) << pool_->err();
    EXPECT_EQ(wallet_sat("alice") + wallet_sat("bob"), 0);
    const auto id = std::to_string(payouts().at(0).at("id").get<std::uint64_t>());
    const auto approved = adit({"payout", "approve", id, "--note", "looked at"});
    EXPECT_EQ(approved.code, 0) << approved.err;
    EXPECT_THAT(approved.out, HasSubstr("payout " + id));
    EXPECT_TRUE(eventually([&] { return wallet_sat("alice") + wallet_sat("bob") > 0; }))
        << pool_->err();
    EXPECT_TRUE(pool_->writes("method=payout.approve"));
    const auto again = adit({"payout", "approve", id});
    EXPECT_EQ(again.code, 1) << again.out;
    EXPECT_THAT(again.err, HasSubstr("payout " + id));
    EXPECT_EQ(adit({"payout", "cancel", id}).code, 1) << "it is signed";
    EXPECT_EQ(adit({"payout", "approve", "999"}).code, 1);
    EXPECT_EQ(adit({"payout", "show", "999"}).code, 1);
    EXPECT_EQ(adit({"payout", "approve", "x"}).code, 2);
    // Whatever waits still is given up; a later round decides on it again.
    for (const auto& row : payouts()) {
        if (row.at("state") != "waiting_approval") continue;
        const auto other = std::to_string(row.at("id").get<std::uint64_t>());
        const auto cancelled = adit({"payout", "cancel", other});
        EXPECT_EQ(cancelled.code, 0) << cancelled.err;
        EXPECT_THAT(cancelled.out, HasSubstr("cancelled"));
    }
    stop();
    expect_clean_audit();
}

TEST_F(Payouts, AnUnknownSpendStopsThemUntilItIsExplained) {
    configure("approve_above_sat = 1\n");  // nothing leaves by itself
    start();
    find_a_block(alice_);
    node_->generate(kMaturity, other_script());
    ASSERT_TRUE(eventually([&] { return payouts_in("waiting_approval") == 1; })) << pool_->err();
    find_a_block(bob_);
    node_->generate(kMaturity, other_script());
    // Somebody takes money out of the pool's wallet.
    const RpcEndpoint wallet{"127.0.0.1", node_->port(), "adit", "adit", "/wallet/pool"};
    const auto stranger = miner_address("stranger");
    std::string txid = rpc_call(wallet, "sendtoaddress", {stranger, 0.5});
    node_->generate(1, other_script());
    ASSERT_TRUE(eventually([&] { return ask({"payout", "status"}).at("hold") == "unknown_spend"; }))
        << pool_->err();
    EXPECT_EQ(ask({"payout", "status"}).at("unknown_spends").at(0), txid);
    EXPECT_EQ(adit({"payout", "explain", txid, "--payees", "--account", alice_}).code, 2);
    EXPECT_EQ(adit({"payout", "explain", txid, "--account", alice_}).code, 2);
    EXPECT_EQ(adit({"payout", "explain", "ff"}).code, 1);
    const auto explained = adit({"payout", "explain", txid, "--note", "to the vault"});
    EXPECT_EQ(explained.code, 0) << explained.err;
    EXPECT_THAT(explained.out, HasSubstr("accounted for"));
    // The wallet may have too few coins for the next round now, but nothing is unknown.
    EXPECT_TRUE(eventually([&] {
        const auto status = ask({"payout", "status"});
        return status.at("hold") != "unknown_spend" && status.at("unknown_spends").empty();
    })) << pool_->err();
    EXPECT_EQ(adit({"payout", "explain", txid}).code, 1) << "only once";
    stop();
    expect_clean_audit();
}

TEST_F(Payouts, AnAccountMayRaiseItsThresholdAndNotLowerIt) {
    start();
    find_a_block(bob_);
    ASSERT_TRUE(eventually([&] { return balance(bob_, "pending_sat") > 0; })) << pool_->err();
    const auto raised =
        adit({"account", "set", bob_, "--threshold", "1000BTC", "--donation", "0.5%"});
    EXPECT_EQ(raised.code, 0) << raised.err;
    EXPECT_THAT(raised.out, HasSubstr("1000.00000000"));
    const auto low = adit({"account", "set", bob_, "--threshold", "9999sat"});
    EXPECT_EQ(low.code, 1);
    EXPECT_THAT(low.err, HasSubstr("below the pool's"));
    const auto stranger = adit({"account", "set", alice_, "--threshold", "1BTC"});
    EXPECT_EQ(stranger.code, 1);
    EXPECT_THAT(stranger.err, HasSubstr("has mined here"));
    EXPECT_EQ(adit({"account", "set", bob_, "--threshold", "20000"}).code, 2);
    EXPECT_EQ(adit({"account", "set", bob_}).code, 2);
    node_->generate(kMaturity, other_script());
    ASSERT_TRUE(eventually([&] { return balance(bob_, "posted_sat") > 0; })) << pool_->err();
    EXPECT_TRUE(ask({"payout", "run", "--dry-run"}).at("payees").empty());
    const auto shown = ask({"account", "show", bob_});
    EXPECT_EQ(shown.at("threshold_sat"), 100'000'000'000);
    EXPECT_EQ(shown.at("donation_ppm"), 5'000);
    EXPECT_EQ(adit({"account", "set", bob_, "--threshold", "pool"}).code, 0);
    EXPECT_TRUE(eventually([&] { return wallet_sat("bob") > 0; })) << pool_->err();
    confirm_all();
    EXPECT_EQ(wallet_sat("bob"), sent_sat(bob_));
    stop();
    expect_clean_audit();
}

TEST_F(Payouts, ASighupTakesOverWhatIsLive) {
    configure("approve_above_sat = 1\n");
    start();
    earn();
    ASSERT_TRUE(eventually([&] { return payouts_in("waiting_approval") > 0; })) << pool_->err();
    configure("");
    pool_->signal(SIGHUP);
    EXPECT_TRUE(pool_->writes("payout.approve_above_sat"));
    // What waits was decided on before; what is decided on from now on need not wait.
    for (const auto& row : payouts()) {
        const auto id = std::to_string(row.at("id").get<std::uint64_t>());
        EXPECT_EQ(adit({"payout", "cancel", id}).code, 0);
    }
    EXPECT_TRUE(eventually([&] { return wallet_sat("alice") > 0 && wallet_sat("bob") > 0; }))
        << pool_->err();
    stop();
    expect_clean_audit();
}

TEST_F(Payouts, ModeNoneAndAnAddressOfAnotherKindPayNothingAndSaySo) {
    setup_.payout = "mode = \"none\"";
    file_ = setup_.write_to(dir_.path() / "adit.toml");
    start();
    const auto refused = adit({"payout", "run"});
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, HasSubstr("pays nothing out"));
    EXPECT_EQ(adit({"payout", "list"}).code, 0);
    stop();

    setup_.address = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn";
    configure("");
    const auto check = run_adit({"check", "--config", file_});
    EXPECT_EQ(check.code, 1);
    EXPECT_THAT(check.out, HasSubstr("no native segwit address"));
    start();
    EXPECT_TRUE(pool_->writes("no native segwit address"));
    find_a_block(alice_);
    EXPECT_TRUE(eventually([&] { return balance(alice_, "pending_sat") > 0; })) << pool_->err();
    EXPECT_THAT(adit({"payout", "run"}).err, HasSubstr("no native segwit address"));
    stop();
}

}  // namespace
}  // namespace adit::tests
