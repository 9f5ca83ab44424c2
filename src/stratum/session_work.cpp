// What the session sends on its own: work, difficulty and the version mask.
#include "base/check.h"
#include "job/finder_job.h"
#include "job/payout_snapshot.h"
#include "stratum/messages.h"
#include "stratum/session.h"

namespace adit::stratum {

namespace {

constexpr double kNoNetwork = 9007199254740992.0;  // 2^53: no job has come yet

chain::Difficulty expressible(double difficulty) {
    const auto value = chain::Difficulty::from_double(difficulty);
    ADIT_CHECK(value.has_value(), "clamped difficulties are within what can be expressed");
    return *value;
}

}  // namespace

job::JobRef Session::finder_job(const job::Job& shared) {
    if (!shared.pays_finder || workers_.empty()) return nullptr;
    if (finder_jobs_ == nullptr) finder_jobs_ = std::make_unique<FinderJobs>();
    auto& [jobs, next] = *finder_jobs_;
    for (const auto& own : jobs) {
        if (own != nullptr && own->id == shared.id) return own;
    }
    const auto script = job::script_of_account(payee());
    if (script.empty()) return nullptr;
    auto own = job::job_for_finder(shared, script);
    jobs[next++ % jobs.size()] = own;
    return own;
}

void Session::on_job(const job::Job& shared, Moment now, std::string& out) {
    if (!ready()) return;
    const auto own = finder_job(shared);
    const job::Job& job = own ? *own : shared;
    if (!working_) {
        start_work(true, now, out);
        return;
    }
    if (job.id <= last_job_) return;
    if (job.id <= resumed_job_) {
        // This shard hears later of a job than the one that had the session before.
        notify_variant(job.clean, false, now, out);
        return;
    }
    const auto next = within_bounds(fixed_ > 0 ? fixed_ : wanted_.value_or(present_).value());
    wanted_.reset();
    if (next != present_) {
        write_difficulty(next, now, out);
        remember_sent(job.id, 0);
    }
    // A shard may have skipped the job that announced the new block.
    const bool clean = job.clean || job.tip != last_tip_;
    if (clean == job.clean)
        out += job.broadcast_line;
    else
        out += job::notify_line(job, 0, clean);
    on_plain_broadcast(job, now);
}

// `fresh`: the newest job was not sent to this extranonce1 before, so its variant 0 is unused.
void Session::start_work(bool fresh, Moment now, std::string& out) {
    const auto& shared = host_.jobs().latest();
    if (shared == nullptr) return;
    const auto job = own_job(shared);
    std::optional<std::uint8_t> variant = std::uint8_t{0};
    if (resumed_ && (!fresh || job->id <= resumed_job_)) variant = memory_->take_variant(job->tip);
    if (!variant) return;  // the next job will do

    working_ = true;
    vardiff_ = Vardiff(now.steady_ms);
    write_difficulty(initial_difficulty(), now, out);
    remember_sent(job->id, *variant);
    out += job::notify_line(*job, *variant, true);
    on_plain_broadcast(*job, now);
    host_.on_working(*this);
}

chain::Difficulty Session::initial_difficulty() const {
    if (fixed_ > 0) return within_bounds(fixed_);
    if (suggested_ > 0) return within_bounds(suggested_);
    if (memory_->difficulty) return within_bounds(memory_->difficulty->value());
    return within_bounds(host_.settings().difficulty_start);
}

bool Session::notify_variant(bool clean, bool tell_difficulty, Moment now, std::string& out) {
    const auto& shared = host_.jobs().latest();
    const auto job = own_job(shared);
    const auto variant = memory_->take_variant(job->tip);
    if (!variant) return false;
    if (wanted_ || tell_difficulty) write_difficulty(wanted_.value_or(present_), now, out);
    remember_sent(job->id, *variant);
    out += job::notify_line(*job, *variant, clean || job->tip != last_tip_);
    on_plain_broadcast(*job, now);
    return true;
}

void Session::park() {
    memory_->last_job = std::max(memory_->last_job, last_job_);
    // The next session may be sent an older job with another difficulty.
    if (const auto difficulty = memory_->sent.find(last_job_, 0)) {
        memory_->sent.add(last_job_, 0, *difficulty);
    }
}

void Session::remember_sent(job::JobId job, std::uint8_t variant) {
    memory_->sent.forget_before(host_.jobs().oldest());
    memory_->sent.add(job, variant, present_);
}

void Session::write_difficulty(chain::Difficulty difficulty, Moment now, std::string& out) {
    append_set_difficulty(out, difficulty);
    present_ = difficulty;
    memory_->difficulty = difficulty;
    wanted_.reset();
    vardiff_.on_change(now.steady_ms);
}

chain::Difficulty Session::within_bounds(double difficulty) const {
    const auto& settings = host_.settings();
    const auto& job = host_.jobs().latest();
    const double network = job == nullptr ? kNoNetwork : job->network_difficulty.value();
    const auto bounds =
        difficulty_bounds(settings.difficulty_min, settings.difficulty_max, own_min_, network);
    return expressible(bounds.clamp(difficulty));
}

// Has effect while working; before, start_work() decides.
void Session::want(double difficulty) {
    if (!working_) return;
    const auto next = within_bounds(difficulty);
    if (next == present_)
        wanted_.reset();
    else
        wanted_ = next;
}

void Session::retarget(Moment now, std::string& out) {
    if (fixed_ > 0) return want(fixed_);
    const auto advice =
        vardiff_.advise(present_.value(), host_.settings().share_interval_s, now.steady_ms);
    if (advice) {
        want(advice->difficulty);
        if (advice->urgent && wanted_) notify_variant(false, true, now, out);
    } else {
        // Bounds may have changed since.
        want(wanted_.value_or(present_).value());
    }
}

void Session::update_version_mask(std::string& out) {
    const std::uint32_t mask = miner_mask_ & host_.settings().version_mask;
    if (mask == version_mask_) return;
    version_mask_ = mask;
    accepted_mask_ |= mask;  // shares that were rolled before the miner heard of it are honest
    append_set_version_mask(out, mask);
}

}  // namespace adit::stratum
