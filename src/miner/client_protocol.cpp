#include "miner/client_protocol.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace adit::miner {

using nlohmann::json;

namespace {

constexpr std::uint64_t kConfigureId = 1;
constexpr std::uint64_t kSubscribeId = 2;
constexpr std::uint64_t kAuthorizeId = 3;
constexpr std::uint64_t kExtranonceId = 4;
constexpr std::uint64_t kSuggestId = 5;
constexpr std::size_t kMaxBranches = 64;
constexpr std::size_t kMaxExtranonce1 = 32;
constexpr std::size_t kMaxExtranonce2 = 16;
constexpr std::size_t kMaxSessionId = 256;
constexpr std::uint32_t kLongestWaitS = 600;

// What a pool wrote, fit for a terminal and a log.
std::string printable(std::string_view text) {
    constexpr std::size_t kMaxText = 200;
    std::string clean(text.substr(0, kMaxText));
    std::ranges::replace_if(clean, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
    return clean;
}

Actions only(Action action) {
    Actions actions;
    actions.push_back(std::move(action));
    return actions;
}

Actions fail(ProtocolError error, std::string_view detail = {}) {
    return only(action::Fail{error, printable(detail)});
}

std::optional<std::string_view> text_of(const json& value) {
    const auto* text = value.get_ptr<const std::string*>();
    if (text == nullptr) return std::nullopt;
    return *text;
}

// Up to eight hex digits: some pools leave leading zeroes out.
std::optional<std::uint32_t> hex32_of(const json& value) {
    const auto text = text_of(value);
    if (!text || text->empty() || text->size() > 8) return std::nullopt;
    return base::parse_hex32(std::string(8 - text->size(), '0').append(*text));
}

std::optional<base::Bytes> bytes_of(const json& value, std::size_t limit) {
    const auto text = text_of(value);
    if (!text || text->size() > 2 * limit) return std::nullopt;
    return base::from_hex(*text);
}

// prevhash on the wire: the internal bytes with every four-byte word reversed.
bool read_previous(std::string_view hex, chain::Hash256& out) {
    if (!base::from_hex(hex, out.bytes)) return false;
    for (std::size_t word = 0; word < 32; word += 4) {
        std::reverse(out.bytes.begin() + static_cast<std::ptrdiff_t>(word),
                     out.bytes.begin() + static_cast<std::ptrdiff_t>(word + 4));
    }
    return true;
}

bool read_branches(const json& list, std::vector<chain::Hash256>& out) {
    if (!list.is_array() || list.size() > kMaxBranches) return false;
    for (const json& entry : list) {
        const auto hex = text_of(entry);
        if (!hex || !base::from_hex(*hex, out.emplace_back().bytes)) return false;
    }
    return true;
}

// The parts of mining.notify that come from the pool; nullptr or what is wrong with them.
const char* read_notify(const json& params, PoolJob& job) {
    constexpr std::size_t kMaxCoinbasePart = ClientProtocol::kMaxLine / 2;
    if (!params.is_array() || params.size() < 9) return "fewer than nine parameters";
    const auto id = text_of(params[0]);
    if (!id || id->empty() || id->size() > 256) return "job id";
    job.id = *id;
    const auto previous = text_of(params[1]);
    if (!previous || !read_previous(*previous, job.previous)) return "previous hash";
    auto coinbase1 = bytes_of(params[2], kMaxCoinbasePart);
    auto coinbase2 = bytes_of(params[3], kMaxCoinbasePart);
    if (!coinbase1 || !coinbase2) return "coinbase";
    job.coinbase1 = std::move(*coinbase1);
    job.coinbase2 = std::move(*coinbase2);
    if (!read_branches(params[4], job.branches)) return "branches";
    const auto version = hex32_of(params[5]);
    const auto bits = hex32_of(params[6]);
    const auto ntime = hex32_of(params[7]);
    if (!version || !bits || !ntime) return "version, nbits or ntime";
    const auto target = chain::target_from_compact(*bits);
    if (!target) return "nbits";
    if (!params[8].is_boolean()) return "clean_jobs";
    job.version = *version;
    job.bits = *bits;
    job.ntime = *ntime;
    job.network_target = *target;
    job.clean = params[8].get<bool>();
    return nullptr;
}

// The session id in the first element of the reply to mining.subscribe, which is a pair or a list
// of pairs ["mining.notify", id].
std::string session_of(const json& subscriptions) {
    const auto id_of_pair = [](const json& pair) -> std::optional<std::string> {
        if (!pair.is_array() || pair.size() < 2) return std::nullopt;
        const auto method = text_of(pair[0]);
        const auto id = text_of(pair[1]);
        if (!method || *method != "mining.notify" || !id) return std::nullopt;
        return std::string(id->size() <= kMaxSessionId ? *id : std::string_view());
    };
    if (const auto id = id_of_pair(subscriptions)) return *id;
    if (!subscriptions.is_array()) return {};
    for (const json& pair : subscriptions) {
        if (const auto id = id_of_pair(pair)) return *id;
    }
    return {};
}

// Code and words of an error member, in any of the shapes that pools use.
std::pair<int, std::string> error_of(const json& error) {
    if (const auto text = text_of(error)) return {0, printable(*text)};
    const json* code = nullptr;
    const json* text = nullptr;
    if (error.is_array()) {
        if (!error.empty()) code = &error[0];
        if (error.size() > 1) text = &error[1];
    } else if (error.is_object()) {
        if (error.contains("code")) code = &error["code"];
        if (error.contains("message")) text = &error["message"];
    }
    std::pair<int, std::string> result{0, "refused without a reason"};
    if (code != nullptr && code->is_number_integer()) {
        const auto value = code->get<std::int64_t>();
        if (value > -100'000 && value < 100'000) result.first = static_cast<int>(value);
    }
    if (text != nullptr && text->is_string()) {
        result.second = printable(text->get_ref<const std::string&>());
    }
    return result;
}

// A number or the text of one, at most `limit`; 0 for anything else.
std::uint32_t number_of(const json& value, std::uint32_t limit) {
    std::uint64_t number = 0;
    if (value.is_number_unsigned()) number = value.get<std::uint64_t>();
    if (const auto text = text_of(value)) {
        const auto* end = text->data() + text->size();
        const auto [stop, error] = std::from_chars(text->data(), end, number);
        if (error != std::errc{} || stop != end) return 0;
    }
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(number, limit));
}

// [host, port, wait_s], of which any tail may be missing.
action::Reconnect read_reconnect(const json& params) {
    action::Reconnect reconnect{{}, 0, 0};
    if (!params.is_array()) return reconnect;
    if (!params.empty()) {
        if (const auto host = text_of(params[0])) reconnect.host = printable(*host);
    }
    if (params.size() > 1)
        reconnect.port = static_cast<std::uint16_t>(number_of(params[1], 65'535));
    if (params.size() > 2) reconnect.wait_s = number_of(params[2], kLongestWaitS);
    return reconnect;
}

}  // namespace

struct ClientProtocol::Incoming {
    json message;

    const json& member(const char* name) const {
        static const json kNull;
        const auto at = message.find(name);
        return at == message.end() ? kNull : *at;
    }
    const json& params() const { return member("params"); }
    const json& result() const { return member("result"); }
    const json& error() const { return member("error"); }
    bool refused() const { return !error().is_null(); }
    std::optional<std::uint64_t> id() const {
        const json& id = member("id");
        if (!id.is_number_integer() || (!id.is_number_unsigned() && id < 0)) return std::nullopt;
        return id.get<std::uint64_t>();
    }
};

std::string_view describe(ProtocolError error) {
    switch (error) {
        case ProtocolError::line_too_long:
            return "the pool sent a line longer than 1 MiB";
        case ProtocolError::not_json:
            return "the pool sent a line that is no JSON object";
        case ProtocolError::bad_subscribe:
            return "the pool answered mining.subscribe with nonsense";
        case ProtocolError::subscribe_refused:
            return "the pool refused mining.subscribe";
        case ProtocolError::unauthorized:
            return "the pool refused the user name";
        case ProtocolError::bad_notify:
            return "the pool sent a malformed mining.notify";
        case ProtocolError::bad_difficulty:
            return "the pool sent an unusable difficulty";
        case ProtocolError::bad_extranonce:
            return "the pool sent an unusable extranonce";
        case ProtocolError::bad_version_mask:
            return "the pool sent an unusable version mask";
    }
    return "unknown";
}

ClientProtocol::ClientProtocol(ClientSettings settings) : settings_(std::move(settings)) {}

action::Send ClientProtocol::request(std::uint64_t id, std::string_view method,
                                     std::string params) {
    return {fmt::format("{{\"id\":{},\"method\":\"{}\",\"params\":{}}}\n", id, method, params)};
}

std::string ClientProtocol::subscribe_params() const {
    json params = json::array({settings_.agent});
    if (!session_id_.empty()) params.push_back(session_id_);
    return params.dump(-1, ' ', true, json::error_handler_t::replace);
}

Actions ClientProtocol::on_connected() {
    subscribed_ = ready_ = resumed_ = false;
    version_mask_ = 0;
    difficulty_ = chain::Difficulty();
    job_.reset();
    Actions actions;
    if (settings_.version_mask != 0) {
        actions.push_back(
            request(kConfigureId, "mining.configure",
                    fmt::format("[[\"version-rolling\"],{{\"version-rolling.mask\":\"{}\","
                                "\"version-rolling.min-bit-count\":2}}]",
                                base::hex32(settings_.version_mask))));
    }
    offered_session_ = !session_id_.empty();
    actions.push_back(request(kSubscribeId, "mining.subscribe", subscribe_params()));
    return actions;
}

Actions ClientProtocol::on_line(std::string_view line) {
    if (line.size() > kMaxLine) return fail(ProtocolError::line_too_long);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
    Incoming incoming{json::parse(line, nullptr, false)};
    if (!incoming.message.is_object()) return fail(ProtocolError::not_json, line);
    if (incoming.member("method").is_string()) return on_request(incoming);
    return on_response(incoming);
}

Actions ClientProtocol::on_response(const Incoming& message) {
    const auto id = message.id();
    if (!id) return {};
    switch (*id) {
        case kConfigureId:
            return on_configured(message);
        case kSubscribeId:
            return on_subscribed(message);
        case kAuthorizeId:
            return on_authorized(message);
        case kExtranonceId:
        case kSuggestId:
            return {};  // optional extensions; a refusal changes nothing
    }
    return on_submitted(*id, message);
}

Actions ClientProtocol::on_configured(const Incoming& message) {
    const json& result = message.result();
    if (!result.is_object() || result.value("version-rolling", json()) != true) return {};
    const auto mask = hex32_of(result.value("version-rolling.mask", json()));
    if (!mask) return fail(ProtocolError::bad_version_mask, result.dump());
    version_mask_ = *mask & settings_.version_mask;
    return {};
}

Actions ClientProtocol::on_subscribed(const Incoming& message) {
    if (subscribed_) return {};
    if (message.refused()) {
        if (!offered_session_) {
            return fail(ProtocolError::subscribe_refused, error_of(message.error()).second);
        }
        // A pool that stumbles over the session id gets a plain subscription.
        offered_session_ = false;
        session_id_.clear();
        return only(request(kSubscribeId, "mining.subscribe", subscribe_params()));
    }
    const json& result = message.result();
    if (!result.is_array() || result.size() < 3) return fail(ProtocolError::bad_subscribe);
    auto extranonce1 = bytes_of(result[1], kMaxExtranonce1);
    const json& size = result[2];
    if (!extranonce1 || !size.is_number_unsigned() || size < 1 || size > kMaxExtranonce2) {
        return fail(ProtocolError::bad_subscribe, result.dump());
    }
    resumed_ = offered_session_ && *extranonce1 == extranonce1_;
    extranonce1_ = next_extranonce1_ = std::move(*extranonce1);
    extranonce2_size_ = next_extranonce2_size_ = size.get<std::size_t>();
    session_id_ = session_of(result[0]);
    subscribed_ = true;
    const json names = json::array({settings_.user, settings_.password});
    return only(request(kAuthorizeId, "mining.authorize",
                        names.dump(-1, ' ', true, json::error_handler_t::replace)));
}

Actions ClientProtocol::on_authorized(const Incoming& message) {
    if (!subscribed_ || ready_) return {};
    if (message.result() != true) {
        return fail(ProtocolError::unauthorized,
                    message.refused() ? error_of(message.error()).second : settings_.user);
    }
    ready_ = true;
    Actions actions = only(action::Ready{resumed_});
    actions.push_back(request(kExtranonceId, "mining.extranonce.subscribe", "[]"));
    if (settings_.suggest_difficulty > 0) {
        actions.push_back(request(kSuggestId, "mining.suggest_difficulty",
                                  json::array({settings_.suggest_difficulty}).dump()));
    }
    while (!unsent_.empty()) {
        Pending next = std::move(unsent_.front());
        unsent_.pop_front();
        if (next.share.job->extranonce1 == extranonce1_) {
            actions.push_back(send_share(std::move(next)));
        } else {
            actions.push_back(action::Replied{
                {std::move(next.share), ShareOutcome::lost, 0, "the session was not resumed"}});
        }
    }
    return actions;
}

Actions ClientProtocol::on_submitted(std::uint64_t id, const Incoming& message) {
    const auto at = pending_.find(id);
    if (at == pending_.end()) return {};
    Pending pending = std::move(at->second);
    pending_.erase(at);
    ShareReply reply{std::move(pending.share), ShareOutcome::accepted, 0, {}};
    if (message.refused() || message.result() != true) {
        constexpr int kDuplicate = 22;
        std::tie(reply.code, reply.reason) = error_of(message.error());
        reply.outcome = pending.resent && reply.code == kDuplicate ? ShareOutcome::known
                                                                   : ShareOutcome::rejected;
    }
    return only(action::Replied{std::move(reply)});
}

action::Send ClientProtocol::send_share(Pending pending) {
    const Share& share = pending.share;
    json params = json::array({settings_.user, share.job->id, base::to_hex(share.extranonce2),
                               base::hex32(share.ntime), base::hex32(share.nonce)});
    if (const auto mask = share.job->version_mask; mask != 0) {
        params.push_back(base::hex32(share.version & mask));
    }
    const auto id = next_id_++;
    pending_.emplace(id, std::move(pending));
    return request(id, "mining.submit", params.dump(-1, ' ', true, json::error_handler_t::replace));
}

Actions ClientProtocol::submit(Share share) {
    const auto lost = [&share](std::string why) -> Actions {
        return only(action::Replied{{std::move(share), ShareOutcome::lost, 0, std::move(why)}});
    };
    if (pending() >= kMaxPending) return lost("too many shares without an answer");
    if (share.job->extranonce1 != extranonce1_) return lost("of an earlier session");
    if (!ready_) {
        unsent_.push_back({std::move(share), false});
        return {};
    }
    return only(send_share({std::move(share), false}));
}

void ClientProtocol::on_disconnected() {
    ready_ = subscribed_ = false;
    job_.reset();
    for (auto& [id, pending] : pending_)
        unsent_.push_back({std::move(pending.share), true});
    pending_.clear();
}

Actions ClientProtocol::give_up() {
    on_disconnected();
    Actions actions;
    for (auto& pending : unsent_) {
        actions.push_back(action::Replied{
            {std::move(pending.share), ShareOutcome::lost, 0, "no answer before the end"}});
    }
    unsent_.clear();
    return actions;
}

Actions ClientProtocol::on_request(const Incoming& message) {
    const auto& method = message.member("method").get_ref<const std::string&>();
    const json& params = message.params();
    if (method == "mining.notify") return on_notify(message);
    if (method == "mining.set_difficulty") return on_set_difficulty(message);
    if (method == "mining.set_extranonce") return on_set_extranonce(message);
    if (method == "mining.set_version_mask") return on_set_version_mask(message);
    if (method == "client.show_message") {
        if (!params.is_array() || params.empty() || !params[0].is_string()) return {};
        return only(action::Message{printable(params[0].get_ref<const std::string&>())});
    }
    if (method == "client.reconnect") return only(read_reconnect(params));
    const json& id = message.member("id");
    if (id.is_null()) return {};  // a notification of an extension we do not use
    json reply = {{"id", id}, {"result", nullptr}, {"error", nullptr}};
    if (method == "client.get_version") {
        reply["result"] = settings_.agent;
    } else if (method == "mining.ping") {
        reply["result"] = "pong";
    } else {
        reply["error"] = json::array({20, "Unknown method", nullptr});
    }
    return only(action::Send{reply.dump(-1, ' ', true, json::error_handler_t::replace) + '\n'});
}

Actions ClientProtocol::on_notify(const Incoming& message) {
    if (!subscribed_) return fail(ProtocolError::bad_notify, "before the subscription");
    auto job = std::make_shared<PoolJob>();
    if (const char* wrong = read_notify(message.params(), *job)) {
        return fail(ProtocolError::bad_notify, wrong);
    }
    extranonce1_ = next_extranonce1_;
    extranonce2_size_ = next_extranonce2_size_;
    job->extranonce1 = extranonce1_;
    job->extranonce2_size = extranonce2_size_;
    job->version_mask = version_mask_;
    job->difficulty = difficulty_;
    job->share_target = difficulty_.target();
    job_ = std::move(job);
    return only(action::Work{job_});
}

Actions ClientProtocol::on_set_difficulty(const Incoming& message) {
    const json& params = message.params();
    if (!params.is_array() || params.empty() || !params[0].is_number()) {
        return fail(ProtocolError::bad_difficulty, params.dump());
    }
    const auto difficulty = chain::Difficulty::from_double(params[0].get<double>());
    if (!difficulty) return fail(ProtocolError::bad_difficulty, params.dump());
    difficulty_ = *difficulty;  // from the next notify on
    return {};
}

Actions ClientProtocol::on_set_extranonce(const Incoming& message) {
    const json& params = message.params();
    if (!params.is_array() || params.size() < 2) return fail(ProtocolError::bad_extranonce);
    auto extranonce1 = bytes_of(params[0], kMaxExtranonce1);
    const json& size = params[1];
    if (!extranonce1 || !size.is_number_unsigned() || size < 1 || size > kMaxExtranonce2) {
        return fail(ProtocolError::bad_extranonce, params.dump());
    }
    next_extranonce1_ = std::move(*extranonce1);  // from the next notify on
    next_extranonce2_size_ = size.get<std::size_t>();
    return {};
}

Actions ClientProtocol::on_set_version_mask(const Incoming& message) {
    const json& params = message.params();
    const auto mask = params.is_array() && !params.empty() ? hex32_of(params[0]) : std::nullopt;
    if (!mask) return fail(ProtocolError::bad_version_mask, params.dump());
    version_mask_ = *mask & settings_.version_mask;  // at once (BIP310)
    if (!job_ || job_->version_mask == version_mask_) return {};
    auto job = std::make_shared<PoolJob>(*job_);
    job->version_mask = version_mask_;
    job->clean = false;
    job_ = std::move(job);
    return only(action::Work{job_});
}

}  // namespace adit::miner
