#include "stratum/scripted_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace adit::stratum {
namespace {

using share::Refusal;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string suggest(double difficulty) {
    return fmt::format(R"({{"id":4,"method":"mining.suggest_difficulty","params":[{}]}})",
                       difficulty);
}

constexpr std::string_view kSuggested = "{\"id\":4,\"result\":true,\"error\":null}\n";

TEST(SessionWork, AJobWithoutAChangeGoesOutAsItIsBroadcast) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    EXPECT_FALSE(miner.session.wants_plain_broadcast(*host.book.latest()));
    EXPECT_THAT(miner.job(host.book.latest()), IsEmpty());
    miner.open();
    const auto job = host.refresh();
    EXPECT_TRUE(miner.session.wants_plain_broadcast(*job));
    EXPECT_THAT(miner.job(job), ElementsAre(job->broadcast_line));
    EXPECT_FALSE(miner.session.wants_plain_broadcast(*job));  // never twice
    EXPECT_THAT(miner.job(job), IsEmpty());
}

TEST(SessionWork, AJobAfterASkippedNewBlockIsClean) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    miner.open();
    host.new_block();
    const auto job = host.refresh();
    EXPECT_FALSE(job->clean);
    EXPECT_FALSE(miner.session.wants_plain_broadcast(*job));
    EXPECT_THAT(miner.job(job), ElementsAre(job::notify_line(*job, 0, true)));
}

TEST(SessionWork, AChangeWaitsForTheNextJobAndGoesDirectlyBeforeIt) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    miner.open();
    // The first hint takes effect at once, with a variant of the present job.
    EXPECT_THAT(miner.send(suggest(kEasy * 2)),
                ElementsAre(kSuggested, difficulty_line(kEasy * 2),
                            job::notify_line(*host.book.latest(), 1, false)));
    // Repeating it does nothing; others wait, and only the last one is sent.
    EXPECT_THAT(miner.send(suggest(kEasy * 2)), ElementsAre(kSuggested));
    EXPECT_THAT(miner.send(suggest(kEasy * 4)), ElementsAre(kSuggested));
    EXPECT_THAT(miner.send(suggest(kEasy * 8)), ElementsAre(kSuggested));
    EXPECT_EQ(miner.session.difficulty().value(), kEasy * 2);
    const auto job = host.refresh();
    EXPECT_FALSE(miner.session.wants_plain_broadcast(*job));
    EXPECT_THAT(miner.job(job), ElementsAre(difficulty_line(kEasy * 8), job->broadcast_line));
    EXPECT_TRUE(miner.session.wants_plain_broadcast(*host.refresh()));
}

TEST(SessionWork, SuggestTargetIsAHintToo) {
    ScriptedHost host(0x1703255b);
    host.config.difficulty_min = 1;
    host.config.difficulty_start = 1024;
    ScriptedMiner miner(host);
    miner.open();
    const auto lines =
        miner.send(R"({"id":4,"method":"mining.suggest_target","params":[)"
                   R"("00000000007fff80000000000000000000000000000000000000000000000000"]})");
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[1], difficulty_line(512));
}

TEST(SessionWork, SharesAreJudgedByTheDifficultyTheirJobWasSentWith) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    miner.open();  // one in 16
    const auto job = host.book.latest();
    const auto easy = miner.share_of(*job);
    const auto strict = miner.grind(*job, 6, 8);
    miner.send(suggest(kEasy * 4));  // variant 1: one in 64
    // The old job keeps its difficulty, the new one asks more.
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*job, easy)), kTrueReply);
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*job, miner.grind(*job, 4, 6, 1))),
              refusal_reply(Refusal::low_difficulty));
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*job, miner.grind(*job, 6, 8, 1))), kTrueReply);
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*job, strict)), kTrueReply);
    EXPECT_EQ(miner.uncredited, 0);
}

