// The opening of a connection: mining.subscribe, mining.authorize and mining.configure (BIP310), in
// any order and as often as the miner likes.
#include "base/bytes.h"
#include "stratum/messages.h"
#include "stratum/session.h"

#include <fmt/format.h>

namespace adit::stratum {

namespace {

constexpr std::size_t kMaxAgentBytes = 64;

bool text_or_null(const std::optional<JsonValue>& value) {
    return !value || value->is_null() || value->type == JsonValue::Type::text;
}

// An agent for people to read: bounded, without control characters.
std::string agent_of(std::string_view text) {
    std::string agent(text.substr(0, kMaxAgentBytes));
    for (char& c : agent) {
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '_';
    }
    return agent;
}

// One to eight hex digits; nullopt for anything else.
std::optional<std::uint32_t> read_mask(std::string_view text) {
    if (text.empty() || text.size() > 8) return std::nullopt;
    return base::parse_hex32(std::string(8 - text.size(), '0') + std::string(text));
}

// The options of mining.configure that matter; a wrong type is named in `complaint`.
struct ConfigureOptions {
    std::uint32_t mask = 0xffffffff;  // BIP310: what is not said is everything
    bool bad_mask = false;
    double minimum = 0;
    std::string_view complaint;
};

ConfigureOptions read_options(std::string_view object) {
    ConfigureOptions options;
    std::string buffer, value_buffer;
    JsonReader reader(object);
    while (const auto member = reader.member()) {
        const auto key = member->key.text(buffer);
        if (key == "version-rolling.mask") {
            const auto text = member->value.text(value_buffer);
            if (!text) {
                options.complaint = "version-rolling.mask must be a text";
                return options;
            }
            const auto mask = read_mask(*text);
            options.bad_mask = !mask;
            options.mask = mask.value_or(0);
        } else if (key == "minimum-difficulty.value") {
            const auto number = member->value.number();
            if (!number) {
                options.complaint = "minimum-difficulty.value must be a number";
                return options;
            }
            options.minimum = std::max(*number, 0.0);
        }
    }
    return options;
}

}  // namespace

void Session::subscribe(const Request& request, Moment now, std::string& out) {
    JsonReader params(request.params);
    const auto agent = params.element();
    const auto session = params.element();
    const auto host = params.element();
    const auto port = params.element();
    const bool port_ok = text_or_null(port) || port->type == JsonValue::Type::number;
    std::string agent_buffer, session_buffer;
    if (!text_or_null(agent) || !text_or_null(session) || !text_or_null(host) || !port_ok) {
        return refuse_request(request.id, "mining.subscribe takes [agent, session, host, port]",
                              now, out);
    }
    if (agent) agent_ = agent_of(agent->text(agent_buffer).value_or(""));
    const bool again = subscribed();
    if (!again) {
        std::optional<SessionToken> token;
        if (session) token = SessionToken::parse(session->text(session_buffer).value_or(""));
        auto subscription = host_.subscribe(*this, token);
        if (subscription.memory == nullptr) {
            append_error(out, request.id, 20, "The pool is full");
            return;
        }
        memory_ = std::move(subscription.memory);
        resumed_ = subscription.resumed;
        resumed_job_ = memory_->last_job;
    }
    const auto token = memory_->token.text();
    append_result(out, request.id,
                  fmt::format(R"([[["mining.set_difficulty","{0}"],["mining.notify","{0}"]],)"
                              R"("{1}",{2}])",
                              token, base::hex32(memory_->extranonce1), job::kExtranonce2Size));
    if (again && working_)
        notify_variant(true, true, now, out);
    else if (!again && authorized())
        start_work(false, now, out);
}

void Session::authorize(const Request& request, Moment now, std::string& out) {
    JsonReader params(request.params);
    const auto name_value = params.element();
    const auto password_value = params.element();
    std::string name_buffer, password_buffer;
    const auto name = name_value ? name_value->text(name_buffer) : std::nullopt;
    if (!name || !text_or_null(password_value)) {
        return refuse_request(request.id, "mining.authorize takes [name, password]", now, out);
    }
    auto parsed = parse_worker_name(*name, chain::params(host_.settings().network));
    if (!parsed) {
        append_not_authorized(out, request.id, parsed.error());
        return count_garbage(now);
    }
    if (worker_of(*parsed) == kNoWorker) {
        if (workers_.size() >= host_.settings().workers_per_connection) {
            return append_error(out, request.id, 20, "Too many workers on one connection");
        }
        if (host_.settings().one_address && authorized() && parsed->account != payee()) {
            return append_error(out, request.id, 20,
                                "This connection mines for the address authorized first");
        }
        // Not `false`: some firmware gives up a pool for good that refuses its name.
        if (host_.banned(*this, *parsed)) {
            return append_error(out, request.id, 20, describe(share::Refusal::banned));
        }
        workers_.push_back({std::string(*name), std::move(*parsed), {}});
        alias_.clear();
    }
    append_result(out, request.id, "true");
    if (password_value) apply_password(password_value->text(password_buffer).value_or(""));
    if (!working_ && subscribed()) start_work(false, now, out);
}

void Session::apply_password(std::string_view password) {
    const auto options = parse_password(password);
    if (options.minimum > 0) own_min_ = options.minimum;
    if (options.fixed > 0) fixed_ = options.fixed;
    if (working_) want(fixed_ > 0 ? fixed_ : wanted_.value_or(present_).value());
}

void Session::configure(const Request& request, Moment now, std::string& out) {
    JsonReader params(request.params);
    const auto extensions = params.element();
    const auto object = params.element();
    if (!extensions || extensions->type != JsonValue::Type::array ||
        (object && !object->is_null() && object->type != JsonValue::Type::object)) {
        return refuse_request(request.id, "mining.configure takes [[extension...], {option...}]",
                              now, out);
    }
    const auto options = read_options(object ? object->raw : std::string_view{});
    if (!options.complaint.empty()) {
        return refuse_request(request.id, options.complaint, now, out);
    }
    std::string result = "{";
    std::string buffer;
    JsonReader reader(extensions->raw);
    while (const auto extension = reader.element()) {
        const auto name = extension->text(buffer);
        if (!name) return refuse_request(request.id, "an extension must be a text", now, out);
        if (result.size() > 1) result += ',';
        result += extension->raw;
        if (*name == "version-rolling") {
            result += configure_version_rolling(options.mask, options.bad_mask);
        } else if (*name == "minimum-difficulty") {
            result += options.minimum > 0 ? ":true" : ":false";
            if (options.minimum > 0) own_min_ = options.minimum;
            if (working_) want(wanted_.value_or(present_).value());
        } else if (*name == "subscribe-extranonce") {
            takes_extranonce_ = true;
            result += ":true";
        } else {
            result += *name == "info" ? ":true" : ":false";
        }
    }
    append_result(out, request.id, result + '}');
}

std::string Session::configure_version_rolling(std::uint32_t mask, bool bad_mask) {
    if (bad_mask) return R"(:"version-rolling.mask is not hex")";
    miner_mask_ = mask;
    version_mask_ = mask & host_.settings().version_mask;
    accepted_mask_ = version_mask_;
    if (version_mask_ == 0) return ":false";
    return fmt::format(R"(:true,"version-rolling.mask":"{}")", base::hex32(version_mask_));
}

}  // namespace adit::stratum
