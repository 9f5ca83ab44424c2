// The miner's side of Stratum V1 without a socket: lines in, actions out. One object lives as long
// as the miner and sees all of its connections, so that a lost session can be resumed. Not
// thread-safe: its owner is the thread that owns the connection. docs/stratum-v1.md, BIP310.
#pragma once

#include "miner/pool_job.h"

#include <deque>
#include <expected>
#include <map>
#include <span>
#include <string_view>
#include <variant>

namespace adit::miner {

struct ClientSettings {
    std::string user;            // ADDRESS[.worker] or ACCOUNT[.worker]
    std::string password = "x";  // may hold options such as d=N
    std::string agent = "adit-miner/" ADIT_VERSION;
    // BIP320 mask to ask for; 0 leaves mining.configure out.
    std::uint32_t version_mask = 0x1fffe000;
    // mining.suggest_difficulty after authorization; 0: none.
    double suggest_difficulty = 0;
};

enum class ProtocolError : std::uint8_t {
    line_too_long,
    not_json,
    bad_subscribe,      // the reply to mining.subscribe has another shape
    subscribe_refused,  // also without a session id
    unauthorized,       // the pool refused the user name
    bad_notify,
    bad_difficulty,
    bad_extranonce,
    bad_version_mask,
};
inline constexpr std::size_t kProtocolErrorCount = 9;
std::string_view describe(ProtocolError error);

namespace action {
// Write this line (it ends with a line feed).
struct Send {
    std::string line;
};
// Authorized: shares are welcome. `resumed`: the pool gave the previous session's extranonce1 back.
struct Ready {
    bool resumed;
};
// Work on this from now on. When `clean`, shares of earlier jobs are worthless.
struct Work {
    PoolJobRef job;
};
struct Replied {
    ShareReply reply;
};
// client.reconnect: close, wait, then connect to host:port; an empty host means the same as before.
struct Reconnect {
    std::string host;
    std::uint16_t port;  // 0: the same as before
    std::uint32_t wait_s;
};
// client.show_message.
struct Message {
    std::string text;
};
// The pool broke the protocol or turned us away: close, and try again later.
struct Fail {
    ProtocolError error;
    std::string detail;  // what the pool said, printable and short
};
}  // namespace action

using Action = std::variant<action::Send, action::Ready, action::Work, action::Replied,
                            action::Reconnect, action::Message, action::Fail>;
using Actions = std::vector<Action>;

class ClientProtocol {
 public:
    static constexpr std::size_t kMaxLine = 1 << 20;  // coinbases of large pools are long
    static constexpr std::size_t kMaxPending = 4096;  // shares without an answer

    explicit ClientProtocol(ClientSettings settings);

    // A connection is open: the opening lines. Offers the last session id.
    Actions on_connected();
    // One line from the pool, without its line feed. Blank lines are ignored.
    Actions on_line(std::string_view line);
    // The connection ended. Unanswered shares are kept, to be sent again when the session resumes.
    void on_disconnected();
    // Hands in a share. Sends it when ready, keeps it otherwise; it is lost when there are
    // kMaxPending already or it was made with another extranonce1.
    Actions submit(Share share);
    // Gives up: every unanswered share is reported as lost.
    Actions give_up();

    bool ready() const { return ready_; }
    std::size_t pending() const { return pending_.size() + unsent_.size(); }
    const std::string& session_id() const { return session_id_; }

 private:
    struct Pending {
        Share share;
        bool resent = false;
    };

    struct Incoming;
    Actions on_response(const Incoming& message);
    Actions on_request(const Incoming& message);
    Actions on_configured(const Incoming& message);
    Actions on_subscribed(const Incoming& message);
    Actions on_authorized(const Incoming& message);
    Actions on_submitted(std::uint64_t id, const Incoming& message);
    Actions on_notify(const Incoming& message);
    Actions on_set_difficulty(const Incoming& message);
    Actions on_set_extranonce(const Incoming& message);
    Actions on_set_version_mask(const Incoming& message);
    action::Send request(std::uint64_t id, std::string_view method, std::string params);
    action::Send send_share(Pending pending);
    std::string subscribe_params() const;

    ClientSettings settings_;
    std::string session_id_;
    base::Bytes extranonce1_;       // of the present or last session
    base::Bytes next_extranonce1_;  // from the next notify on
    std::size_t extranonce2_size_ = 0;
    std::size_t next_extranonce2_size_ = 0;
    std::uint32_t version_mask_ = 0;
    chain::Difficulty difficulty_;
    PoolJobRef job_;
    bool subscribed_ = false;
    bool ready_ = false;
    bool resumed_ = false;
    bool offered_session_ = false;
    std::uint64_t next_id_ = 100;
    std::map<std::uint64_t, Pending> pending_;  // by request id
    std::deque<Pending> unsent_;                // found while not ready
};

}  // namespace adit::miner
