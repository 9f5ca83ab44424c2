// The path of a share through its shard: gathered in a turn, judged together, recorded together,
// answered when durable.
#include "base/check.h"
#include "stratum/miner_state.h"

namespace adit::stratum {
namespace {

constexpr std::int64_t kNoteGoodMs = 60'000;
constexpr std::size_t kSpareBatches = 16;
constexpr std::size_t kSharesPerBatch = 4'096;  // less than any recorder takes at a time

}  // namespace

std::optional<SessionToken> find_token(std::string_view line) {
    constexpr std::size_t kDigits = 32;
    for (auto at = line.find('"'); at != std::string_view::npos; at = line.find('"', at + 1)) {
        const auto end = at + 1 + kDigits;
        if (end < line.size() && line[end] == '"') {
            if (const auto token = SessionToken::parse(line.substr(at + 1, kDigits))) return token;
        }
    }
    return std::nullopt;
}

void Shard::submit(Session&, PendingSubmit&& pending) {
    ++serving_->judging;
    if (draining_ && !pending.share.policy) {
        pending.share.policy = share::Refusal::storage_unavailable;
    }
    if (pending.share.duplicates != nullptr)
        pending.share.duplicates->forget_before(oldest_current_);
    senders_.push_back(serving_);
    shares_.push_back(pending.share);
    pending_.push_back(std::move(pending));
}

void Shard::judge() {
    if (shares_.empty()) return;
    verdicts_.resize(shares_.size());
    processor_.process(shares_, verdicts_);
    recorded_.assign(shares_.size(), false);
    fates_.assign(shares_.size(), nullptr);
    for (std::size_t i = 0; i < shares_.size(); ++i) {
        const auto& verdict = verdicts_[i];
        if (verdict.block) fates_[i] = report_block(pending_[i], *senders_[i], verdict);
        // Of what is refused only a stale block is recorded, once and worth nothing: any other
        // record would count a share twice or name nobody. The sink keeps every block in any case.
        recorded_[i] = !verdict.refusal || (fates_[i] && verdict.refusal == share::Refusal::stale);
    }
    const auto now = moment();
    for (std::size_t i = 0; i < shares_.size(); ++i)
        settle(i, recorded_[i], now);
    shares_.clear();
    pending_.clear();
    senders_.clear();
}

// Has a share recorded, or answers it.
void Shard::settle(std::size_t index, bool recorded, Moment now) {
    auto& share = shares_[index];
    auto& pending = pending_[index];
    auto& verdict = verdicts_[index];
    auto& miner = *senders_[index];
    if (pending.late) {
        --miner.judging;
        if (auto* connection = loop_.find(miner.id)) close_if_answered(*connection, miner);
        return;
    }
    if (recorded && !identify(miner, pending.ticket, share)) {
        recorded = false;
        if (!verdict.refusal) verdict.refusal = share::Refusal::storage_unavailable;
    }
    const bool accepted = !verdict.refusal;
    --miner.judging;
    replies_.clear();
    const auto action = miner.session.on_verdict(pending, verdict, now, replies_);
    if (auto* connection = loop_.find(miner.id); connection != nullptr) {
        if (!replies_.empty() && !miner.condemned) connection->send(replies_);
        act(*connection, miner, action);
        close_if_answered(*connection, miner);
    }
    if (!recorded) return;
    if (!gathering_ && spare_.empty()) gathering_ = std::make_unique<InFlight>();
    if (!gathering_) {
        gathering_ = std::move(spare_.back());
        spare_.pop_back();
    }
    const double difficulty = verdict.uncredited || !accepted ? 0 : share.difficulty.value();
    gathering_->batch.shares.push_back(share::record_of(share, verdict));
    gathering_->waiting.push_back(
        {miner.id, std::move(pending.ticket), difficulty, accepted, std::move(fates_[index])});
    if (gathering_->waiting.size() >= kSharesPerBatch) record();
}

bool Shard::identify(Miner& miner, const SubmitTicket& ticket, share::PendingShare& share) {
    if (ticket.worker == kNoWorker) return false;
    auto& [account, worker] = miner.session.worker(ticket.worker).identity;
    const auto& name = miner.session.worker(ticket.worker).name;
    if (account == 0) account = parts_.recorder.account(name.account);
    if (account != 0 && worker == 0) worker = parts_.recorder.worker(account, name.worker);
    share.account = account;
    share.worker = worker;
    return worker != 0;
}

// Null when this block was reported before.
BlockFateRef Shard::report_block(const PendingSubmit& pending, const Miner& miner,
                                 const share::Verdict& verdict) {
    if (std::ranges::find(reported_, verdict.hash) != reported_.end()) return nullptr;
    reported_[next_reported_++ % reported_.size()] = verdict.hash;
    const auto& share = pending.share;
    auto candidate = std::make_shared<job::BlockCandidate>();
    candidate->job = share.job;
    candidate->hash = verdict.hash;
    candidate->height = share.job->source->height;
    candidate->block = job::block_of(*share.job, share.choice);
    candidate->log_position = parts_.recorder.durable_position();
    candidate->found_wall_ms = parts_.clock.wall_ms();
    candidate->stale = verdict.refusal == share::Refusal::stale;
    auto name = miner.session.name_of(pending.ticket);
    candidate->account = std::move(name.account);
    // Whatever name came with it: its coinbase pays the connection's account.
    if (share.job->pays_finder) candidate->account = miner.session.payee();
    candidate->worker = std::move(name.worker);
    auto fate = std::make_shared<BlockFate>();
    parts_.blocks.submit_and_keep(std::move(candidate),
                                  [this, fate] { loop_.post([this, fate] { on_kept(*fate); }); });
    parts_.metrics.blocks.add();
    return fate;
}

void Shard::on_kept(BlockFate& fate) {
    fate.kept = true;
    if (!fate.answer) return;
    --unkept_;
    std::exchange(fate.answer, nullptr)();
}

void Shard::record() {
    if (!gathering_ || gathering_->waiting.empty()) return;
    auto batch = std::move(gathering_);
    batch->batch.listener = this;
    batch->ticket = batch->batch.ticket = next_ticket_++;
    batch->handed_ns = loop_.now_ns();
    auto& kept = *batch;
    in_flight_.push_back(std::move(batch));
    if (parts_.recorder.submit(kept.batch)) return;
    auto refused = std::move(in_flight_.back());
    in_flight_.pop_back();
    answer(*refused, share::CommitResult::failed);
}

void Shard::on_commit(std::uint64_t ticket, share::CommitResult result) {
    loop_.post([this, ticket, result] { answer(ticket, result); });
}

void Shard::answer(std::uint64_t ticket, share::CommitResult result) {
    ADIT_CHECK(!in_flight_.empty() && in_flight_.front()->ticket == ticket,
               "commits arrive in the order of their batches");
    auto batch = std::move(in_flight_.front());
    in_flight_.pop_front();
    answer(*batch, result);
    batch->waiting.clear();
    batch->batch.shares.clear();
    if (spare_.size() < kSpareBatches) spare_.push_back(std::move(batch));
}

void Shard::answer(InFlight& batch, share::CommitResult result) {
    double work = 0;
    for (auto& share : batch.waiting) {
        if (result == share::CommitResult::committed) work += share.difficulty;
        if (share.block && !share.block->kept && result == share::CommitResult::committed) {
            ++unkept_;
            auto* const fate = share.block.get();
            fate->answer = [this, share = std::move(share), result] { answer(share, result); };
        } else {
            answer(share, result);
        }
    }
    parts_.metrics.work.add(work);
    parts_.metrics.ack_ms.observe(static_cast<double>(loop_.now_ns() - batch.handed_ns) / 1e6);
}

void Shard::answer(const AwaitingCommit& share, share::CommitResult result) {
    net::Connection* connection = nullptr;
    auto* miner = miner_at(share.sender, &connection);
    if (miner == nullptr || !share.answer) return;
    const auto now = moment();
    replies_.clear();
    miner->session.on_committed(share.ticket, result, now, replies_);
    if (!replies_.empty()) connection->send(replies_);
    if (result == share::CommitResult::committed &&
        (miner->noted_good_ms < 0 || now.steady_ms - miner->noted_good_ms > kNoteGoodMs)) {
        miner->noted_good_ms = now.steady_ms;
        parts_.bans.note_good(connection->peer().ip_text(), now.steady_ms);
    }
    close_if_answered(*connection, *miner);
}

void Shard::on_refused(Session&, share::Refusal reason) {
    parts_.metrics.refused[static_cast<std::size_t>(reason)]->add();
}

void Shard::on_accepted(Session&) {
    parts_.metrics.accepted.add();
}

}  // namespace adit::stratum
