// Operation 1: the steps on one listener. protocol_check.h says what they are for.
#include "manager/good_share.h"
#include "manager/protocol_check.h"
#include "manager/protocol_talk.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace adit::manager {
namespace {

using Json = nlohmann::json;

constexpr int kOther = 20;
constexpr int kJobNotFound = 21;
constexpr int kDuplicate = 22;
constexpr int kLowDifficulty = 23;
constexpr int kUnauthorized = 24;
constexpr int kNotSubscribed = 25;
constexpr int kGoodShareTries = 3;  // a new block can make a share stale under way
constexpr std::size_t kExtranonce1Digits = 8;
constexpr std::size_t kTokenDigits = 32;     // 128 bits
constexpr std::uint32_t kForbiddenBits = 1;  // outside every version mask

// The parameters of a mining.submit.
struct SubmitLine {
    std::string name{};
    std::string job = "ffffffff.0";
    std::string extranonce2 = "0000000000000000";
    std::string ntime = "00000000";
    std::string nonce = "00000000";
    std::string version_bits{};  // empty: left out

    std::string text(std::string_view id) const {
        auto params = Json::array({name, job, extranonce2, ntime, nonce});
        if (!version_bits.empty()) params.push_back(version_bits);
        return fmt::format(R"({{"id":{},"method":"mining.submit","params":{}}})", id,
                           params.dump(-1, ' ', true, Json::error_handler_t::replace));
    }
};

SubmitLine submit_of(const miner::Share& share, std::string name) {
    SubmitLine line{std::move(name),
                    share.job->id,
                    base::to_hex(share.extranonce2),
                    base::hex32(share.ntime),
                    base::hex32(share.nonce),
                    {}};
    if (const auto mask = share.job->version_mask; mask != 0) {
        line.version_bits = base::hex32(share.version & mask);
    }
    return line;
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'a' && c <= 'f' ? char(c - 'a' + 'A') : c; });
    return text;
}

// The code of a well-formed refusal; 0: it is none.
int refusal_code(const Json& reply) {
    const auto error = reply.value("error", Json());
    if (!error.is_array() || error.size() != 3 || !error[0].is_number_integer() ||
        !error[1].is_string() || error[1].get_ref<const std::string&>().empty()) {
        return 0;
    }
    const auto result = reply.value("result", Json());
    return result.is_null() || result == false ? error[0].get<int>() : 0;
}

bool is_result(const Json& reply) {
    return reply.contains("result") && !reply.at("result").is_null() &&
           reply.value("error", Json()).is_null();
}

class ListenerCheck {
 public:
    ListenerCheck(const ProbedListener& listener, const ProtocolCheckSettings& settings,
                  const CallLimits& limits, const base::Clock& clock)
        : listener_(listener),
          settings_(settings),
          limits_(limits),
          clock_(clock),
          talk_(listener, client_settings(settings), settings.answer_limit_ms, limits, clock) {
        result_.address = listener.address;
        result_.tls = listener.tls;
        result_.proxy_protocol = listener.proxy_protocol;
    }

    Outcome<ListenerProtocol> run();

 private:
    struct Step {
        const char* name;
        const char* expected;
        void (ListenerCheck::*run)();
    };
    static std::span<const Step> steps();

    static miner::ClientSettings client_settings(const ProtocolCheckSettings& settings) {
        miner::ClientSettings client;
        client.user = settings.name;
        client.agent = "adit-check/" ADIT_VERSION;
        client.suggest_difficulty = settings.suggest_difficulty;
        return client;
    }
    ProtocolStep& step() { return result_.steps.back(); }
    std::string next_id() { return std::to_string(next_id_++); }

    bool note(const TalkResult& came);
    void violate(std::string_view what);
    void skip(std::string why) {
        step().verdict = StepVerdict::not_tried;
        step().came = std::move(why);
    }
    // The answer as JSON, null when none came (then the step is over).
    Json ask(std::string_view line, std::string_view id);
    Json ask_opening();
    void refused(std::string_view line, std::string_view id, int code);
    void stays_usable();

    void connect();
    void proxy_greeting();
    void tls_handshake();
    void submit_unsubscribed();
    void configure();
    void subscribe();
    void authorize();
    void first_work();
    void subscribe_extranonce();
    void suggest_difficulty();
    void ping();
    void unknown_method();
    void params_of_wrong_type();
    void method_of_wrong_type();
    void unknown_job();
    void short_extranonce2();
    void forbidden_version_bits();
    void foreign_name();
    void low_difficulty();
    void good_share();
    void duplicate();
    void malformed_json();

