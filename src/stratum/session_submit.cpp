// mining.submit: from the line to a share that can be judged, and from the verdict to the reply.
#include "base/bytes.h"
#include "stratum/messages.h"
#include "stratum/session.h"

namespace adit::stratum {

namespace {

using share::Refusal;

// Whether a refusal is a sign of garbage. Duplicates and stale shares are sent by real firmware,
// and what is short on the pool's side is not the miner's fault; nor is a time too new, when the
// pool's own clock has been set back.
bool is_garbage(Refusal reason) {
    switch (reason) {
        case Refusal::malformed:
        case Refusal::bad_version_bits:
        case Refusal::time_too_old:
        case Refusal::low_difficulty:
        case Refusal::unauthorized:
        case Refusal::not_subscribed:
            return true;
        case Refusal::storage_unavailable:
        case Refusal::too_many_shares:
        case Refusal::job_not_found:
        case Refusal::stale:
        case Refusal::duplicate:
        case Refusal::banned:
        case Refusal::time_too_new:
            return false;
    }
    return false;
}

// The header's fields that are well-formed by themselves; false when one is not.
bool read_choice(const SubmitFields& fields, job::HeaderChoice& choice,
                 std::optional<std::uint32_t>& version_bits) {
    const auto ntime = base::parse_hex32(fields.ntime);
    const auto nonce = base::parse_hex32(fields.nonce);
    if (!ntime || !nonce || !base::from_hex(fields.extranonce2, choice.extranonce2)) return false;
    choice.ntime = *ntime;
    choice.nonce = *nonce;
    if (fields.version_bits) {
        version_bits = base::parse_hex32(*fields.version_bits);
        if (!version_bits) return false;
    }
    return true;
}

// The parameters of a mining.submit, in views of the request or of the buffers; nullopt when they
// are not five or six texts.
std::optional<SubmitFields> read_submit(const Request& request,
                                        std::array<std::string, 6>& buffers) {
    std::array<std::string_view, 6> texts;
    std::size_t count = 0;
    JsonReader reader(request.params);
    while (const auto value = reader.element()) {
        if (count == 5 && value->is_null()) continue;  // no version bits
        const auto text = count < 6 ? value->text(buffers[count]) : std::nullopt;
        if (!text) return std::nullopt;
        texts[count++] = *text;
    }
    if (count < 5) return std::nullopt;
    SubmitFields fields{request.id, texts[0], texts[1], texts[2], texts[3], texts[4], {}};
    if (count == 6) fields.version_bits = texts[5];
    return fields;
}

}  // namespace

void Session::submit_general(const Request& request, Moment now, std::string& out) {
    std::array<std::string, 6> buffers;
    const auto fields = read_submit(request, buffers);
    if (!fields) return refuse_share(request.id, kNoWorker, Refusal::malformed, now, out);
    submit(*fields, now, out);
}

void Session::submit(const SubmitFields& fields, Moment now, std::string& out) {
    const auto worker = worker_of(fields.name);
    if (!subscribed()) {
        return refuse_share(fields.id, worker, Refusal::not_subscribed, now, out);
    }
    PendingSubmit pending;
    auto& share = pending.share;
    std::optional<std::uint32_t> bits;
    if (!read_choice(fields, share.choice, bits)) {
        return refuse_share(fields.id, worker, Refusal::malformed, now, out);
    }
    const auto id = job::parse_job_id(fields.job);
    const auto found = id ? host_.jobs().find(id->id, now.steady_ms) : std::nullopt;
    if (!found) return refuse_share(fields.id, worker, Refusal::job_not_found, now, out);

    share.job = own_job(*found->job);
    share.choice.variant = id->variant;
    share.choice.extranonce1 = memory_->extranonce1;
    share.duplicates = &memory_->duplicates;
    const auto sent = memory_->sent.find(id->id, id->variant);
    share.difficulty = sent.value_or(present_);
    if (present_ < share.difficulty) share.lowered = present_;
    share.policy = policy(*found, sent.has_value(), worker, share, bits, now);

    if (worker == kNoWorker) pending.ticket.claimed_name = fields.name;
    pending.ticket.id = fields.id;
    pending.ticket.worker = worker;
    host_.submit(*this, std::move(pending));
}

void Session::on_late_line(std::string_view line, Moment now) {
    if (line.size() > host_.settings().line_limit_bytes || !subscribed()) return;
    if (const auto fields = scan_submit(line)) return submit_late(*fields, now);
    const auto request = parse_request(line);
    if (request.kind != Request::Kind::request || request.method != Method::submit) return;
    std::array<std::string, 6> buffers;
    if (const auto fields = read_submit(request, buffers)) submit_late(*fields, now);
}

// Of the memory only extranonce1 is read: another shard may have the rest by now.
void Session::submit_late(const SubmitFields& fields, Moment now) {
    PendingSubmit pending;
    pending.late = true;
    auto& share = pending.share;
    std::optional<std::uint32_t> bits;
    const auto id = job::parse_job_id(fields.job);
    if (!id || !read_choice(fields, share.choice, bits)) return;
    const auto found = host_.jobs().find(id->id, now.steady_ms);
    if (!found) return;
    share.job = own_job(*found->job);
    share.choice.variant = id->variant;
    share.choice.extranonce1 = memory_->extranonce1;
    share.difficulty = present_;
    share.choice.version = version_of(*share.job, bits).second;
    share.policy = Refusal::banned;
    pending.ticket.worker = worker_of(fields.name);
    if (pending.ticket.worker == kNoWorker) pending.ticket.claimed_name = fields.name;
    host_.submit(*this, std::move(pending));
}

// Whether the miner may use these version bits, and the header's version: of bits that are refused
// still the one that the header most likely has, if it is a block.
std::pair<bool, std::uint32_t> Session::version_of(const job::Job& job,
                                                   std::optional<std::uint32_t> bits) const {
    if (!bits) return {true, job.version};
    const auto rolled = accepted_mask_ == 0
                            ? std::nullopt
                            : share::roll_version(job.version, accepted_mask_, *bits);
    if (rolled) return {true, *rolled};
    return {false, (job.version & ~job::kVersionRollingMask) | (*bits & job::kVersionRollingMask)};
}

// Completes the header's version and says why the share cannot count, if so.
std::optional<Refusal> Session::policy(const job::FoundJob& found, bool sent, std::uint16_t worker,
                                       share::PendingShare& share,
                                       std::optional<std::uint32_t> version_bits,
                                       Moment now) const {
    const job::Job& job = **found.job;
    const auto [allowed, version] = version_of(job, version_bits);
    share.choice.version = version;
    if (banned_) return Refusal::banned;
    if (worker == kNoWorker) return Refusal::unauthorized;
    if (found.state == job::JobState::stale) return Refusal::stale;
    if (found.state == job::JobState::expired || !sent) return Refusal::job_not_found;
    if (!allowed) return Refusal::bad_version_bits;
    if (const auto time = share::check_time(job, share.choice.ntime, now.wall_ms / 1000)) {
        return time;
    }
    if (in_flight_ >= host_.settings().shares_in_flight) return Refusal::too_many_shares;
    return std::nullopt;
}

// The name as it was authorized, or another spelling of it. Reading an address is expensive, and a
// miner that spells its name differently does so with every share.
std::uint16_t Session::worker_of(std::string_view name) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        if (workers_[i].spelling == name) return static_cast<std::uint16_t>(i);
    }
    if (name.size() > 3 * kMaxNameBytes) return kNoWorker;  // too long even if all is escaped
    if (alias_ == name) return alias_worker_;
    const auto submitted = parse_worker_name(name, chain::params(host_.settings().network));
    alias_ = name;
    alias_worker_ = submitted ? worker_of(*submitted) : kNoWorker;
    return alias_worker_;
}

