// One miner's connection as the protocol sees it: lines and time go in, replies and actions come
// out. No sockets, no threads, no clock. Lives on one shard's thread; the host outlives it.
//
// Difficulty: a change is held until the connection's next notify and then sent directly before it
// in the same write; each share is judged by the difficulty its job was sent with
// (SessionMemory::sent).
#pragma once

#include "stratum/request.h"
#include "stratum/session_host.h"
#include "stratum/vardiff.h"
#include "stratum/worker_name.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adit::stratum {

// What the shard is to do with the connection after it has written `out`.
enum class Action : std::uint8_t {
    none,
    close,  // write what is pending, then close in an orderly way
    reset,  // idle or no handshake in time: reset the connection
    ban,    // sustained garbage: ban and reset
};

class Session {
 public:
    struct Worker {
        std::string spelling;  // as the miner authorized it, escapes of JSON resolved
        WorkerName name;       // canonical
        WorkerIdentity identity;
        std::uint32_t accepted = 0;
        std::uint32_t refused = 0;
        std::int64_t last_share_ms = 0;  // steady; 0: none yet
    };

    Session(SessionHost& host, Moment now);

    // One line without its line feed. Appends the replies to out.
    Action on_line(std::string_view line, Moment now, std::string& out);
    // A line that came when the miner was banned already or its connection was closing: a submit is
    // handed to the host as late, if its header can be rebuilt. Never an answer. May be called
    // after park().
    void on_late_line(std::string_view line, Moment now);
    // The line limit was reached without a line feed.
    Action on_line_too_long(std::string& out);

    // Whether this job goes to the connection as it goes to everybody: the shard then writes
    // job.broadcast_line itself and calls on_plain_broadcast(). Otherwise it calls on_job().
    bool wants_plain_broadcast(const job::Job& job) const {
        return !job.pays_finder && working_ && !wanted_ && job.id > last_job_ &&
               job.id > resumed_job_ && (job.clean || job.tip == last_tip_) &&
               present_.value() <= job.network_difficulty.value();
    }
    void on_plain_broadcast(const job::Job& job, Moment now) {
        last_job_ = job.id;
        last_tip_ = job.tip;
        last_notify_ms_ = now.steady_ms;
    }
    // A new job of the book. Writes nothing while the miner is not ready for work.
    void on_job(const job::Job& job, Moment now, std::string& out);

    // About once a second: vardiff of silent miners, keep-alive notify, time-outs.
    Action on_tick(Moment now, std::string& out);

    // The verdict on a share given to SessionHost::submit(). A refused one is answered here; an
    // accepted one by on_committed().
    Action on_verdict(const PendingSubmit& pending, const share::Verdict& verdict, Moment now,
                      std::string& out);
    void on_committed(const SubmitTicket& ticket, share::CommitResult result, Moment now,
                      std::string& out);

    // Notes in the memory what a session that resumes it must know. Before it is released.
    void park();

    bool subscribed() const { return memory_ != nullptr; }
    bool authorized() const { return !workers_.empty(); }
    bool working() const { return working_; }
    // May be sent set_extranonce_line().
    bool takes_extranonce() const { return takes_extranonce_; }
    // Null before mining.subscribe.
    const std::shared_ptr<SessionMemory>& memory() const { return memory_; }
    const std::string& agent() const { return agent_; }
    std::span<const Worker> workers() const { return workers_; }
    // Names stay out of the share log until a share counts for them: then the shard fills in the
    // identity. `worker` is an index.
    Worker& worker(std::uint16_t worker) { return workers_[worker]; }
    // Whose share this was, for blocks and for people. A name that was not authorized and cannot be
    // paid is the account as it was sent.
    WorkerName name_of(const SubmitTicket& ticket) const;
    // The account that this connection's coinbases pay when they pay their finder: that of the name
    // authorized first. Empty before.
    std::string_view payee() const {
        return workers_.empty() ? std::string_view{} : workers_.front().name.account;
    }
    // What the miner was last told; the present wish of the pool may differ until the next notify.
    const chain::Difficulty& difficulty() const { return present_; }
    // Estimated hashes per second of the accepted shares.
    double hashrate(Moment now) const;
    std::int64_t connected_ms() const { return connected_ms_; }
    std::uint32_t in_flight() const { return in_flight_; }