    const ProbedListener& listener_;
    const ProtocolCheckSettings& settings_;
    const CallLimits& limits_;
    const base::Clock& clock_;
    ProtocolTalk talk_;
    ListenerProtocol result_;
    std::optional<OperationRefusal> refusal_;
    bool over_ = false;                  // there is no connection to go on with
    std::uint64_t next_id_ = 1'000'000;  // far from those of miner::ClientProtocol
    std::optional<SubmitLine> accepted_;
    std::uint64_t clean_before_ = 0;  // clean_jobs() when the good share was made
};

std::span<const ListenerCheck::Step> ListenerCheck::steps() {
    using C = ListenerCheck;
    static constexpr std::array<Step, 22> kSteps{{
        {"connect", "a connection", &C::connect},
        {"proxy_header", "it is taken, as the next answer shows", &C::proxy_greeting},
        {"tls_handshake", "it completes", &C::tls_handshake},
        {"submit_before_subscribe", "error 25", &C::submit_unsubscribed},
        {"configure", "version-rolling with a mask within the one asked for", &C::configure},
        {"subscribe", "a random session id, extranonce1 of 4 bytes, size 4 to 8", &C::subscribe},
        {"authorize", "true", &C::authorize},
        {"first_work", "set_difficulty, then notify with clean_jobs", &C::first_work},
        {"extranonce_subscribe", "true", &C::subscribe_extranonce},
        {"suggest_difficulty", "true", &C::suggest_difficulty},
        {"ping", "\"pong\"", &C::ping},
        {"unknown_method", "error 20", &C::unknown_method},
        {"params_of_wrong_type", "error 20, the text id echoed", &C::params_of_wrong_type},
        {"method_of_wrong_type", "error 20", &C::method_of_wrong_type},
        {"submit_unknown_job", "error 21", &C::unknown_job},
        {"submit_short_extranonce2", "error 20", &C::short_extranonce2},
        {"submit_forbidden_version", "error 20", &C::forbidden_version_bits},
        {"submit_foreign_name", "error 24", &C::foreign_name},
        {"submit_low_difficulty", "error 23", &C::low_difficulty},
        {"submit_good_share", "true, when it is durable", &C::good_share},
        {"submit_duplicate", "error 22, though the hex is in upper case", &C::duplicate},
        {"malformed_json", "one error 20 with id null, then an orderly end", &C::malformed_json},
    }};
    return kSteps;
}

Outcome<ListenerProtocol> ListenerCheck::run() {
    for (const auto& [name, expected, run] : steps()) {
        if (run == &ListenerCheck::proxy_greeting && !listener_.proxy_protocol) continue;
        if (run == &ListenerCheck::tls_handshake && !listener_.tls) continue;
        result_.steps.push_back({name, StepVerdict::not_tried, 0, expected, {}});
        if (over_) {
            skip("not tried: the connection had ended");
            continue;
        }
        (this->*run)();
        for (const auto& sentence : talk_.take_violations())
            violate(sentence);
        if (refusal_) return std::unexpected(std::move(*refusal_));
    }
    return std::move(result_);
}

void ListenerCheck::violate(std::string_view what) {
    step().verdict = StepVerdict::violates;
    result_.violations.push_back(fmt::format("{}: {}", step().step, what));
}

// Notes time and answer; false when there is none, and then all is said.
bool ListenerCheck::note(const TalkResult& came) {
    step().ms = came.ms;
    switch (came.end) {
        case TalkEnd::answered:
            step().verdict = StepVerdict::conforms;
            step().came = shown(came.line);
            return true;
        case TalkEnd::deadline:
            refusal_ = {RefusalKind::deadline,
                        fmt::format("the deadline came before the check of {} was done, in step {}",
                                    listener_.address, step().step)};
            return false;
        case TalkEnd::cancelled:
            refusal_ = {RefusalKind::cancelled,
                        fmt::format("the check of {} was called off in step {}", listener_.address,
                                    step().step)};
            return false;
        case TalkEnd::silent:
        case TalkEnd::closed:
        case TalkEnd::broken:
            break;
    }
    over_ = true;
    step().came = came.words;
    violate(fmt::format("expected {}; {}", step().expected, came.words));
    return false;
}

Json ListenerCheck::ask(std::string_view line, std::string_view id) {
    const auto came = talk_.ask(line, id);
    if (!note(came)) return nullptr;
    result_.was_answered = true;
    return Json::parse(came.line, nullptr, false);
}

// The next line that a miner's opening has.
Json ListenerCheck::ask_opening() {
    const auto opening = talk_.next_opening();
    if (!opening) {
        skip("not tried: the opening before it failed");
        over_ = true;
        return nullptr;
    }
    return ask(opening->line, opening->id);
}

