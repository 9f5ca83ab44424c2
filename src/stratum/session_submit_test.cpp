#include "stratum/scripted_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::stratum {
namespace {

using share::Refusal;
using testing::ElementsAre;

class SessionSubmit : public testing::Test {
 protected:
    SessionSubmit() { miner.open(); }
    const job::Job& job() const { return *host.book.latest(); }
    std::string submit(const job::HeaderChoice& choice, std::string_view name = {},
                       std::string_view bits = {}) {
        return miner.ask(ScriptedMiner::line_of(job(), choice, name, bits));
    }

    ScriptedHost host;
    ScriptedMiner miner{host};
};

TEST_F(SessionSubmit, AcceptsAShareOnlyAfterItsCommit) {
    const auto choice = miner.share_of(job());
    std::string out;
    miner.session.on_line(ScriptedMiner::line_of(job(), choice), host.now(), out);
    ASSERT_EQ(host.pending.size(), 1u);
    const auto pending = std::exchange(host.pending, {}).front();
    share::Verdict verdict;
    host.processor.process({&pending.share, 1}, {&verdict, 1});
    EXPECT_EQ(miner.session.on_verdict(pending, verdict, host.now(), out), Action::none);
    EXPECT_EQ(out, "");
    EXPECT_EQ(miner.session.in_flight(), 1u);
    miner.session.on_committed(pending.ticket, share::CommitResult::committed, host.now(), out);
    EXPECT_EQ(out, kTrueReply);
    EXPECT_EQ(miner.session.in_flight(), 0u);
    EXPECT_EQ(host.accepted, 1);
    EXPECT_EQ(miner.session.workers()[0].accepted, 1u);
    EXPECT_EQ(pending.ticket.worker, 0u);
    EXPECT_EQ(miner.session.name_of(pending.ticket), (WorkerName{std::string(kAddress), "rig"}));
    EXPECT_EQ(miner.session.name_of(pending.ticket).account, kAddress);
    EXPECT_EQ(miner.session.name_of(pending.ticket).worker, "rig");
}

TEST_F(SessionSubmit, AFailedCommitIsRefusedAndStaysADuplicate) {
    const auto choice = miner.share_of(job());
    miner.commit = share::CommitResult::failed;
    EXPECT_EQ(submit(choice), refusal_reply(Refusal::storage_unavailable));
    miner.commit = share::CommitResult::committed;
    EXPECT_EQ(submit(choice), refusal_reply(Refusal::duplicate));
}

TEST_F(SessionSubmit, TakesUpperCaseAndKnowsTheDuplicateInOtherCase) {
    job::HeaderChoice choice;
    do {
        choice = miner.share_of(job());
    } while (base::hex32(choice.nonce).find_first_of("abcdef") == std::string::npos);
    auto line = ScriptedMiner::line_of(job(), choice);
    const auto nonce = base::hex32(choice.nonce);
    auto upper = nonce;
    for (char& c : upper)
        c = static_cast<char>(std::toupper(c));
    auto upper_line = line;
    upper_line.replace(line.find(nonce + "\"]"), 8, upper);
    EXPECT_EQ(miner.ask(upper_line), kTrueReply);
    EXPECT_EQ(miner.ask(line), refusal_reply(Refusal::duplicate));
}

TEST_F(SessionSubmit, EchoesAnyId) {
    const auto good = ScriptedMiner::line_of(job(), miner.share_of(job()));
    for (const std::string id :
         {"0", "-7", "18446744073709551616", "123456789012345678901234567890123456789",
          "\"a text of more than fifteen bytes\"", R"("\u0041\"")", "null"}) {
        auto line = good;
        line.replace(line.find("\"id\":9") + 5, 1, id);
        const auto reply = miner.ask(line);
        EXPECT_TRUE(reply.starts_with("{\"id\":" + id + ",\"result\":")) << reply;
    }
    auto line = good;  // without an id: still one reply
    line.replace(line.find(",\"id\":9"), 7, "");
    EXPECT_TRUE(miner.ask(line).starts_with("{\"id\":null,\"result\":null,\"error\":[22,"));
}

TEST_F(SessionSubmit, TheGeneralParserTakesWhatTheScannerDoesNot) {
    auto line = ScriptedMiner::line_of(job(), miner.share_of(job()));
    line.replace(line.find("mining.submit"), 13, R"(mining\u002esubmit)");
    line.insert(1, R"("jsonrpc":"2.0",)");
    EXPECT_FALSE(scan_submit(line));
    EXPECT_EQ(miner.ask(line), kTrueReply);
    line = ScriptedMiner::line_of(job(), miner.share_of(job()));
    line.insert(line.find("],"), ",null");  // version bits not given
    EXPECT_EQ(miner.ask(line), kTrueReply);
}

TEST_F(SessionSubmit, AnotherSpellingOfTheNameIsTheSameWorker) {
    EXPECT_EQ(submit(miner.share_of(job()), fmt::format("{}%2erig", kAddress)), kTrueReply);
    std::string upper(kAddress);
    for (char& c : upper)
        c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(submit(miner.share_of(job()), upper + ".rig"), kTrueReply);
    EXPECT_EQ(miner.session.workers()[0].accepted, 2u);
}

// Every reason that the session itself finds, with a header that can be rebuilt: refused, and
// handed over all the same, so that a block of it is never lost.
struct PolicyRow {
    Refusal reason;
    std::function<void(ScriptedHost&, ScriptedMiner&)> before;
    std::string name;
    std::string bits;
    std::uint32_t ntime_plus = 0;
};

TEST(SessionPolicy, RefusesButHandsOverBlocks) {
    const PolicyRow rows[] = {
        {Refusal::unauthorized, {}, std::string(kAddress) + ".other", ""},
        {Refusal::unauthorized, {}, "nobody", ""},
        {Refusal::stale, [](auto& host, auto& miner) { miner.job(host.new_block()); }, "", ""},
        {Refusal::job_not_found,
         [](auto& host, auto&) {
             host.refresh();
             host.clock.advance_ms(job::JobBook::kLifetimeMs + 1);
         },
         "", ""},
        {Refusal::bad_version_bits, {}, "", "00002000"},
        {Refusal::time_too_new, {}, "", "", 7'001},
        {Refusal::time_too_old, {}, "", "", static_cast<std::uint32_t>(-10'000)},
        {Refusal::too_many_shares, [](auto& host, auto&) { host.config.shares_in_flight = 0; }, "",
         ""},
    };
    for (const auto& row : rows) {
        ScriptedHost host;
        ScriptedMiner miner(host);
        miner.open();
        const auto job = host.book.latest();
        if (row.before) row.before(host, miner);
        const auto bits = row.bits.empty() ? 0u : *base::parse_hex32(row.bits);
        auto choice = miner.grind(*job, 8, 256, 0, bits);
        if (row.ntime_plus != 0) {
            choice.ntime += row.ntime_plus;
            for (;; ++choice.nonce) {
                if (job->network_target.met_by(job::header_of(*job, choice).hash())) break;
            }
        }
        EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*job, choice, row.name, row.bits)),
                  refusal_reply(row.reason));
        EXPECT_EQ(miner.blocks, 1) << share::label(row.reason);
        EXPECT_THAT(host.refused, ElementsAre(row.reason));
    }
}

TEST_F(SessionSubmit, ABlockOfAnUnauthorizedNameSaysWhoseItIs) {
    std::string out;
    miner.session.on_line(ScriptedMiner::line_of(job(), miner.block_of(job()), "no.body"),
                          host.now(), out);
    ASSERT_EQ(host.pending.size(), 1u);
    EXPECT_EQ(miner.session.name_of(host.pending[0].ticket).account, "no.body");
    host.pending.clear();
}

TEST_F(SessionSubmit, AVariantThatWasNotSentIsNoJob) {
    EXPECT_EQ(submit(miner.share_of(job(), 3)), refusal_reply(Refusal::job_not_found));
    EXPECT_EQ(submit(miner.block_of(job(), 3)), refusal_reply(Refusal::job_not_found));
    EXPECT_EQ(miner.blocks, 1);
}

TEST_F(SessionSubmit, LowDifficultyAndDuplicateComeFromTheProcessor) {
    EXPECT_EQ(submit(miner.grind(job(), -1, 3)), refusal_reply(Refusal::low_difficulty));
    const auto choice = miner.share_of(job());
    EXPECT_EQ(submit(choice), kTrueReply);
    EXPECT_EQ(submit(choice), refusal_reply(Refusal::duplicate));
}

TEST_F(SessionSubmit, WhatCannotBeRebuiltIsAnsweredAtOnce) {
    const auto good = ScriptedMiner::line_of(job(), miner.share_of(job()));
    const auto with = [&](std::string_view from, std::string_view to) {
        auto line = good;
        line.replace(line.find(from), from.size(), to);
        return line;
    };
    const auto id = job::job_id_text(job().id, 0);
    const auto malformed = refusal_reply(Refusal::malformed);
    const auto not_found = refusal_reply(Refusal::job_not_found);
    EXPECT_EQ(miner.ask(with("\"" + id + "\"", "\"ffff.0\"")), not_found);
    EXPECT_EQ(miner.ask(with("\"" + id + "\"", "\"zz\"")), not_found);
    EXPECT_EQ(miner.ask(with("\"" + id + "\"", "\"\"")), not_found);
    EXPECT_EQ(miner.ask(with("0000000000000000", "00000000000000")), malformed);
    EXPECT_EQ(miner.ask(with("0000000000000000", "000000000000000000")), malformed);
    EXPECT_EQ(miner.ask(with("0000000000000000", "000000000000000g")), malformed);
    const auto ntime = base::hex32(job().ntime);
    EXPECT_EQ(miner.ask(with(ntime, ntime.substr(1))), malformed);
    EXPECT_EQ(miner.ask(with(ntime, "0x" + ntime.substr(2))), malformed);
    EXPECT_EQ(miner.ask(with(ntime, "0" + ntime)), malformed);
    EXPECT_EQ(miner.ask(with("],", ",\"1\"],")), malformed);               // version bits too short
    EXPECT_EQ(miner.ask(with("],", ",\"00000000\",\"x\"],")), malformed);  // too many
    EXPECT_TRUE(host.pending.empty());
    EXPECT_EQ(miner.ask(good), kTrueReply);
}

TEST(SessionPolicy, BeforeSubscribeThereIsNothingToSubmit) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    const auto job = host.book.latest();
    EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*job, {})), refusal_reply(Refusal::not_subscribed));
}

