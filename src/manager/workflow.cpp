#include "manager/workflow.h"

namespace adit::manager {
namespace {

// So long the miner mines before it is asked whether the rest can be done in the time allowed.
constexpr std::int64_t kTrialMs = 500;
// Sums of slices are compared over this stretch; the tally's worker slices are kept longer.
constexpr std::int64_t kBackS = 86'400;
// The ledger may take one in so many of the milliseconds that are left before the first share.
constexpr std::int64_t kLedgerPart = 4;
// The pool counts its connections about once a second.
constexpr std::int64_t kCountMs = 2'000;
constexpr std::int64_t kLookMs = 50;
// Most shares that are listed one by one.
constexpr std::size_t kMostListed = 20;

}  // namespace

std::string_view name_of(StageState state) {
    switch (state) {
        case StageState::ok:
            return "ok";
        case StageState::failed:
            return "failed";
        case StageState::not_tried:
            return "not tried";
    }
    return "failed";
}

bool WorkflowReport::has_failed() const {
    return std::ranges::any_of(
        stages, [](const WorkflowStage& stage) { return stage.state == StageState::failed; });
}

bool WorkflowReport::is_complete() const {
    return finished && std::ranges::none_of(stages, [](const WorkflowStage& stage) {
               return stage.asked && stage.state != StageState::ok;
           });
}

// A stage in its place.
struct Workflow::Step {
    std::string_view name;
    Verdict (Workflow::*run)();
    std::string_view needs;  // the stage without which it cannot be; empty: none
    bool for_block = false;
};

const std::vector<Workflow::Step>& Workflow::steps() {
    static const std::vector<Step> all{
        {"connect", &Workflow::connect, ""},
        {"authorize", &Workflow::authorize, "connect"},
        {"work", &Workflow::work, "authorize"},
        {"ledger", &Workflow::read_ledger, "work"},
        {"shares", &Workflow::mine_shares, "work"},
        {"log", &Workflow::find_in_log, "work"},
        {"tally", &Workflow::find_in_tally, "log"},
        {"balance", &Workflow::read_balance, "ledger"},
        {"block", &Workflow::mine_block, "work", true},
        {"submission", &Workflow::follow_submission, "block", true},
        {"confirmation", &Workflow::follow_confirmation, "submission", true},
        {"maturity", &Workflow::follow_maturity, "confirmation", true},
        {"payout", &Workflow::follow_payout, "maturity", true},
    };
    return all;
}

Workflow::Workflow(WorkflowRequest request, std::string account, std::string worker,
                   std::unique_ptr<WorkflowMiner> miner, WorkflowPool& pool,
                   const base::Clock& clock, Progress progress)
    : request_(std::move(request)),
      miner_(std::move(miner)),
      pool_(pool),
      clock_(clock),
      progress_(std::move(progress)),
      ids_(std::unexpected("no name was authorized")),
      booked_before_(std::unexpected("it was not looked at")) {
    report_.listener = miner_->listener();
    report_.account = std::move(account);
    report_.worker = std::move(worker);
}

WorkflowReport Workflow::run(const CallLimits& limits) {
    limits_ = limits;
    report_.at_ms = clock_.wall_ms();
    const auto begun_ns = clock_.steady_ns();
    for (const auto& step : steps()) {
        perform(step);
        report_.ms = static_cast<double>(clock_.steady_ns() - begun_ns) * 1e-6;
        if (progress_) progress_(report_);
    }
    miner_->stop();
    report_.finished = true;
    return report_;
}

void Workflow::perform(const Step& step) {
    const auto needed =
        std::ranges::find(report_.stages, step.needs,
                          [](const auto& stage) -> std::string_view { return stage.name; });
    const bool is_blocked = needed != report_.stages.end() && needed->state != StageState::ok;
    Verdict verdict;
    WorkflowStage stage;
    stage.name = step.name;
    stage_ = &stage;
    const auto begun_ns = clock_.steady_ns();
    if (step.for_block && !request_.block) {
        verdict = not_tried("a block was not asked for", false);
    } else if (is_blocked) {
        verdict =
            not_tried(fmt::format("it takes \"{}\", which was {}", step.needs,
                                  needed->state == StageState::failed ? "not done" : "not tried"),
                      needed->asked);
    } else if (is_over()) {
        verdict = not_tried(over("its turn"));
    } else {
        verdict = (this->*step.run)();
    }
    stage.state = verdict.state;
    stage.reason = std::move(verdict.reason);
    stage.asked = verdict.asked;
    stage.ms = static_cast<double>(clock_.steady_ns() - begun_ns) * 1e-6;
    report_.stages.push_back(std::move(stage));
    stage_ = nullptr;
}

std::int64_t Workflow::left_ms() const {
    return std::max<std::int64_t>(limits_.deadline_ms - clock_.steady_ms(), 0);
}

bool Workflow::is_over() const {
    return limits_.stop.stop_requested() || left_ms() == 0;
}

std::string Workflow::over(std::string_view waited_for) const {
    return fmt::format(
        "{} while it waited for {}",
        limits_.stop.stop_requested() ? "the run was stopped" : "the time allowed was over",
        waited_for);
}

Workflow::Verdict Workflow::connect() {
    note("listener", miner_->listener());
    if (const auto connected = miner_->connect(limits_); !connected) {
        return turned_away(connected.error());
    }
    return ok();
}

Workflow::Verdict Workflow::turned_away(const std::string& error) {
    const auto end_ms = clock_.steady_ms() + std::min(kCountMs, left_ms());
    auto closed = pool_.why_closed();
    while (closed.empty() && clock_.steady_ms() < end_ms && !limits_.stop.stop_requested()) {
        pool_.pause(kLookMs, limits_.stop);
        closed = pool_.why_closed();
    }
    return failed(closed.empty() ? error : fmt::format("{}; {}", error, closed));
}

Workflow::Verdict Workflow::authorize() {
    note("user", fmt::format("{}.{}", report_.account, report_.worker));
    if (const auto authorized = miner_->authorize(limits_); !authorized) {
        return turned_away(authorized.error());
    }
    ids_ = pool_.ids(report_.account, report_.worker);
    if (!ids_) return failed(ids_.error());
    note("account_id", std::int64_t{ids_->account});
    note("worker_id", std::int64_t{ids_->worker});
    return ok();
}

Workflow::Verdict Workflow::work() {
    const auto work = miner_->work(limits_);
    if (!work) return failed(work.error());
    work_ = *work;
    note("job", work_.job);
    note("difficulty", work_.difficulty);
    note("hashes_a_share", work_.share_hashes);
    note("hashes_a_block", work_.block_hashes);
    return ok();
}

// What log and ledger have before the first share.
Workflow::Verdict Workflow::read_ledger() {
    log_before_ = pool_.log_point();
    since_s_ = clock_.wall_ms() / 1'000 - kBackS;
    note("log_position", static_cast<std::int64_t>(log_before_.position));
    // Shares are recorded without the ledger, too: some time is kept for them.
    const CallLimits part{clock_.steady_ms() + left_ms() / kLedgerPart, limits_.stop};
    const auto folded = pool_.wait_folded(log_before_.position, part);
    booked_before_ = folded ? pool_.booked(*ids_, since_s_)
                            : Stored<BookedWork>(std::unexpected(folded.error()));
    if (!booked_before_) return failed(booked_before_.error());
    note("worker_work", fmt::format("{}", booked_before_->worker.work));
    note("worker_shares", static_cast<std::int64_t>(booked_before_->worker.shares));
    note("account_work", fmt::format("{}", booked_before_->account.work));
    return ok();
}

void Workflow::take(MineResult result) {
    hashes_ += result.hashes;
    seconds_ += result.seconds;
    refused_ += result.refused.size();
    if (!result.refused.empty()) last_refusal_ = result.refused.back();
    unanswered_ = result.unanswered;
    for (auto& share : result.accepted) {
        if (share.block) block_ = share;
        accepted_.push_back(std::move(share));
    }
}

Workflow::Verdict Workflow::carry_out(MineOrder order) {
    const auto accepted = accepted_.size();
    const auto mine_until = [&](std::int64_t deadline_ms) {
        auto rest = order;
        rest.shares -= static_cast<std::uint32_t>(accepted_.size() - accepted);
        auto result = miner_->mine(rest, {deadline_ms, limits_.stop});
        auto verdict = result.done ? ok()
                       : result.problem.empty()
                           ? failed(over(order.blocks_only ? "a block" : "shares"))
                           : failed(result.problem);
        const bool is_final = result.done || !result.problem.empty();
        take(std::move(result));
        return std::pair(is_final, std::move(verdict));
    };
    auto [is_final, verdict] =
        mine_until(std::min(limits_.deadline_ms, clock_.steady_ms() + kTrialMs));
    if (is_final || is_over()) return verdict;
    if (const auto work = miner_->work(limits_)) work_ = *work;
    const auto rest = order.shares - (accepted_.size() - accepted);
    const auto each = order.blocks_only ? work_.block_hashes : work_.share_hashes;
    if (auto hopeless =
            expectation(static_cast<double>(rest), each, order.blocks_only ? "block" : "share")) {
        return *hopeless;
    }
    return mine_until(limits_.deadline_ms).second;
}

std::optional<Workflow::Verdict> Workflow::expectation(double count, double hashes_each,
                                                       std::string_view what) {
    const auto rate = seconds_ > 0 ? static_cast<double>(hashes_) / seconds_ : 0;
    if (rate <= 0) return std::nullopt;
    const auto expected_s = count * hashes_each / rate;
    if (expected_s * 1'000 <= static_cast<double>(left_ms())) return std::nullopt;
    note("hashes_a_second", rate);
    note("expected_s", expected_s);
    return not_tried(fmt::format(
        "{:.0f} {}{} of {:.4g} hashes each would take {:.4g} s at the {:.4g} hashes a second "
        "measured here, and {:.1f} s were left",
        count, what, count == 1 ? "" : "s", hashes_each, expected_s, rate,
        static_cast<double>(left_ms()) / 1'000));
}

Workflow::Verdict Workflow::mine_shares() {
    auto verdict = carry_out({request_.shares, false});
    followed_ = accepted_.size();
    note("asked", std::int64_t{request_.shares});
    note("accepted", static_cast<std::int64_t>(accepted_.size()));
    note("refused", static_cast<std::int64_t>(refused_));
    if (refused_ != 0) note("last_refusal", last_refusal_);
    if (unanswered_ != 0) note("unanswered", static_cast<std::int64_t>(unanswered_));
    note("hashes", static_cast<std::int64_t>(hashes_));
    std::vector<std::string> hashes;
    for (const auto& share : accepted_) {
        if (hashes.size() == kMostListed) break;
        hashes.push_back(share.hash.rpc_hex());
    }
    note("share_hashes", std::move(hashes));
    return verdict;
}

Workflow::Verdict Workflow::find_in_log() {
    if (followed_ == 0) return not_tried("no share was accepted");
    const auto logged = pool_.logged(log_before_, ids_->worker, limits_);
    if (!logged) return failed(logged.error());
    log_end_ = log_before_.position;
    for (const auto& share : *logged) {
        log_end_ = std::max(log_end_, share.position);
        if (!share.credited) continue;
        ++credited_;
        work_logged_ += chain::work_of(share.difficulty.target());
    }
    std::vector<std::string> places;
    for (std::size_t i = 0; i < followed_; ++i) {
        const auto& mined = accepted_[i];
        const auto is_it = [&](const LoggedShare& share) {
            return share.choice.extranonce1 == mined.choice.extranonce1 &&
                   share.choice.extranonce2 == mined.choice.extranonce2 &&
                   share.choice.ntime == mined.choice.ntime &&
                   share.choice.nonce == mined.choice.nonce &&
                   share.choice.version == mined.choice.version;
        };
        const auto count = std::ranges::count_if(*logged, is_it);
        const auto hash = mined.hash.rpc_hex();
        if (count == 0)
            return failed(fmt::format("{} was acknowledged and is not in the log", hash));
        if (count > 1) return failed(fmt::format("{} is in the log {} times", hash, count));
        const auto& found = *std::ranges::find_if(*logged, is_it);
        if (found.credited && found.difficulty != mined.difficulty) {
            return failed(
                fmt::format("{} is in the log at difficulty {}, but the miner was told {}", hash,
                            found.difficulty.value(), mined.difficulty.value()));
        }
        if (places.size() < kMostListed)
            places.push_back(fmt::format("{} {}", hash, found.position));
    }
    note("from_position", static_cast<std::int64_t>(log_before_.position));
    note("to_position", static_cast<std::int64_t>(log_end_));
    note("shares", static_cast<std::int64_t>(logged->size()));
    note("credited", static_cast<std::int64_t>(credited_));
    note("work", fmt::format("{}", work_logged_));
    note("positions", std::move(places));
    return ok();
}

Workflow::Verdict Workflow::find_in_tally() {
    if (!booked_before_) {
        return not_tried(fmt::format("the ledger could not be read before the first share: {}",
                                     booked_before_.error()));
    }
    if (const auto folded = pool_.wait_folded(log_end_, limits_); !folded) {
        return failed(folded.error());
    }
    const auto booked = pool_.booked(*ids_, since_s_);
    if (!booked) return failed(booked.error());
    const auto& before = *booked_before_;
    note("worker_id", std::int64_t{ids_->worker});
    note("folded_position", static_cast<std::int64_t>(log_end_));
    note("worker_work_before", fmt::format("{}", before.worker.work));
    note("worker_work_after", fmt::format("{}", booked->worker.work));
    note("worker_shares_before", static_cast<std::int64_t>(before.worker.shares));
    note("worker_shares_after", static_cast<std::int64_t>(booked->worker.shares));
    note("account_work_before", fmt::format("{}", before.account.work));
    note("account_work_after", fmt::format("{}", booked->account.work));
    const auto work = booked->worker.work - before.worker.work;
    const auto shares = booked->worker.shares - before.worker.shares;
    if (work != work_logged_ || shares != credited_) {
        return failed(fmt::format(
            "the worker's slices grew by {} shares and work {}, the log by {} and {}; does "
            "somebody else mine as {}.{}?",
            shares, work, credited_, work_logged_, report_.account, report_.worker));
    }
    if (booked->account.work - before.account.work < work) {
        return failed("the account's slices grew by less than its worker's");
    }
    return ok();
}

Workflow::Verdict Workflow::read_balance() {
    const auto balance = pool_.ledger().balance_of(report_.account);
    if (!balance) return failed(balance.error());
    const auto total = pool_.ledger().total_of_all();
    if (!total) return failed(total.error());
    note("posted_sat", balance->posted.sat());
    note("pending_sat", balance->pending.sat());
    note("reserved_sat", balance->reserved.sat());
    if (!total->is_zero()) {
        return failed("the accounts of the ledger do not sum to zero; run `adit audit`");
    }
    return ok();
}

}  // namespace adit::manager