// Nothing of what is refused may cost the miner its connection.
void ListenerCheck::refused(std::string_view line, std::string_view id, int code) {
    const auto clean_before = talk_.clean_jobs();
    const auto reply = ask(line, id);
    if (reply.is_null()) return;
    const auto came = refusal_code(reply);
    const auto answer = step().came;
    stays_usable();
    if (came == code || refusal_) return;
    if (came == kJobNotFound && talk_.clean_jobs() > clean_before) {
        return skip("not tried: a new block made the job stale under way");
    }
    violate(fmt::format("expected [{},\"...\",null] as error; got {}", code, answer));
}

void ListenerCheck::stays_usable() {
    const auto id = next_id();
    const auto came =
        talk_.ask(fmt::format(R"({{"id":{},"method":"mining.ping","params":[]}})", id), id);
    if (came.answered()) return;
    if (came.end == TalkEnd::deadline || came.end == TalkEnd::cancelled) {
        note(came);
        return;
    }
    over_ = true;
    violate("the connection is not usable afterwards: " + came.words);
}

void ListenerCheck::connect() {
    if (note(talk_.connect())) step().came = "connected";
}

void ListenerCheck::proxy_greeting() {
    if (note(talk_.send_proxy_greeting())) step().came = "sent";
}

void ListenerCheck::tls_handshake() {
    if (note(talk_.start_tls())) step().came = "done";
}

void ListenerCheck::submit_unsubscribed() {
    const auto id = next_id();
    refused(SubmitLine{.name = settings_.name}.text(id), id, kNotSubscribed);
}

void ListenerCheck::configure() {
    const auto reply = ask_opening();
    if (reply.is_null()) return;
    const std::uint32_t asked_mask = miner::ClientSettings{}.version_mask;
    const auto result = reply.value("result", Json());
    if (!is_result(reply) || !result.is_object() || !result.contains("version-rolling")) {
        return violate("the answer does not say whether versions may be rolled");
    }
    if (result["version-rolling"] != true) return;  // turned off, which is allowed
    const auto text = result.value("version-rolling.mask", Json());
    const auto mask = text.is_string() ? base::parse_hex32(text.get<std::string>()) : std::nullopt;
    if (!mask) return violate("version-rolling.mask is not eight hex digits");
    if ((*mask & ~asked_mask) != 0) return violate("the mask has bits that were not asked for");
    talk_.set_version_mask(*mask);
}

void ListenerCheck::subscribe() {
    const auto reply = ask_opening();
    if (reply.is_null()) return;
    const auto result = reply.value("result", Json());
    if (!is_result(reply) || !result.is_array() || result.size() != 3) {
        return violate("the answer is not [subscriptions, extranonce1, size]");
    }
    std::string session;
    bool difficulty = false;
    for (const auto& pair : result[0]) {
        if (!pair.is_array() || pair.size() != 2 || !pair[1].is_string()) continue;
        if (pair[0] == "mining.notify") session = pair[1].get<std::string>();
        difficulty |= pair[0] == "mining.set_difficulty";
    }
    if (!difficulty || session.empty()) violate("a subscription is missing");
    const auto extranonce1 = result[1].is_string() ? result[1].get<std::string>() : std::string();
    if (extranonce1.size() != kExtranonce1Digits || !base::parse_hex32(extranonce1)) {
        violate("extranonce1 is not four bytes in hex");
    }
    if (session.size() < kTokenDigits || session == extranonce1) {
        violate("the session id can be guessed");
    }
    if (!result[2].is_number_integer() || result[2] < 4 || result[2] > 8) {
        violate("the size of extranonce2 is not 4 to 8");
    }
}

void ListenerCheck::authorize() {
    const auto reply = ask_opening();
    if (reply.is_null()) return;
    if (is_result(reply) && reply["result"] == true) return;
    violate("the pool's own address was not authorized: " + step().came);
    over_ = true;  // no work comes now
}

void ListenerCheck::first_work() {
    const auto came = talk_.await_work();
    if (!note(came)) return;
    const auto& job = *talk_.job();
    step().came = shown(fmt::format("job {} at difficulty {}", job.id, job.difficulty.wire()));
}

void ListenerCheck::subscribe_extranonce() {
    const auto reply = ask_opening();
    if (!reply.is_null() && reply.value("result", Json()) != true) violate("it is not true");
}

void ListenerCheck::suggest_difficulty() {
    const auto reply = ask_opening();
    if (reply.is_null()) return;
    if (reply.value("result", Json()) != true) violate("it is not true");
    stays_usable();  // and what follows the answer has come by then
    if (over_ || refusal_) return;
    step().came += fmt::format("; difficulty {} now", talk_.job()->difficulty.wire());
}

void ListenerCheck::ping() {
    const auto id = next_id();
    const auto reply =
        ask(fmt::format(R"({{"id":{},"method":"mining.ping","params":[]}})", id), id);
    if (!reply.is_null() && reply.value("result", Json()) != "pong") violate("it is not \"pong\"");
}

