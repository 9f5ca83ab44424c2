// For tests: a host with real jobs, a real processor and no sockets, and a miner that speaks lines
// with a session of it. Time moves by hand.
#pragma once

#include "base/clock.h"
#include "job/job_maker.h"
#include "job/sample_template.h"
#include "stratum/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace adit::stratum {

inline constexpr std::string_view kAddress = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq";
// One hash in 256 is a block of such a job, one in 16 meets kEasy.
inline constexpr std::uint32_t kEasyBits = 0x2000ffff;
inline const double kEasy = std::ldexp(1.0, -28);

class ScriptedHost final : public SessionHost {
 public:
    explicit ScriptedHost(std::uint32_t bits = kEasyBits) : bits_(bits) {
        config.difficulty_start = kEasy;
        config.difficulty_min = std::ldexp(1.0, -40);
        new_block();
    }

    const SessionSettings& settings() const override { return config; }
    const job::JobBook& jobs() const override { return book; }
    Subscription subscribe(Session&, std::optional<SessionToken> token) override {
        if (full) return {};
        if (token && parked && *token == parked->token) return {parked, true};
        auto memory = std::make_shared<SessionMemory>();
        memory->extranonce1 = ++last_extranonce1;
        memory->token.bytes[0] = static_cast<std::uint8_t>(last_extranonce1);
        parked = memory;
        return {memory, false};
    }
    bool banned(Session&, const WorkerName& name) override {
        if (ban) return true;
        authorized.push_back(name.account + "|" + name.worker);
        return false;
    }
    void submit(Session&, PendingSubmit&& submitted) override {
        pending.push_back(std::move(submitted));
    }
    void on_refused(Session&, share::Refusal reason) override { refused.push_back(reason); }
    void on_accepted(Session&) override { ++accepted; }
    void on_working(Session&) override { ++working; }

    Moment now() const { return {clock.steady_ms(), clock.wall_ms()}; }

    job::JobRef new_block() {
        ++tip_;
        return refresh();
    }
    job::JobRef refresh() {
        auto sample = job::sample_template({.seed = tip_, .bits = bits_});
        sample.current_time += ++refreshes_;
        book.add(maker_.make(std::make_shared<const job::BlockTemplate>(sample), clock.steady_ms())
                     .value(),
                 clock.steady_ms());
        return book.latest();
    }
    void set_bits(std::uint32_t bits) { bits_ = bits; }
    // From the next job on.
    void pay_finders(std::uint32_t fee_ppm) {
        maker_ = job::JobMaker({base::Bytes(22, 1), "/Adit/", fee_ppm}, maker_.next_id());
        config.one_address = true;
    }

    base::ManualClock clock{1'713'571'800'000};
    SessionSettings config;
    job::JobBook book;
    share::ShareProcessor processor;
    std::shared_ptr<SessionMemory> parked;  // the last extranonce1, to be resumed by its token
    bool ban = false;                       // every name
    bool full = false;

    std::uint32_t last_extranonce1 = 0xa0b0c0d0;
    std::vector<PendingSubmit> pending;
    std::vector<std::string> authorized;  // ACCOUNT|WORKER
    std::vector<share::Refusal> refused;
    int accepted = 0;
    int working = 0;

 private:
    job::JobMaker maker_{{.payout_script = base::Bytes(22, 1)}, 0x77};
    std::uint32_t bits_;
    std::uint32_t tip_ = 0;
    std::uint32_t refreshes_ = 0;
};

class ScriptedMiner {
 public:
    explicit ScriptedMiner(ScriptedHost& host) : host_(host), session(host, host.now()) {}

    // Sends one line; the shares of the turn are judged and committed. The lines that came back.
    std::vector<std::string> send(std::string_view line) {
        std::string out;
        action = session.on_line(line, host_.now(), out);
        judge(out);
        return split(out);
    }
    // One line back, or whatever came, joined.
    std::string ask(std::string_view line) { return joined(send(line)); }