class VersionRolling : public SessionSubmit {
 protected:
    VersionRolling() {
        miner.ask(R"({"id":1,"method":"mining.configure","params":[["version-rolling"],)"
                  R"({"version-rolling.mask":"1fffe000"}]})");
    }
};

// Some firmware submits rolled ^ version, other rolled & ~version: with the mask's bits clear in
// the job both are the same.
TEST_F(VersionRolling, BothWaysToWriteTheBitsAgree) {
    const auto choice = miner.grind(job(), 4, 8, 0, 0x00abc000 & job::kVersionRollingMask);
    const auto rolled = choice.version;
    ASSERT_EQ(job().version & job::kVersionRollingMask, 0u);
    EXPECT_EQ(rolled ^ job().version, rolled & ~job().version);
    EXPECT_EQ(submit(choice, {}, base::hex32(rolled ^ job().version)), kTrueReply);
    EXPECT_EQ(submit(choice, {}, base::hex32(rolled & ~job().version)),
              refusal_reply(Refusal::duplicate));
}

TEST_F(VersionRolling, SharesThatDifferOnlyInTheirVersionAreNoDuplicates) {
    job::HeaderChoice one, other;
    do {
        one = miner.grind(job(), 4, 8, 0, 0x2000);
        other = one;
        other.version = job().version | 0x4000;
    } while (256 - base::U256::from_le(job::header_of(job(), other).hash().bytes).bits() < 5);
    EXPECT_EQ(submit(one, {}, "00002000"), kTrueReply);
    EXPECT_EQ(submit(other, {}, "00004000"), kTrueReply);
}