TEST(SessionWork, AfterADecreaseEasyShareOfAnOlderJobIsTrueButWorthNothing) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    miner.open(fmt::format("d={}", kEasy * 4));  // one in 64
    const auto old_job = host.book.latest();
    const auto middling = miner.grind(*old_job, 4, 6);
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*old_job, middling)),
              refusal_reply(Refusal::low_difficulty));
    miner.send(fmt::format(R"({{"id":2,"method":"mining.authorize","params":["{}.rig","d={}"]}})",
                           kAddress, kEasy));
    const auto job = host.refresh();
    EXPECT_THAT(miner.job(job), ElementsAre(difficulty_line(kEasy), job->broadcast_line));
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*old_job, middling)), kTrueReply);
    EXPECT_EQ(miner.uncredited, 1);
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*old_job, miner.grind(*old_job, -1, 4))),
              refusal_reply(Refusal::low_difficulty));
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*job, miner.share_of(*job))), kTrueReply);
    EXPECT_EQ(miner.uncredited, 1);
}

TEST(SessionWork, AShareSentAgainAfterAResumeKeepsItsJudgement) {
    ScriptedHost host;
    const auto job = host.book.latest();
    std::string accepted, lost;
    {
        ScriptedMiner miner(host);
        miner.open(fmt::format("d={}", kEasy));
        accepted = ScriptedMiner::line_of(*job, miner.share_of(*job));
        lost = ScriptedMiner::line_of(*job, miner.share_of(*job));
        while (accepted == lost)
            lost = ScriptedMiner::line_of(*job, miner.share_of(*job));
        EXPECT_EQ(miner.ask(accepted), kTrueReply);
    }
    ScriptedMiner again(host);
    again.ask(fmt::format(R"({{"id":1,"method":"mining.subscribe","params":["x","{}"]}})",
                          host.parked->token.text()));
    again.ask(
        fmt::format(R"({{"id":2,"method":"mining.authorize","params":["{}.rig"]}})", kAddress));
    EXPECT_EQ(again.ask(accepted), refusal_reply(Refusal::duplicate));
    EXPECT_EQ(again.ask(lost), kTrueReply);
}

TEST(SessionWork, AResumedSessionGetsVariantsOfJobsThatWereSentBefore) {
    ScriptedHost host;
    {
        ScriptedMiner miner(host);
        miner.open();
        miner.job(host.refresh());
        miner.session.park();
    }
    ASSERT_EQ(host.parked->last_job, host.book.latest()->id);
    host.parked->last_job += 1;  // as if another shard had heard of the next job already
    ScriptedMiner again(host);
    again.ask(fmt::format(R"({{"id":1,"method":"mining.subscribe","params":["x","{}"]}})",
                          host.parked->token.text()));
    again.ask(
        fmt::format(R"({{"id":2,"method":"mining.authorize","params":["{}.rig"]}})", kAddress));
    const auto known = host.refresh();
    EXPECT_FALSE(again.session.wants_plain_broadcast(*known));
    EXPECT_THAT(again.job(known), ElementsAre(job::notify_line(*known, 2, false)));
    const auto fresh = host.refresh();
    EXPECT_TRUE(again.session.wants_plain_broadcast(*fresh));
}

TEST(SessionWork, ALowerNetworkDifficultyComesWithItsJob) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    miner.open(fmt::format("d={}", kEasy * 8));
    host.set_bits(0x207fffff);
    const auto job = host.new_block();
    EXPECT_FALSE(miner.session.wants_plain_broadcast(*job));
    EXPECT_THAT(miner.job(job),
                ElementsAre(difficulty_line(job->network_difficulty.value()), job->broadcast_line));
    host.set_bits(kEasyBits);  // and the fixed difficulty returns
    const auto harder = host.new_block();
    host.clock.advance_ms(1000);
    EXPECT_THAT(miner.tick(), IsEmpty());
    EXPECT_THAT(miner.job(harder), ElementsAre(difficulty_line(kEasy * 8), harder->broadcast_line));
}

TEST(SessionWork, SendsTheJobAgainAfterThirtySilentSecondsAsANewVariant) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    miner.open();
    host.clock.advance_ms(29'999);
    EXPECT_THAT(miner.tick(), IsEmpty());
    host.clock.advance_ms(1);
    EXPECT_THAT(miner.tick(), ElementsAre(job::notify_line(*host.book.latest(), 1, false)));
    EXPECT_THAT(miner.tick(), IsEmpty());
}

