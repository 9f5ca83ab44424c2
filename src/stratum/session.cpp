#include "stratum/session.h"

#include "stratum/messages.h"

namespace adit::stratum {

namespace {

constexpr double kHashesPerDifficulty = 4294967296.0;  // 2^32, near enough for an estimate

}  // namespace

Session::Session(SessionHost& host, Moment now)
    : host_(host),
      vardiff_(now.steady_ms),
      last_notify_ms_(now.steady_ms),
      connected_ms_(now.steady_ms),
      last_line_ms_(now.steady_ms),
      garbage_since_ms_(now.steady_ms) {}

Action Session::on_line(std::string_view line, Moment now, std::string& out) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return Action::none;
    if (line.size() > host_.settings().line_limit_bytes) return on_line_too_long(out);
    last_line_ms_ = now.steady_ms;
    if (const auto fields = scan_submit(line)) {
        submit(*fields, now, out);
        return banned_ ? Action::ban : Action::none;
    }
    const auto request = parse_request(line);
    switch (request.kind) {
        case Request::Kind::request:
            return dispatch(request, now, out);
        case Request::Kind::response:
            return Action::none;
        case Request::Kind::invalid:
            refuse_request(request.id, request.complaint, now, out);
            return banned_ ? Action::ban : Action::none;
        case Request::Kind::not_json:
            break;
    }
    append_error(out, "null", 20, "Not a JSON object of the expected depth");
    return Action::close;
}

Action Session::on_line_too_long(std::string& out) {
    append_error(out, "null", 20, "Line too long");
    return Action::close;
}

Action Session::on_tick(Moment now, std::string& out) {
    const auto& settings = host_.settings();
    if (banned_) return Action::ban;
    if (now.steady_ms - last_line_ms_ > settings.idle_timeout_ms) return Action::reset;
    if (!ready()) {
        const bool late = now.steady_ms - connected_ms_ > settings.handshake_timeout_ms;
        return late ? Action::reset : Action::none;
    }
    if (!working_) {
        start_work(false, now, out);
        return Action::none;
    }
    update_version_mask(out);
    retarget(now, out);
    if (now.steady_ms - last_notify_ms_ >= settings.notify_interval_ms &&
        !notify_variant(false, false, now, out)) {
        // No unused coinbase is left to send; any line keeps the connection alive.
        append_ping(out);
        last_notify_ms_ = now.steady_ms;
    }
    return Action::none;
}

void Session::refuse_request(std::string_view id, std::string_view why, Moment now,
                             std::string& out) {
    append_error(out, id, 20, why);
    count_garbage(now);
}

void Session::count_garbage(Moment now) {
    const auto& settings = host_.settings();
    if (now.steady_ms - garbage_since_ms_ > settings.garbage_window_ms) {
        garbage_since_ms_ = now.steady_ms;
        garbage_ = 0;
        good_ = 0;
    }
    ++garbage_;
    if (garbage_ >= settings.garbage_limit && garbage_ / 10 >= good_) banned_ = true;
}

WorkerName Session::name_of(const SubmitTicket& ticket) const {
    if (ticket.worker < workers_.size()) return workers_[ticket.worker].name;
    const std::string& name = ticket.claimed_name;
    auto parsed = parse_worker_name(name, chain::params(host_.settings().network));
    return parsed ? std::move(*parsed) : WorkerName{name.substr(0, kMaxNameBytes), {}};
}

double Session::hashrate(Moment now) const {
    return vardiff_.rate(host_.settings().share_interval_s, now.steady_ms) * kHashesPerDifficulty;
}

}  // namespace adit::stratum
