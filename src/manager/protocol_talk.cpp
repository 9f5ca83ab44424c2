#include "manager/protocol_talk.h"

#include "net/tls.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace adit::manager {
namespace {

using Json = nlohmann::json;

// A kernel whose queue of connections is full answers nobody; so the stop token is looked at now
// and then.
constexpr int kConnectSliceMs = 250;
constexpr std::size_t kShownBytes = 200;
constexpr int kLongestWaitMs = 60'000;

bool is_hex(const Json& value, std::size_t digits) {
    const auto* text = value.get_ptr<const std::string*>();
    return text != nullptr && text->size() == digits &&
           text->find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
}

bool is_hex_bytes(const Json& value) {
    const auto* text = value.get_ptr<const std::string*>();
    return text != nullptr && text->size() % 2 == 0 && is_hex(value, text->size());
}

// What is wrong with the parameters of a mining.notify; nullptr: nothing.
const char* notify_fault(const Json& params) {
    constexpr std::size_t kWord = 8;  // digits
    if (!params.is_array() || params.size() != 9) return "it has not nine parameters";
    if (!params[0].is_string() || params[0].get_ref<const std::string&>().empty()) {
        return "its job id is no text";
    }
    if (!is_hex(params[1], 64)) return "its previous hash is not 64 hex digits";
    if (!is_hex_bytes(params[2]) || !is_hex_bytes(params[3])) return "its coinbase is not hex";
    if (!params[4].is_array() ||
        !std::ranges::all_of(params[4], [](const Json& branch) { return is_hex(branch, 64); })) {
        return "a branch is not 64 hex digits";
    }
    for (const std::size_t i : {5, 6, 7}) {
        if (!is_hex(params[i], kWord)) return "version, nbits or ntime is not eight hex digits";
    }
    return params[8].is_boolean() ? nullptr : "clean_jobs is no boolean";
}

}  // namespace

