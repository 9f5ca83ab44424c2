// Connections whose coinbase pays their own address.
#include "job/finder_job.h"
#include "job/payout_snapshot.h"
#include "stratum/scripted_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::stratum {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kOther =
    "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3";

job::JobRef job_of(const job::JobRef& shared, std::string_view address) {
    return job::job_for_finder(*shared, job::script_of_account(address));
}

struct SessionFinder : ::testing::Test {
    SessionFinder() {
        host.pay_finders(20'000);
        host.new_block();
    }
    ScriptedHost host;
};

TEST_F(SessionFinder, EachConnectionIsSentItsOwnCoinbase) {
    ScriptedMiner miner(host), other(host);
    EXPECT_THAT(miner.open(), testing::Contains(job::notify_line(
                                  *job_of(host.book.latest(), kAddress), 0, true)));
    other.send(R"({"id":1,"method":"mining.subscribe","params":["test/1"]})");
    const auto opened = other.ask(
        fmt::format(R"({{"id":2,"method":"mining.authorize","params":["{}.rig","x"]}})", kOther));
    EXPECT_THAT(opened, HasSubstr(job::notify_line(*job_of(host.book.latest(), kOther), 0, true)));
    const auto next = host.refresh();
    EXPECT_FALSE(miner.session.wants_plain_broadcast(*next));
    EXPECT_THAT(miner.job(next), ElementsAre(job_of(next, kAddress)->broadcast_line));
    EXPECT_THAT(other.job(next), ElementsAre(job_of(next, kOther)->broadcast_line));
    EXPECT_THAT(miner.job(next), testing::IsEmpty());
}

TEST_F(SessionFinder, SharesAreJudgedByTheConnectionsCoinbaseHoweverOldTheJob) {
    ScriptedMiner miner(host);
    miner.open();
    const auto first = host.book.latest();
    for (int i = 0; i < 8; ++i)
        miner.job(host.refresh());
    const auto own = job_of(first, kAddress);
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*own, miner.share_of(*own))), kTrueReply);
    // A share of what everybody shares is none.
    auto choice = miner.share_of(*first);
    while (base::U256::from_le(job::header_of(*own, choice).hash().bytes).bits() <= 252)
        choice = miner.share_of(*first);
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*first, choice)),
              refusal_reply(share::Refusal::low_difficulty));
}

TEST_F(SessionFinder, NamesOfAnotherAddressAreRefusedAndTheFirstStays) {
    ScriptedMiner miner(host);
    miner.open();
    const auto authorize = [&](std::string_view address, int id) {
        return miner.ask(fmt::format(
            R"({{"id":{},"method":"mining.authorize","params":["{}.x","x"]}})", id, address));
    };
    EXPECT_THAT(authorize(kOther, 5), HasSubstr("[20,\"This connection mines for the address"));
    EXPECT_THAT(authorize(kAddress, 6), HasSubstr("\"result\":true"));
    EXPECT_EQ(miner.session.payee(), kAddress);
    EXPECT_EQ(miner.session.workers().size(), 2U);
}

}  // namespace
}  // namespace adit::stratum