TEST_F(VersionRolling, BitsOutsideTheMaskAreRefusedAndNoneIsFine) {
    EXPECT_EQ(submit(miner.share_of(job()), {}, "20000000"),
              refusal_reply(Refusal::bad_version_bits));
    EXPECT_EQ(submit(miner.share_of(job()), {}, "00000001"),
              refusal_reply(Refusal::bad_version_bits));
    EXPECT_EQ(submit(miner.share_of(job())), kTrueReply);
    EXPECT_EQ(submit(miner.share_of(job()), {}, "00000000"), kTrueReply);
}

TEST_F(VersionRolling, AChangedMaskIsToldAndCostsNoShare) {
    host.config.version_mask = 0x00ffe000;
    EXPECT_THAT(
        miner.tick(),
        ElementsAre(
            "{\"id\":null,\"method\":\"mining.set_version_mask\",\"params\":[\"00ffe000\"]}\n"));
    EXPECT_TRUE(miner.tick().empty());
    const auto choice = miner.grind(job(), 4, 8, 0, 0x10000000);
    EXPECT_EQ(submit(choice, {}, "10000000"), kTrueReply);
}

TEST_F(SessionSubmit, SustainedGarbageBans) {
    const auto low = ScriptedMiner::line_of(job(), miner.grind(job(), -1, 3));
    for (std::uint32_t i = 1; i < host.config.garbage_limit; ++i) {
        miner.ask(low);
        ASSERT_EQ(miner.action, Action::none);
    }
    EXPECT_EQ(miner.ask(low), refusal_reply(Refusal::low_difficulty));
    EXPECT_EQ(miner.action, Action::ban);
    // What is still in the same packet is looked at for blocks only.
    EXPECT_EQ(miner.ask(R"({"id":1,"method":"mining.ping","params":[]})"), "");
    EXPECT_EQ(submit(miner.block_of(job())), refusal_reply(Refusal::banned));
    EXPECT_EQ(miner.blocks, 1);
}