std::string shown(std::string_view text) {
    std::string clean(text.substr(0, kShownBytes));
    std::ranges::replace_if(clean, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
    return text.size() > kShownBytes ? clean + "..." : clean;
}

ProtocolTalk::ProtocolTalk(const ProbedListener& listener, miner::ClientSettings client,
                           int answer_limit_ms, const CallLimits& limits, const base::Clock& clock)
    : listener_(listener),
      answer_limit_ms_(answer_limit_ms),
      limits_(limits),
      clock_(clock),
      client_(std::move(client)) {}

ProtocolTalk::~ProtocolTalk() = default;

// At least a millisecond: what is there already is still taken.
int ProtocolTalk::wait_ms(std::int64_t until_ms) {
    deadline_is_next_ = limits_.deadline_ms <= until_ms;
    const auto left = std::min(until_ms, limits_.deadline_ms) - clock_.steady_ms();
    return static_cast<int>(std::clamp<std::int64_t>(left, 1, kLongestWaitMs));
}

TalkResult ProtocolTalk::ended(const net::LineClient::Failure& failure, double ms) const {
    using Error = net::LineClient::Error;
    TalkResult result;
    result.ms = ms;
    result.words = std::string(describe(failure.error));
    if (!failure.detail.empty()) result.words += ": " + shown(failure.detail);
    switch (failure.error) {
        case Error::timeout:
            result.end = deadline_is_next_ ? TalkEnd::deadline : TalkEnd::silent;
            break;
        case Error::cancelled:
            result.end = TalkEnd::cancelled;
            break;
        case Error::closed:
            result.end = TalkEnd::closed;
            break;
        case Error::resolve:
        case Error::refused:
        case Error::reset:
        case Error::tls:
        case Error::too_long:
            result.end = TalkEnd::broken;
            break;
    }
    return result;
}

TalkResult ProtocolTalk::connect() {
    const Stopwatch watch(clock_);
    const auto endpoint = reachable(listener_.address);
    const auto until = clock_.steady_ms() + answer_limit_ms_;
    for (int waited = 0;; waited += kConnectSliceMs) {
        if (limits_.stop.stop_requested()) {
            return ended({net::LineClient::Error::cancelled, {}}, watch.ms());
        }
        const int left = wait_ms(until);
        auto connected = net::LineClient::connect(endpoint, std::min(left, kConnectSliceMs));
        if (connected) {
            line_ = std::move(*connected);
            break;
        }
        const bool again = connected.error().error == net::LineClient::Error::timeout &&
                           left > kConnectSliceMs && waited < answer_limit_ms_;
        if (!again) return ended(connected.error(), watch.ms());
    }
    act_on(client_.on_connected());
    return {TalkEnd::answered, {}, {}, watch.ms()};
}

TalkResult ProtocolTalk::send_proxy_greeting() {
    const Stopwatch watch(clock_);
    const std::stop_callback on_stop(limits_.stop, [this] { line_->cancel(); });
    const auto sent =
        line_->send_bytes(kProxyGreeting, wait_ms(clock_.steady_ms() + answer_limit_ms_));
    if (!sent) return ended(sent.error(), watch.ms());
    return {TalkEnd::answered, {}, {}, watch.ms()};
}

TalkResult ProtocolTalk::start_tls() {
    const Stopwatch watch(clock_);
    auto any_certificate = net::TlsContext::client(false);
    if (!any_certificate) {
        return ended({net::LineClient::Error::tls, any_certificate.error()}, watch.ms());
    }
    const std::stop_callback on_stop(limits_.stop, [this] { line_->cancel(); });
    const auto done = line_->start_tls(std::move(*any_certificate), "",
                                       wait_ms(clock_.steady_ms() + answer_limit_ms_));
    if (!done) return ended(done.error(), watch.ms());
    return {TalkEnd::answered, {}, {}, watch.ms()};
}

// One line, whatever it is.
TalkResult ProtocolTalk::receive(std::int64_t until_ms) {
    auto line = line_->receive_line(wait_ms(until_ms));
    if (!line) return ended(line.error(), 0);
    return {TalkEnd::answered, std::move(*line), {}, 0};
}

TalkResult ProtocolTalk::ask(std::string_view line, std::string_view id) {
    const Stopwatch watch(clock_);
    const std::stop_callback on_stop(limits_.stop, [this] { line_->cancel(); });
    const auto until = clock_.steady_ms() + answer_limit_ms_;
    const auto finish = [&](TalkResult result) {
        result.ms = watch.ms();
        return result;
    };
    if (const auto sent = line_->send_line(line, wait_ms(until)); !sent) {
        return ended(sent.error(), watch.ms());
    }
    const auto wanted = Json::parse(id, nullptr, false);
    for (std::size_t lines = 0; lines < kMostLines; ++lines) {
        auto came = receive(until);
        if (!came.answered()) return finish(std::move(came));
        take(came.line);
        const auto json = Json::parse(came.line, nullptr, false);
        if (!json.is_object() || json.contains("method")) continue;
        if (json.contains("id") && json["id"] == wanted) return finish(std::move(came));
        violate("an answer to what was not asked: " + shown(came.line));
    }
    return finish({TalkEnd::silent, {}, "a thousand lines came, and none was the answer", 0});
}

TalkResult ProtocolTalk::await_work() {
    const Stopwatch watch(clock_);
    const std::stop_callback on_stop(limits_.stop, [this] { line_->cancel(); });
    const auto until = clock_.steady_ms() + answer_limit_ms_;
    TalkResult came;
    for (std::size_t lines = 0; job_ == nullptr && lines < kMostLines; ++lines) {
        came = receive(until);
        if (!came.answered()) break;
        take(came.line);
    }
    came.ms = watch.ms();
    if (came.answered() && job_ == nullptr) {
        came = {TalkEnd::silent, {}, "a thousand lines came, and none was a job", came.ms};
    }
    return came;
}

TalkResult ProtocolTalk::await_end() {
    const Stopwatch watch(clock_);
    const std::stop_callback on_stop(limits_.stop, [this] { line_->cancel(); });
    auto came = receive(clock_.steady_ms() + answer_limit_ms_);
    came.ms = watch.ms();
    return came;
}

std::optional<ProtocolTalk::Opening> ProtocolTalk::next_opening() {
    if (to_send_.empty()) return std::nullopt;
    Opening opening{std::move(to_send_.front()), {}};
    to_send_.pop_front();
    opening.line.pop_back();  // its line feed
    opening.id = Json::parse(opening.line).at("id").dump();
    return opening;
}

std::vector<std::string> ProtocolTalk::take_violations() {
    return std::exchange(violations_, {});
}

void ProtocolTalk::violate(std::string sentence) {
    if (violations_.size() < kMostViolations) violations_.push_back(std::move(sentence));
}

// Holds a notification to the letter, then gives the line to the miner's side of the protocol.
void ProtocolTalk::take(std::string_view line) {
    const auto json = Json::parse(line, nullptr, false);
    if (!json.is_object()) return violate("a line that is no JSON object: " + shown(line));
    const std::string method = json.contains("method") && json["method"].is_string()
                                   ? json["method"].get<std::string>()
                                   : std::string();
    const auto params = json.value("params", Json());
    if (method.starts_with("mining.") && !json.value("id", Json()).is_null()) {
        violate(method + " came with an id");
    }
    if (method == "mining.set_difficulty") {
        if (difficulty_came_) violate("two mining.set_difficulty before one mining.notify");
        difficulty_came_ = any_difficulty_ = true;
        const bool whole = params.is_array() && !params.empty() && params[0].is_number() &&
                           (params[0].is_number_integer() || params[0].get<double>() < 1);
        if (!whole) violate("a difficulty from 1 up that is no integer: " + shown(line));
    } else if (method == "mining.notify") {
        if (const auto* fault = notify_fault(params)) {
            violate(fmt::format("a mining.notify is malformed: {}: {}", fault, shown(line)));
        } else {
            const auto id = params[0].get<std::string>();
            const auto version = base::parse_hex32(params[5].get<std::string>()).value_or(0);
            if (!any_difficulty_) violate("mining.notify before the first mining.set_difficulty");
            if (job_ == nullptr && !params[8].get<bool>()) {
                violate("the first job of the connection is not clean");
            }
            if (id == last_job_id_) violate("job id " + shown(id) + " came twice");
            if ((version & version_mask_) != 0) {
                violate("bits of the version mask are set in the version of job " + shown(id));
            }
            last_job_id_ = id;
        }
        difficulty_came_ = false;
    }
    act_on(client_.on_line(line));
}

void ProtocolTalk::act_on(miner::Actions actions) {
    for (auto& action : actions) {
        if (auto* send = std::get_if<miner::action::Send>(&action)) {
            to_send_.push_back(std::move(send->line));
        } else if (auto* work = std::get_if<miner::action::Work>(&action)) {
            job_ = std::move(work->job);
            clean_jobs_ += job_->clean;
        } else if (const auto* fail = std::get_if<miner::action::Fail>(&action)) {
            violate(fmt::format("a miner would leave: {} ({})", describe(fail->error),
                                shown(fail->detail)));
        }
    }
}

}  // namespace adit::manager
