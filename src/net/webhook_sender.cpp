#include "net/webhook_sender.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/random.h"

#include <fmt/format.h>

#include <curl/curl.h>

namespace adit::net {

namespace {

constexpr std::size_t kMaxAnswer = 64 * 1024;

struct FreeCurl {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Curl = std::unique_ptr<CURL, FreeCurl>;
using List = std::unique_ptr<curl_slist, FreeCurl>;

void start_curl() {
    static const auto kStarted = curl_global_init(CURL_GLOBAL_DEFAULT);
    ADIT_CHECK(kStarted == CURLE_OK, "libcurl must start");
}

// The answer's body is of no interest; an endless one ends the attempt.
std::size_t drop_answer(char*, std::size_t size, std::size_t count, void* seen) {
    auto& bytes = *static_cast<std::size_t*>(seen);
    bytes += size * count;
    return bytes > kMaxAnswer ? 0 : size * count;
}

int ask_to_go_on(void* out_of_time, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return (*static_cast<std::function<bool()>*>(out_of_time))() ? 1 : 0;
}

List headers_of(const WebhookBody& body, std::string_view signature) {
    curl_slist* list = nullptr;
    const auto add = [&](const std::string& line) {
        auto* longer = curl_slist_append(list, line.c_str());
        ADIT_CHECK(longer != nullptr, "out of memory");
        list = longer;
    };
    add("Content-Type: " + body.content_type);
    add("Expect:");
    if (!signature.empty()) add(fmt::format("X-Adit-Signature: {}", signature));
    for (const auto& [name, value] : body.headers)
        add(fmt::format("{}: {}", name, value));
    return List(list);
}

std::string refused(long status) {
    if (status >= 300 && status < 400)
        return fmt::format(
            "the receiver answered {}, a redirect; set the webhook's url to where it leads",
            status);
    if (status == 401 || status == 403 || status == 404 || status == 410)
        return fmt::format("the receiver answered {}; check the webhook's url and token", status);
    return fmt::format("the receiver answered {}", status);
}

}  // namespace

std::chrono::milliseconds webhook_wait(const WebhookSettings& settings, unsigned next,
                                       std::uint32_t random) {
    const auto doublings = std::min(next - 2, 20U);
    const auto longest = std::min(settings.first_wait * (std::int64_t{1} << doublings),
                                  std::chrono::milliseconds(settings.longest_wait));
    const auto part = longest.count() / 2;
    return std::chrono::milliseconds(longest.count() - part + random % (part + 1));
}

bool webhook_worth_retrying(long status) {
    return status == 0 || status == 408 || status == 425 || status == 429 || status >= 500;
}

WebhookSender::WebhookSender(WebhookSettings settings, const base::Clock& clock,
                             metrics::Registry& registry, base::Logger& log)
    : settings_(settings),
      clock_(clock),
      registry_(registry),
      log_(log),
      waiting_gauge_(registry.gauge("adit_webhook_waiting", "Notifications that wait")),
      dropped_(registry.counter("adit_webhook_dropped_total",
                                "Notifications not taken because too many waited")),
      retries_(registry.counter("adit_webhook_retries_total", "Attempts after the first")),
      attempt_ms_(registry.histogram("adit_webhook_attempt_ms", "Time of an attempt",
                                     metrics::latency_bounds_ms())) {
    start_curl();
    thread_ = std::thread([this] { work(); });
}

WebhookSender::~WebhookSender() {
    stop(std::chrono::milliseconds(0));
}

bool WebhookSender::send(WebhookTarget target, const WebhookMessage& message, Done done) {
    auto body = format_webhook(target.format, message);
    {
        const std::scoped_lock lock(mutex_);
        if (stopping_ || waiting_.size() >= settings_.most_waiting) {
            dropped_.add();
            return false;
        }
        waiting_.push_back(
            {std::move(target), std::move(body), std::move(done), 0, clock_.steady_ms()});
        waiting_gauge_.set(static_cast<double>(waiting_.size()));
    }
    changed_.notify_all();
    return true;
}

void WebhookSender::stop(std::chrono::milliseconds drain) {
    {
        const std::scoped_lock lock(mutex_);
        if (!stopping_) end_ms_ = clock_.steady_ms() + drain.count();
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    std::list<Item> left;
    {
        const std::scoped_lock lock(mutex_);
        left.swap(waiting_);
    }
    for (const auto& item : left) {
        finish(item, {.target = item.target.name,
                      .attempts = item.attempts,
                      .error = "the pool stopped before it was delivered"});
    }
    waiting_gauge_.set(0);
}

std::size_t WebhookSender::waiting() const {
    const std::scoped_lock lock(mutex_);
    return waiting_.size();
}

bool WebhookSender::out_of_time() const {
    return clock_.steady_ms() >= end_ms_;
}

void WebhookSender::work() {
    while (true) {
        std::list<Item> item;  // at most one
        {
            std::unique_lock lock(mutex_);
            while (item.empty()) {
                if (stopping_ && (waiting_.empty() || out_of_time())) return;
                const auto next = std::ranges::min_element(waiting_, {}, &Item::due_ms);
                if (next == waiting_.end()) {
                    changed_.wait(lock);
                    continue;
                }
                const auto wait_ms = next->due_ms - clock_.steady_ms();
                if (wait_ms > 0 && !stopping_) {
                    changed_.wait_for(lock, std::chrono::milliseconds(wait_ms));
                    continue;
                }
                item.splice(item.end(), waiting_, next);
            }
        }
        try_one(item);
    }
}

void WebhookSender::try_one(std::list<Item>& items) {
    auto& item = items.front();
    if (item.attempts++ > 0) retries_.add();
    const auto began_ns = clock_.steady_ns();
    auto attempt = post(item);
    attempt_ms_.observe(static_cast<double>(clock_.steady_ns() - began_ns) / 1e6);
    WebhookOutcome outcome{.target = item.target.name,
                           .delivered = attempt.status >= 200 && attempt.status < 300,
                           .attempts = item.attempts,
                           .status = attempt.status,
                           .error = {}};
    if (!outcome.delivered)
        outcome.error = attempt.error.empty() ? refused(attempt.status) : std::move(attempt.error);
    const bool again = !outcome.delivered && webhook_worth_retrying(attempt.status) &&
                       item.attempts < settings_.attempts;
    std::unique_lock lock(mutex_);
    if (again && !stopping_) {
        std::array<std::uint8_t, 4> random{};
        base::fill_random(random);
        const auto wait =
            webhook_wait(settings_, item.attempts + 1, base::load_le<std::uint32_t>(random.data()));
        const auto asked = std::min(attempt.retry_after, settings_.longest_wait);
        item.due_ms = clock_.steady_ms() + std::max(wait, asked).count();
        waiting_.splice(waiting_.end(), items);
    }
    waiting_gauge_.set(static_cast<double>(waiting_.size()));
    lock.unlock();
    if (!items.empty()) finish(item, std::move(outcome));
}

WebhookSender::Attempt WebhookSender::post(const Item& item) {
    const Curl curl(curl_easy_init());
    if (!curl) return {.status = 0, .error = "libcurl has no memory", .retry_after = {}};
    const auto signature = item.target.secret.empty()
                               ? std::string()
                               : webhook_signature(item.target.secret, item.body.body);
    const auto headers = headers_of(item.body, signature);
    std::size_t answer_bytes = 0;
    std::function<bool()> stop = [this] { return out_of_time(); };
    std::array<char, CURL_ERROR_SIZE> words{};
    auto* handle = curl.get();
    curl_easy_setopt(handle, CURLOPT_URL, item.target.url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!settings_.ca_file.empty())
        curl_easy_setopt(handle, CURLOPT_CAINFO, settings_.ca_file.c_str());
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "Adit");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(item.body.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, item.body.body.data());
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(settings_.connect_timeout.count()));
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.timeout.count()));
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, drop_answer);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer_bytes);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, ask_to_go_on);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &stop);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, words.data());
    const auto code = curl_easy_perform(handle);
    Attempt attempt;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &attempt.status);
    // With a status the receiver has decided, whatever became of the rest of its answer.
    if (code != CURLE_OK && attempt.status == 0)
        attempt.error = fmt::format("the receiver was not reached: {}",
                                    words[0] != 0 ? words.data() : curl_easy_strerror(code));
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &retry_after_s);
    attempt.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(retry_after_s, 0, 86'400));
    return attempt;
}

void WebhookSender::finish(const Item& item, WebhookOutcome outcome) {
    registry_
        .counter(
            "adit_webhook_sent_total", "Notifications that were delivered or given up",
            {{"target", outcome.target}, {"result", outcome.delivered ? "delivered" : "failed"}})
        .add();
    if (!outcome.delivered)
        log_.warning(
            "webhook", "not delivered",
            {{"target", outcome.target}, {"attempts", outcome.attempts}, {"error", outcome.error}});
    if (item.done) item.done(outcome);
}

}  // namespace adit::net
