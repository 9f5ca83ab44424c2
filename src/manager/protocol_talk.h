// One connection to one of the pool's own listeners, for the protocol check (protocol_check.h): it
// opens with PROXY header and TLS where the listener wants them, asks one request at a time, and
// looks at every line that the pool sends meanwhile. What miner::ClientProtocol takes generously is
// held here to the letter of docs/stratum-v1.md. Used by one thread; a stop token ends it from any.
#pragma once

#include "base/clock.h"
#include "manager/operation.h"
#include "manager/own_listener.h"
#include "miner/client_protocol.h"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::manager {

// How waiting for an answer ended.
enum class TalkEnd : std::uint8_t {
    answered,
    silent,     // nothing within the limit of one answer
    closed,     // the pool ended the connection in order
    broken,     // no connection, a reset, TLS that fails, a line without end
    deadline,   // of the whole call
    cancelled,  // its stop token
};

struct TalkResult {
    TalkEnd end = TalkEnd::answered;
    std::string line;   // the answer, when there is one
    std::string words;  // why there is none
    double ms = 0;      // until then

    bool answered() const { return end == TalkEnd::answered; }
};

class Stopwatch {
 public:
    explicit Stopwatch(const base::Clock& clock) : clock_(clock), begin_ns_(clock.steady_ns()) {}
    double ms() const { return static_cast<double>(clock_.steady_ns() - begin_ns_) * 1e-6; }

 private:
    const base::Clock& clock_;
    const std::int64_t begin_ns_;
};

// What a pool wrote, fit for a report: printable and short.
std::string shown(std::string_view text);

class ProtocolTalk {
 public:
    static constexpr std::size_t kMostLines = 1'000;  // that may come before one answer
    static constexpr std::size_t kMostViolations = 50;

    // answer_limit_ms: of each answer. The clock and the listener outlive it.
    ProtocolTalk(const ProbedListener& listener, miner::ClientSettings client, int answer_limit_ms,
                 const CallLimits& limits, const base::Clock& clock);
    ~ProtocolTalk();

    TalkResult connect();
    TalkResult send_proxy_greeting();
    TalkResult start_tls();
    // Sends a line and waits for the answer with this id (raw JSON, as it was sent).
    TalkResult ask(std::string_view line, std::string_view id);
    // Waits for a job, when none has come yet.
    TalkResult await_work();
    // Waits for the pool to end the connection in order; answered: it sent something instead.
    TalkResult await_end();

    // The next line that a miner would send by itself to open its session, with its id; nullopt
    // when there is none.
    struct Opening {
        std::string line;
        std::string id;
    };
    std::optional<Opening> next_opening();

    const miner::PoolJobRef& job() const { return job_; }
    // Jobs so far that made the shares of earlier ones worthless.
    std::uint64_t clean_jobs() const { return clean_jobs_; }
    // What the pool may not set in the versions of jobs; from mining.configure.
    void set_version_mask(std::uint32_t mask) { version_mask_ = mask; }
    // Sentences about what it sent unasked.
    std::vector<std::string> take_violations();

 private:
    int wait_ms(std::int64_t until_ms);
    TalkResult ended(const net::LineClient::Failure& failure, double ms) const;
    TalkResult receive(std::int64_t until_ms);
    void take(std::string_view line);
    void violate(std::string sentence);
    void act_on(miner::Actions actions);

    const ProbedListener& listener_;
    const int answer_limit_ms_;
    const CallLimits& limits_;
    const base::Clock& clock_;
    std::unique_ptr<net::LineClient> line_;
    bool deadline_is_next_ = false;  // the last wait was cut short by the call's deadline

    miner::ClientProtocol client_;
    std::deque<std::string> to_send_;
    miner::PoolJobRef job_;
    std::uint64_t clean_jobs_ = 0;
    std::uint32_t version_mask_ = 0;
    bool difficulty_came_ = false;  // since the last notify
    bool any_difficulty_ = false;
    std::string last_job_id_;
    std::vector<std::string> violations_;
};

}  // namespace adit::manager