 private:
    // session.cpp
    void refuse_request(std::string_view id, std::string_view why, Moment now, std::string& out);
    void count_garbage(Moment now);

    // session_opening.cpp
    void subscribe(const Request& request, Moment now, std::string& out);
    void authorize(const Request& request, Moment now, std::string& out);
    void apply_password(std::string_view password);
    void configure(const Request& request, Moment now, std::string& out);
    std::string configure_version_rolling(std::uint32_t mask, bool bad_mask);

    // session_requests.cpp
    Action dispatch(const Request& request, Moment now, std::string& out);
    void suggest_difficulty(const Request& request, Moment now, std::string& out);
    void suggest_target(const Request& request, Moment now, std::string& out);
    void suggest(double difficulty, Moment now, std::string& out);
    void get_transactions(const Request& request, Moment now, std::string& out);

    // session_submit.cpp
    void submit_general(const Request& request, Moment now, std::string& out);
    void submit(const SubmitFields& fields, Moment now, std::string& out);
    void submit_late(const SubmitFields& fields, Moment now);
    std::optional<share::Refusal> policy(const job::FoundJob& found, bool sent,
                                         std::uint16_t worker, share::PendingShare& share,
                                         std::optional<std::uint32_t> version_bits,
                                         Moment now) const;
    std::pair<bool, std::uint32_t> version_of(const job::Job& job,
                                              std::optional<std::uint32_t> bits) const;
    std::uint16_t worker_of(std::string_view name);
    std::uint16_t worker_of(const WorkerName& name) const;
    void refuse_share(std::string_view id, std::uint16_t worker, share::Refusal reason, Moment now,
                      std::string& out);

    // session_work.cpp
    bool ready() const { return subscribed() && authorized(); }
    // The job with this connection's account in its coinbase; null: it is the shared one.
    job::JobRef finder_job(const job::Job& shared);
    // What this connection works on when everybody gets this job.
    job::JobRef own_job(const job::JobRef& shared) {
        auto own = finder_job(*shared);
        return own ? own : shared;
    }
    void start_work(bool fresh, Moment now, std::string& out);
    chain::Difficulty initial_difficulty() const;
    chain::Difficulty within_bounds(double difficulty) const;
    bool notify_variant(bool clean, bool tell_difficulty, Moment now, std::string& out);
    void remember_sent(job::JobId job, std::uint8_t variant);
    void write_difficulty(chain::Difficulty difficulty, Moment now, std::string& out);
    void want(double difficulty);
    void retarget(Moment now, std::string& out);
    void update_version_mask(std::string& out);

    SessionHost& host_;
    std::shared_ptr<SessionMemory> memory_;
    std::vector<Worker> workers_;
    std::string alias_;  // the last name submitted that is spelled as none of them, and whose it is
    std::uint16_t alias_worker_ = kNoWorker;
    std::string agent_;
    Vardiff vardiff_;

    chain::Difficulty present_;                // what the miner was last told
    std::optional<chain::Difficulty> wanted_;  // held until the next notify
    double own_min_ = 0;                       // md=N or minimum-difficulty
    double fixed_ = 0;                         // d=N; 0: vardiff
    double suggested_ = 0;                     // the last hint; 0: none

    // The last of finder_job(); others are made anew. Null where nobody needs them.
    struct FinderJobs {
        std::array<job::JobRef, 4> jobs;
        std::size_t next = 0;
    };
    std::unique_ptr<FinderJobs> finder_jobs_;
    job::JobId last_job_ = 0;
    job::JobId resumed_job_ = 0;  // up to this one jobs were sent before the resume
    std::uint64_t last_tip_ = 0;
    std::int64_t last_notify_ms_ = 0;
    std::int64_t connected_ms_;
    std::int64_t last_line_ms_;

    std::int64_t garbage_since_ms_;
    std::uint32_t garbage_ = 0;
    std::uint32_t good_ = 0;

    std::uint32_t in_flight_ = 0;
    std::uint32_t miner_mask_ = 0;     // what the miner can roll, as it said
    std::uint32_t version_mask_ = 0;   // what it may roll; 0: not negotiated
    std::uint32_t accepted_mask_ = 0;  // that, and what it might roll before the last change
    bool working_ = false;
    bool takes_extranonce_ = false;
    bool resumed_ = false;
    bool banned_ = false;
};

}  // namespace adit::stratum