std::uint16_t Session::worker_of(const WorkerName& name) const {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        if (workers_[i].name == name) return static_cast<std::uint16_t>(i);
    }
    return kNoWorker;
}

void Session::refuse_share(std::string_view id, std::uint16_t worker, Refusal reason, Moment now,
                           std::string& out) {
    append_refusal(out, id, reason);
    if (worker < workers_.size()) ++workers_[worker].refused;
    host_.on_refused(*this, reason);
    if (is_garbage(reason)) count_garbage(now);
}

Action Session::on_verdict(const PendingSubmit& pending, const share::Verdict& verdict, Moment now,
                           std::string& out) {
    if (verdict.refusal) {
        refuse_share(pending.ticket.id, pending.ticket.worker, *verdict.refusal, now, out);
        return banned_ ? Action::ban : Action::none;
    }
    ++in_flight_;
    ++good_;
    if (!verdict.uncredited) {
        vardiff_.on_share(pending.share.difficulty.value(), present_.value(),
                          host_.settings().share_interval_s, now.steady_ms);
    }
    if (working_) retarget(now, out);
    return Action::none;
}

void Session::on_committed(const SubmitTicket& ticket, share::CommitResult result, Moment now,
                           std::string& out) {
    if (in_flight_ > 0) --in_flight_;
    if (result == share::CommitResult::failed) {
        return refuse_share(ticket.id, ticket.worker, Refusal::storage_unavailable, now, out);
    }
    append_result(out, ticket.id, "true");
    if (ticket.worker < workers_.size()) {
        ++workers_[ticket.worker].accepted;
        workers_[ticket.worker].last_share_ms = now.steady_ms;
    }
    host_.on_accepted(*this);
}

}  // namespace adit::stratum