void ListenerCheck::unknown_method() {
    const auto id = next_id();
    refused(fmt::format(R"({{"id":{},"method":"mining.adit_check","params":[]}})", id), id, kOther);
}

void ListenerCheck::params_of_wrong_type() {
    const std::string_view id = R"("adit-check")";
    refused(fmt::format(R"({{"id":{},"method":"mining.subscribe","params":"none"}})", id), id,
            kOther);
}

void ListenerCheck::method_of_wrong_type() {
    const auto id = next_id();
    refused(fmt::format(R"({{"id":{},"method":5,"params":[]}})", id), id, kOther);
}

void ListenerCheck::unknown_job() {
    const auto id = next_id();
    refused(SubmitLine{.name = settings_.name}.text(id), id, kJobNotFound);
}

void ListenerCheck::short_extranonce2() {
    const auto id = next_id();
    SubmitLine line{.name = settings_.name, .job = talk_.job()->id};
    line.extranonce2 = "00";
    refused(line.text(id), id, kOther);
}

void ListenerCheck::forbidden_version_bits() {
    const auto share = find_poor_share(talk_.job());
    if (!share) return skip("not tried: every hash meets the difficulty");
    const auto id = next_id();
    auto line = submit_of(*share, settings_.name);
    line.version_bits = base::hex32(kForbiddenBits);
    refused(line.text(id), id, kOther);
}

void ListenerCheck::foreign_name() {
    const auto share = find_poor_share(talk_.job());
    if (!share) return skip("not tried: every hash meets the difficulty");
    const auto id = next_id();
    refused(submit_of(*share, settings_.name + "-other").text(id), id, kUnauthorized);
}

void ListenerCheck::low_difficulty() {
    const auto share = find_poor_share(talk_.job());
    if (!share) return skip("not tried: every hash meets the difficulty");
    const auto id = next_id();
    refused(submit_of(*share, settings_.name).text(id), id, kLowDifficulty);
}

void ListenerCheck::good_share() {
    for (int left = kGoodShareTries; left > 0; --left) {
        const auto search =
            find_good_share(talk_.job(), settings_.mining_limit_ms, limits_, clock_);
        if (limits_.stop.stop_requested()) return void(note({TalkEnd::cancelled, {}, {}, 0}));
        if (clock_.steady_ms() >= limits_.deadline_ms) {
            return void(note({TalkEnd::deadline, {}, {}, 0}));
        }
        if (!search.share) return skip(search.why_none);
        clean_before_ = talk_.clean_jobs();
        const auto line = submit_of(*search.share, settings_.name);
        const auto id = next_id();
        const auto reply = ask(line.text(id), id);
        if (reply.is_null()) return;
        if (is_result(reply) && reply["result"] == true) {
            accepted_ = line;
            return;
        }
        stays_usable();  // a new job may be on its way
        if (over_ || refusal_) return;
        const bool stale =
            refusal_code(reply) == kJobNotFound && talk_.clean_jobs() > clean_before_;
        if (!stale) return violate("a good share was refused: " + step().came);
    }
    skip("not tried: blocks came faster than shares could be handed in");
}

void ListenerCheck::duplicate() {
    if (!accepted_) return skip("not tried: there is no accepted share to repeat");
    auto line = *accepted_;
    line.extranonce2 = upper(line.extranonce2);
    line.ntime = upper(line.ntime);
    line.nonce = upper(line.nonce);
    const auto id = next_id();
    const auto reply = ask(line.text(id), id);
    if (reply.is_null()) return;
    stays_usable();
    const auto code = refusal_code(reply);
    // The share's block may be over, its own find included.
    const bool stale = code == kJobNotFound && talk_.clean_jobs() > clean_before_;
    if (code != kDuplicate && !stale) {
        violate("a share that was counted before is not refused as a duplicate: " + step().came);
    }
}

void ListenerCheck::malformed_json() {
    const auto reply = ask(R"({"id":1,"method":)", "null");
    if (reply.is_null()) return;
    if (refusal_code(reply) != kOther) violate("it is not error 20");
    const auto end = talk_.await_end();
    if (end.end == TalkEnd::closed) return;
    if (end.end == TalkEnd::deadline || end.end == TalkEnd::cancelled) return void(note(end));
    violate(end.answered() ? "the connection goes on: " + shown(end.line)
                           : "the connection does not end in order: " + end.words);
}

}  // namespace

Outcome<ListenerProtocol> check_listener(const ProbedListener& listener,
                                         const ProtocolCheckSettings& settings,
                                         const CallLimits& limits, const base::Clock& clock) {
    return ListenerCheck(listener, settings, limits, clock).run();
}

}  // namespace adit::manager