    void judge(std::string& out) {
        for (auto& pending : std::exchange(host_.pending, {})) {
            share::Verdict verdict;
            host_.processor.process({&pending.share, 1}, {&verdict, 1});
            if (verdict.block) ++blocks;
            if (verdict.uncredited) ++uncredited;
            const auto after = session.on_verdict(pending, verdict, host_.now(), out);
            if (after != Action::none) action = after;
            if (!verdict.refusal) session.on_committed(pending.ticket, commit, host_.now(), out);
        }
    }

    // Subscribes and authorizes; what came after the two replies.
    std::vector<std::string> open(std::string_view password = "x") {
        send(R"({"id":1,"method":"mining.subscribe","params":["test/1"]})");
        auto lines =
            send(fmt::format(R"({{"id":2,"method":"mining.authorize","params":["{}.rig","{}"]}})",
                             kAddress, password));
        lines.erase(lines.begin());
        return lines;
    }
    std::vector<std::string> job(const job::JobRef& job) {
        if (session.wants_plain_broadcast(*job)) {
            session.on_plain_broadcast(*job, host_.now());
            return {job->broadcast_line};
        }
        std::string out;
        session.on_job(*job, host_.now(), out);
        return split(out);
    }
    std::vector<std::string> tick() {
        std::string out;
        action = session.on_tick(host_.now(), out);
        return split(out);
    }

    // A choice on this job with from `from` up to but not including `below` leading zero bits.
    job::HeaderChoice grind(const job::Job& job, int from, int below, std::uint8_t variant = 0,
                            std::uint32_t bits = 0) {
        job::HeaderChoice choice;
        choice.variant = variant;
        choice.extranonce1 = session.memory()->extranonce1;
        choice.ntime = job.ntime;
        choice.version = job.version | bits;
        for (;;) {
            choice.nonce = nonce_++;
            const auto hash = job::header_of(job, choice).hash();
            const auto zeroes = 256 - base::U256::from_le(hash.bytes).bits();
            if (zeroes > from && zeroes < below) return choice;
        }
    }
    // One that meets kEasy but is no block.
    job::HeaderChoice share_of(const job::Job& job, std::uint8_t variant = 0) {
        return grind(job, 4, 8, variant);
    }
    job::HeaderChoice block_of(const job::Job& job, std::uint8_t variant = 0) {
        return grind(job, 8, 256, variant);
    }

    static std::string line_of(const job::Job& job, const job::HeaderChoice& choice,
                               std::string_view name = {}, std::string_view version_bits = {}) {
        const auto own = fmt::format("{}.rig", kAddress);
        return fmt::format(
            R"({{"params":["{}","{}","{}","{}","{}"{}],"id":9,"method":"mining.submit"}})",
            name.empty() ? own : name, job::job_id_text(job.id, choice.variant),
            base::to_hex(choice.extranonce2), base::hex32(choice.ntime), base::hex32(choice.nonce),
            version_bits.empty() ? "" : fmt::format(",\"{}\"", version_bits));
    }

    static std::vector<std::string> split(std::string_view out) {
        std::vector<std::string> lines;
        while (!out.empty()) {
            const auto end = out.find('\n');
            lines.emplace_back(out.substr(0, end + 1));
            out.remove_prefix(end + 1);
        }
        return lines;
    }
    static std::string joined(const std::vector<std::string>& lines) {
        std::string all;
        for (const auto& line : lines)
            all += line;
        return all;
    }

 private:
    ScriptedHost& host_;
    std::uint32_t nonce_ = 0;

 public:
    Session session;
    Action action = Action::none;
    share::CommitResult commit = share::CommitResult::committed;
    int blocks = 0;
    int uncredited = 0;
};

inline constexpr std::string_view kTrueReply = "{\"id\":9,\"result\":true,\"error\":null}\n";

// The reply to line_of() that refuses it.
inline std::string refusal_reply(share::Refusal reason) {
    return fmt::format("{{\"id\":9,\"result\":null,\"error\":[{},\"{}\",null]}}\n",
                       share::stratum_code(reason), share::describe(reason));
}

inline std::string difficulty_line(double difficulty) {
    return fmt::format("{{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[{}]}}\n",
                       chain::Difficulty::from_double(difficulty)->wire());
}

}  // namespace adit::stratum
