// The durable record of shares, as the domain sees it: what is recorded, and the interface that
// takes it. Implemented by store (one machine) and, for clusters, by a forwarder.
#pragma once

#include "chain/target.h"
#include "job/job.h"

#include <memory>
#include <string_view>
#include <vector>

namespace adit::share {

using AccountId = std::uint32_t;    // counts from 1 within one log
using WorkerId = std::uint32_t;     // counts from 1 within one log
using LogPosition = std::uint64_t;  // bytes from the log's beginning; only grows

// Everything it takes to hash the share again (with its job's record) and what it is worth.
struct ShareRecord {
    job::JobId job = 0;
    job::HeaderChoice choice;
    AccountId account = 0;
    WorkerId worker = 0;
    // Credited work is that of this difficulty's target, 0 when `uncredited`.
    chain::Difficulty difficulty;
    bool uncredited = false;  // met only a lowered difficulty: answered true, worth nothing
    bool block = false;       // met the network target
    bool stale = false;       // only with block: of a previous tip, worth nothing
};

enum class CommitResult {
    committed,  // on disk; true may be answered
    failed,     // not recorded and never will be; answer 20 "storage unavailable"
};

// Told when a batch is durable or given up. Called on the recorder's thread, in order of submission
// for one listener; must not block.
class CommitListener {
 public:
    virtual ~CommitListener() = default;
    virtual void on_commit(std::uint64_t ticket, CommitResult result) = 0;
};

// A listener must outlive its batches.
struct ShareBatch {
    std::vector<ShareRecord> shares;
    CommitListener* listener = nullptr;
    std::uint64_t ticket = 0;  // handed back to the listener
};

// Safe from any thread.
class Recorder {
 public:
    virtual ~Recorder() = default;
    // The id of an account (a canonical address or an account's name); a new one is recorded before
    // any share that names it. 0 when the recorder cannot take more.
    virtual AccountId account(std::string_view name) = 0;
    virtual WorkerId worker(AccountId account, std::string_view name) = 0;
    // Records a job before any share of it. Never refused: jobs wait for storage.
    virtual void record_job(job::JobRef job) = 0;
    // Hands a batch over and leaves it empty. False (batch untouched, listener not called) when
    // storage is stalled or the bounded queue is full: refuse the shares with 20.
    virtual bool submit(ShareBatch& batch) = 0;
    // How far the log is durable.
    virtual LogPosition durable_position() const = 0;
};

}  // namespace adit::share
