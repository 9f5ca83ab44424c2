// What a session needs from the shard that it lives on. Implemented by the shard (and by a script
// in tests). All calls are made on the shard's thread, from within the session's own functions.
#pragma once

#include "job/job_book.h"
#include "share/share_processor.h"
#include "stratum/session_memory.h"
#include "stratum/session_settings.h"
#include "stratum/worker_name.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace adit::stratum {

class Session;

// A point in time, read once per turn of the shard's loop.
struct Moment {
    std::int64_t steady_ms = 0;
    std::int64_t wall_ms = 0;
};

struct Subscription {
    std::shared_ptr<SessionMemory> memory;
    bool resumed = false;  // the token was known: this is its old extranonce1
};

// The ids that the share log knows a worker by; 0 until its first accepted share.
struct WorkerIdentity {
    share::AccountId account = 0;
    share::WorkerId worker = 0;
};

// Goes with a share until it is answered.
struct SubmitTicket {
    std::string id;            // the request's id as raw JSON, echoed in the reply
    std::uint16_t worker = 0;  // index among the session's workers; kNoWorker when unauthorized
    std::string claimed_name;  // the name as submitted; only when it was not authorized
};
inline constexpr std::uint16_t kNoWorker = 0xffff;

// A submit whose header can be rebuilt. `share.duplicates` points into the session's memory: judge
// it before the session is destroyed or its memory handed to another one.
struct PendingSubmit {
    share::PendingShare share;
    SubmitTicket ticket;
    bool late = false;  // looked at for a block only: neither counted nor answered
};

class SessionHost {
 public:
    virtual ~SessionHost() = default;

    // The settings in force; the reference is used within the call only.
    virtual const SessionSettings& settings() const = 0;
    // The jobs of this shard. A job is in the book before sessions hear of it.
    virtual const job::JobBook& jobs() const = 0;

    // Gives out an extranonce1, or resumes the one of this token. Resuming closes the connection
    // that holds it first. Null memory when no extranonce1 is free.
    virtual Subscription subscribe(Session& session, std::optional<SessionToken> token) = 0;

    // Whether this name is banned at this peer's address.
    virtual bool banned(Session& session, const WorkerName& name) = 0;

    // Takes a share that is to be judged at the end of the turn. Then Session::on_verdict() must be
    // called, and for an accepted share Session::on_committed(); neither for a late one.
    virtual void submit(Session& session, PendingSubmit&& pending) = 0;

    // Called once for every refused mining.submit, whoever refused it; and once for every
    // committed.
    virtual void on_refused(Session& session, share::Refusal reason) = 0;
    virtual void on_accepted(Session& session) = 0;
    // Called once, when the session begins to receive work.
    virtual void on_working(Session& session) = 0;
};

}  // namespace adit::stratum