TEST(SessionWork, WithoutUnusedVariantsAPingKeepsTheConnectionAlive) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    miner.open();
    while (miner.session.memory()->take_variant(host.book.latest()->tip)) {
    }
    host.clock.advance_ms(30'000);
    EXPECT_THAT(miner.tick(), ElementsAre(HasSubstr("mining.ping")));
    EXPECT_THAT(miner.tick(), IsEmpty());
    // A change waits for the next broadcast.
    EXPECT_THAT(miner.send(suggest(kEasy * 2)), ElementsAre(kSuggested));
    const auto job = host.refresh();
    EXPECT_THAT(miner.job(job), ElementsAre(difficulty_line(kEasy * 2), job->broadcast_line));
}

TEST(SessionWork, ReloadedBoundsComeWithTheNextJob) {
    ScriptedHost host(0x1703255b);
    host.config.difficulty_min = 1;
    host.config.difficulty_start = 1024;
    ScriptedMiner miner(host);
    miner.open();
    host.config.difficulty_min = 5000;
    host.clock.advance_ms(1000);
    EXPECT_THAT(miner.tick(), IsEmpty());
    auto job = host.refresh();
    EXPECT_THAT(miner.job(job), ElementsAre(difficulty_line(5000), job->broadcast_line));
    host.config.difficulty_min = 1;
    host.config.difficulty_max = 300;
    miner.tick();
    job = host.refresh();
    EXPECT_THAT(miner.job(job), ElementsAre(difficulty_line(300), job->broadcast_line));
}

// A seeded miner against the session with virtual time: shares found at a constant hash rate under
// the difficulty that each job was sent with, jobs every 30 s. The verdicts are the script's own
// (at these difficulties nobody can hash), everything else is the real session.
class Mining {
 public:
    Mining(double hashes_per_s, double start) : rate_(hashes_per_s) {
        host.config.difficulty_min = 1;
        host.config.difficulty_start = start;
        apply(miner.open());
    }

    // Runs for some time in steps of 100 ms.
    void run(int seconds) {
        for (int step = 0; step < seconds * 10; ++step) {
            host.clock.advance_ms(100);
            if (++steps_ % 300 == 0) apply(miner.job(host.refresh()));
            if (steps_ % 10 == 0) apply(miner.tick());
            const double expected = rate_ * 0.1 / (4294967296.0 * difficulty_);
            const int found = std::poisson_distribution<int>(expected)(random_);
            for (int i = 0; i < found; ++i)
                share();
        }
    }

    ScriptedHost host{0x1703255b};
    ScriptedMiner miner{host};
    double rate_;
    double difficulty_ = 0;
    int changes = 0;
    std::vector<double> credited;

 private:
    void share() {
        std::string out;
        miner.session.on_line(
            fmt::format(R"({{"id":9,"method":"mining.submit","params":["{}.rig","{}","{:016x}",)"
                        R"("{}","00000000"]}})",
                        kAddress, job_, credited.size(), base::hex32(host.book.latest()->ntime)),
            host.now(), out);
        ASSERT_EQ(host.pending.size(), 1u) << out;
        const auto pending = std::exchange(host.pending, {}).front();
        ASSERT_EQ(pending.share.policy, std::nullopt);
        // The miner works by what it was told, and so it is judged.
        ASSERT_EQ(pending.share.difficulty.value(), difficulty_);
        credited.push_back(pending.share.difficulty.value());
        miner.session.on_verdict(pending, {}, host.now(), out);
        miner.session.on_committed(pending.ticket, share::CommitResult::committed, host.now(), out);
        EXPECT_TRUE(out.contains(kTrueReply));
        apply(ScriptedMiner::split(out));
    }
    // Firmware: difficulty takes effect with the notify that follows.
    void apply(const std::vector<std::string>& lines) {
        int told = 0;
        for (const auto& line : lines) {
            if (line.contains("mining.set_difficulty")) {
                const auto at = line.rfind('[') + 1;
                const auto text = std::string_view(line).substr(at, line.find(']', at) - at);
                next_ = JsonValue{JsonValue::Type::number, text}.number().value();
                ++changes;
                ++told;
            } else if (line.contains("mining.notify")) {
                EXPECT_LE(told, 1);
                told = 0;
                difficulty_ = next_;
                const auto at = line.find("[\"") + 2;
                job_ = line.substr(at, line.find('"', at) - at);
            }
        }
        EXPECT_EQ(told, 0) << "a set_difficulty without its notify";
    }

