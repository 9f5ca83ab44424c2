// A Stratum client by hand, for what a well-behaved miner never does: it sends what it is told, in
// the order it is told, and computes its headers independently of the miner's and the pool's code
// for jobs. One thread.
#pragma once

#include "chain/block.h"
#include "net/line_client.h"
#include "tests/support/wait.h"

#include <nlohmann/json.hpp>

#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace adit::tests {

// One mining.notify.
struct LineJob {
    std::string id;
    std::string previous;  // as sent: words reversed
    std::string coinbase1;
    std::string coinbase2;
    std::vector<std::string> branches;
    std::uint32_t version = 0;
    std::uint32_t bits = 0;
    std::uint32_t ntime = 0;
    bool clean = false;
};

class LineMiner;
// The pool ends a new connection at once, or resets it before it was used.
bool turned_away(std::uint16_t port, std::string_view greeting = {});

class LineMiner {
 public:
    using Json = nlohmann::json;

    // Connects; `greeting` goes out first (a PROXY header). Throws std::runtime_error.
    explicit LineMiner(std::uint16_t port, std::string_view greeting = {},
                       net::LineClient::Options options = {});

    void send(std::string_view line);
    void send_bytes(std::string_view bytes);
    // Sends a request and waits for its reply; notifications that come before it are kept. Throws
    // when the connection ends or the deadline passes.
    Json request(std::string_view method, const Json& params);
    // The reply to an id that was sent by hand.
    Json reply_to(const Json& id);
    // Subscribes, authorizes and waits for the first job.
    void open(const std::string& user);
    bool authorize(const std::string& user);

    // Takes lines until this holds; false after the deadline or at the connection's end.
    template <class Condition>
    bool read_until(Condition&& holds, std::int64_t deadline_ms = kDeadlineMs) {
        const base::SystemClock clock;
        const auto deadline = clock.steady_ms() + deadline_ms;
        while (!holds()) {
            const auto left = deadline - clock.steady_ms();
            if (left <= 0 || !read_line(static_cast<int>(left))) return false;
        }
        return true;
    }
    // True when the pool ends the connection within the deadline.
    bool ended(std::int64_t deadline_ms = kDeadlineMs);

    // A share of this job that meets the job's own network target and so any share target: the
    // parameters of mining.submit. Different `salt`, different share.
    Json solve(const LineJob& job, const std::string& user, std::uint64_t salt) const;
    chain::BlockHeader header(const LineJob& job, const Json& submit) const;

    const LineJob& job() const { return jobs_.back(); }
    std::size_t jobs() const { return jobs_.size(); }
    const LineJob& job(std::size_t i) const { return jobs_[i]; }
    const std::string& extranonce1() const { return extranonce1_; }
    const std::string& session() const { return session_; }
    double difficulty() const { return difficulty_; }
    net::LineClient& client() { return *client_; }

 private:
    bool read_line(int timeout_ms);
    void take(const Json& message);

    std::unique_ptr<net::LineClient> client_;
    std::uint64_t next_id_ = 1;
    std::deque<Json> replies_;
    std::vector<LineJob> jobs_;
    std::string extranonce1_;
    std::string session_;
    std::size_t extranonce2_size_ = 0;
    double difficulty_ = 0;
};

}  // namespace adit::tests
