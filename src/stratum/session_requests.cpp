// Which method does what, and the small requests.
#include "base/bytes.h"
#include "stratum/messages.h"
#include "stratum/session.h"

#include <algorithm>

namespace adit::stratum {

namespace {

// Up to 64 hex digits, most significant first; nullopt for anything else and for zero.
std::optional<chain::Target> read_target(std::string_view hex) {
    if (hex.starts_with("0x")) hex.remove_prefix(2);
    if (hex.empty() || hex.size() > 64) return std::nullopt;
    std::array<std::uint8_t, 32> bytes;
    if (!base::from_hex(std::string(64 - hex.size(), '0') + std::string(hex), bytes)) {
        return std::nullopt;
    }
    std::ranges::reverse(bytes);
    const chain::Target target{base::U256::from_le(bytes)};
    if (target.value == base::U256{}) return std::nullopt;
    return target;
}

}  // namespace

Action Session::dispatch(const Request& request, Moment now, std::string& out) {
    // A banned connection is about to be reset; only its shares are looked at, for blocks.
    if (banned_ && request.method != Method::submit) return Action::ban;
    switch (request.method) {
        case Method::submit:
            submit_general(request, now, out);
            break;
        case Method::subscribe:
            subscribe(request, now, out);
            break;
        case Method::authorize:
            authorize(request, now, out);
            break;
        case Method::configure:
            configure(request, now, out);
            break;
        case Method::suggest_difficulty:
            suggest_difficulty(request, now, out);
            break;
        case Method::suggest_target:
            suggest_target(request, now, out);
            break;
        case Method::extranonce_subscribe:
            takes_extranonce_ = true;
            append_result(out, request.id, "true");
            break;
        case Method::get_transactions:
            get_transactions(request, now, out);
            break;
        case Method::ping:
            append_result(out, request.id, R"("pong")");
            break;
        case Method::pong:
            break;
        case Method::unknown:
            refuse_request(request.id, "Unknown method", now, out);
            break;
    }
    return banned_ ? Action::ban : Action::none;
}

void Session::suggest_difficulty(const Request& request, Moment now, std::string& out) {
    const auto value = JsonReader(request.params).element();
    const auto number = value ? value->number() : std::nullopt;
    if (!number) {
        return refuse_request(request.id, "mining.suggest_difficulty takes [number]", now, out);
    }
    append_result(out, request.id, "true");
    suggest(*number, now, out);
}

void Session::suggest_target(const Request& request, Moment now, std::string& out) {
    const auto value = JsonReader(request.params).element();
    std::string buffer;
    const auto text = value ? value->text(buffer) : std::nullopt;
    const auto target = text ? read_target(*text) : std::nullopt;
    if (!target) return refuse_request(request.id, "mining.suggest_target takes [hex]", now, out);
    append_result(out, request.id, "true");
    suggest(chain::Difficulty::from_target(*target).value(), now, out);
}

// The first hint takes effect at once, later ones with the next job, a repeated one never: some
// firmware repeats it as keep-alive.
void Session::suggest(double difficulty, Moment now, std::string& out) {
    if (difficulty <= 0 || difficulty == suggested_) return;
    const bool first = suggested_ == 0;
    suggested_ = difficulty;
    if (fixed_ > 0 || !working_) return;
    want(difficulty);
    if (first && wanted_) notify_variant(false, true, now, out);
}

void Session::get_transactions(const Request& request, Moment now, std::string& out) {
    const auto value = JsonReader(request.params).element();
    std::string buffer;
    const auto text = value ? value->text(buffer) : std::nullopt;
    if (!text) return refuse_request(request.id, "mining.get_transactions takes [job]", now, out);
    const auto& settings = host_.settings();
    if (!settings.transactions) {
        return append_error(out, request.id, 20, "mining.get_transactions is turned off");
    }
    const auto id = job::parse_job_id(*text);
    const auto found = id ? host_.jobs().find(id->id, now.steady_ms) : std::nullopt;
    if (!found) return append_refusal(out, request.id, share::Refusal::job_not_found);

    const auto& transactions = (*found->job)->source->transactions;
    std::size_t size = 0;
    for (const auto& transaction : transactions)
        size += 2 * transaction->raw.size() + 3;
    if (size > settings.output_limit_bytes) {
        return append_error(out, request.id, 20, "The transactions are too long to send");
    }
    std::string result = "[";
    result.reserve(size + 2);
    for (const auto& transaction : transactions) {
        if (result.size() > 1) result += ',';
        result += '"';
        result += base::to_hex(transaction->raw);
        result += '"';
    }
    append_result(out, request.id, result + ']');
}

}  // namespace adit::stratum