TEST_F(SessionSubmit, ALateLineIsLookedAtForABlockOnly) {
    const auto block = miner.block_of(job());
    const auto line = ScriptedMiner::line_of(job(), block);
    const auto counted = host.refused.size();
    miner.session.on_late_line(line, host.now());
    // The general parser reads what the scanner does not.
    auto spaced = line;
    spaced.insert(1, "  ");
    spaced.insert(spaced.find("mining") + 6, "\\u002e");
    spaced.erase(spaced.find("\\u002e") + 6, 1);
    miner.session.on_late_line(spaced, host.now());
    ASSERT_EQ(host.pending.size(), 2U);
    for (const auto& pending : host.pending) {
        EXPECT_TRUE(pending.late);
        EXPECT_EQ(pending.share.duplicates, nullptr) << "the memory may be another shard's";
        share::Verdict verdict;
        host.processor.process({&pending.share, 1}, {&verdict, 1});
        EXPECT_TRUE(verdict.block);
        EXPECT_TRUE(verdict.refusal);
        EXPECT_EQ(miner.session.name_of(pending.ticket).account, kAddress);
    }
    host.pending.clear();
    for (const char* other :
         {R"({"id":1,"method":"mining.ping","params":[]})", "", "{", "[]",
          R"({"id":1,"method":"mining.submit","params":[]})",
          R"({"id":1,"method":"mining.submit","params":["a","b","c","d","e"]})"}) {
        miner.session.on_late_line(other, host.now());
    }
    miner.session.on_late_line(std::string(20'000, ' ') + line, host.now());
    EXPECT_TRUE(host.pending.empty());
    EXPECT_EQ(host.refused.size(), counted);
    // A stale job's block still counts as one; without a subscription no header can be rebuilt.
    host.new_block();
    miner.session.on_late_line(line, host.now());
    EXPECT_EQ(std::exchange(host.pending, {}).size(), 1U);
    Session fresh(host, host.now());
    fresh.on_late_line(line, host.now());
    EXPECT_TRUE(host.pending.empty());
}

TEST_F(SessionSubmit, DuplicatesStaleSharesAndUnknownJobsNeverBan) {
    const auto old_job = host.book.latest();
    const auto share = miner.share_of(*old_job);
    miner.ask(ScriptedMiner::line_of(*old_job, share));
    for (std::uint32_t i = 0; i < 2 * host.config.garbage_limit; ++i) {
        EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*old_job, share)),
                  refusal_reply(Refusal::duplicate));
    }
    miner.job(host.new_block());
    for (std::uint32_t i = 0; i < 2 * host.config.garbage_limit; ++i) {
        EXPECT_EQ(miner.ask(ScriptedMiner::line_of(*old_job, share)),
                  refusal_reply(Refusal::stale));
    }
    EXPECT_EQ(miner.action, Action::none);
}

TEST_F(SessionSubmit, AClockThatStepsCostsNobodyTheConnection) {
    EXPECT_EQ(submit(miner.share_of(job())), kTrueReply);
    constexpr std::int64_t kDayMs = 86'400'000;
    host.clock.step_wall_ms(kDayMs);
    EXPECT_EQ(submit(miner.share_of(job())), kTrueReply) << "the job's own time is never too old";
    miner.tick();
    EXPECT_EQ(miner.action, Action::none) << "time-outs and bans do not go by the wall clock";
    host.clock.step_wall_ms(-kDayMs - 3'600'000);
    EXPECT_EQ(submit(miner.share_of(job())), kTrueReply) << "an hour back is within two";
    host.clock.step_wall_ms(-kDayMs);
    for (std::uint32_t i = 0; i < 2 * host.config.garbage_limit; ++i) {
        ASSERT_EQ(submit(miner.share_of(job())), refusal_reply(Refusal::time_too_new));
        ASSERT_EQ(miner.action, Action::none) << "it is not the miner who is wrong";
    }
    const auto found = miner.blocks;
    EXPECT_EQ(submit(miner.block_of(job())), refusal_reply(Refusal::time_too_new));
    EXPECT_EQ(miner.blocks, found + 1) << "its block goes out";
    host.clock.step_wall_ms(kDayMs + 3'600'000);
    EXPECT_EQ(submit(miner.share_of(job())), kTrueReply);
}

TEST_F(SessionSubmit, SomeGarbageAmongGoodSharesOrOverALongTimeDoesNotBan) {
    const auto low = ScriptedMiner::line_of(job(), miner.grind(job(), -1, 3));
    for (std::uint32_t i = 0; i < 3 * host.config.garbage_limit; ++i) {
        host.clock.advance_ms(host.config.garbage_window_ms / host.config.garbage_limit + 10);
        miner.ask(low);
        ASSERT_EQ(miner.action, Action::none);
    }
    for (std::uint32_t i = 0; i < 2 * host.config.garbage_limit; ++i) {
        if (i % 5 == 0) submit(miner.share_of(job()));
        miner.ask(low);
        ASSERT_EQ(miner.action, Action::none);
    }
}

}  // namespace
}  // namespace adit::stratum