    std::mt19937_64 random_{42};
    std::string job_;
    double next_ = 0;
    int steps_ = 0;
};

double ideal(double hashes_per_s) {
    return hashes_per_s * 10 / 4294967296.0;
}

TEST(SessionVardiff, ConvergesFromFarBelowWithinAMinuteAndStaysCalm) {
    constexpr double kRate = 100e12;  // an ASIC; wants about 232,830
    Mining mining(kRate, 64);
    mining.run(60);
    EXPECT_GT(mining.difficulty_, ideal(kRate) / 4);
    mining.run(240);
    EXPECT_GT(mining.difficulty_, ideal(kRate) / 2.5);
    EXPECT_LT(mining.difficulty_, ideal(kRate) * 2.5);
    const int changes = mining.changes;
    mining.credited.clear();
    mining.run(7'200);
    EXPECT_LE(mining.changes - changes, 6);
    // What is credited is what was hashed: no retarget cost or inflated anything.
    double work = 0;
    for (const double difficulty : mining.credited)
        work += difficulty;
    EXPECT_NEAR(work * 4294967296.0 / (kRate * 7'200), 1, 0.12);
    EXPECT_NEAR(mining.miner.session.hashrate(mining.host.now()) / kRate, 1, 0.7);
}

TEST(SessionVardiff, ConvergesFromFarAboveThoughTheMinerIsSilent) {
    constexpr double kRate = 1e9;  // wants about 2
    Mining mining(kRate, 65'536);
    mining.run(1'200);
    EXPECT_LE(mining.difficulty_, 8);
    EXPECT_GT(mining.credited.size(), 10u);
}

TEST(SessionVardiff, FollowsAMinerThatGrowsAndShrinks) {
    Mining mining(1e12, 2048);
    mining.run(600);
    EXPECT_NEAR(std::log2(mining.difficulty_ / ideal(1e12)), 0, 1.3);
    mining.rate_ = 50e12;
    mining.run(600);
    EXPECT_NEAR(std::log2(mining.difficulty_ / ideal(50e12)), 0, 1.3);
    mining.rate_ = 2e12;
    mining.run(1'200);
    EXPECT_NEAR(std::log2(mining.difficulty_ / ideal(2e12)), 0, 1.3);
}

TEST(SessionVardiff, AReloadedShareIntervalMovesThePaceOfAMinerAtWork) {
    constexpr double kRate = 50e12;
    Mining mining(kRate, 65'536);
    mining.run(600);
    EXPECT_NEAR(std::log2(mining.difficulty_ / ideal(kRate)), 0, 1.3);
    mining.host.config.share_interval_s = 80;  // eight times as long as before
    mining.run(3'600);
    EXPECT_NEAR(std::log2(mining.difficulty_ / ideal(kRate)), 3, 1.3);
    mining.host.config.share_interval_s = 2.5;
    mining.run(600);
    EXPECT_NEAR(std::log2(mining.difficulty_ / ideal(kRate)), -2, 1.3);
}

TEST(SessionVardiff, AFixedDifficultyStays) {
    Mining mining(100e12, 1024);
    mining.miner.send(fmt::format(
        R"({{"id":2,"method":"mining.authorize","params":["{}.rig","d=500000"]}})", kAddress));
    mining.run(31);
    EXPECT_EQ(mining.difficulty_, 500'000);
    mining.run(1'200);
    EXPECT_EQ(mining.difficulty_, 500'000);
}

}  // namespace
}  // namespace adit::stratum
