// The public face of the share layer: judges the shares that one shard gathered in one turn of its
// loop. They are hashed together, then each gets its verdict in the order they came, so that the
// second of two equal shares in one turn is the duplicate. No I/O, no time, no allocation per share
// (the duplicate filters grow now and then). One per shard: not thread-safe.
#pragma once

#include "share/duplicate_filter.h"
#include "share/recorder.h"
#include "share/refusal.h"
#include "share/validator.h"

#include <array>
#include <optional>
#include <span>

namespace adit::share {

// A submit whose fields were understood, waiting for the end of the turn. Callers keep a vector of
// these and reuse it.
struct PendingShare {
    // Null when the job is unknown: then only `policy` (or else job_not_found) can be answered.
    job::JobRef job;
    job::HeaderChoice choice;
    // What the job was sent with; decides and is credited.
    chain::Difficulty difficulty;
    // The connection's present difficulty when it is lower than that.
    std::optional<chain::Difficulty> lowered;
    // A refusal known before hashing: stale, expired, unauthorized, banned, ntime policy and so on.
    // The header is hashed all the same, because it may be a block.
    std::optional<Refusal> policy;
    AccountId account = 0;
    WorkerId worker = 0;
    // The filter of this extranonce1. May be null only when `policy` or no job is given.
    DuplicateFilter* duplicates = nullptr;
};

struct Verdict {
    // Why the share is refused; nullopt: accepted, to be recorded and then answered true.
    std::optional<Refusal> refusal;
    // Meets the network target: to be submitted before anything else is done, refused or not.
    bool block = false;
    // Accepted but worth nothing: it met only the lowered difficulty, or it is a block although it
    // misses a share difficulty above the network's.
    bool uncredited = false;
    chain::Hash256 hash;  // of the header; zero when there was no job
};

class ShareProcessor {
 public:
    explicit ShareProcessor(const chain::Sha256Kernel& kernel = chain::sha256_kernel());

    // verdicts.size() == shares.size(). In the order of stratum-v1: the network target before
    // everything, then the policy refusal, then duplicates, then low difficulty. Only accepted
    // shares enter their duplicate filter.
    void process(std::span<const PendingShare> shares, std::span<Verdict> verdicts);

 private:
    static constexpr std::size_t kChunk = 64;        // shares hashed per round
    static constexpr std::size_t kTargetSlots = 64;  // power of two

    void process_chunk(std::span<const PendingShare> shares, std::span<Verdict> verdicts);
    Verdict judge(const PendingShare& share, const CheckResult& result);
    // Difficulty::target() divides 256-bit integers; few difficulties are in use at a time.
    const chain::Target& target_of(const chain::Difficulty& difficulty);

    struct CachedTarget {
        chain::Difficulty difficulty;
        chain::Target target;
    };
    Validator validator_;
    std::array<CachedTarget, kTargetSlots> targets_;
    std::array<CheckRequest, kChunk> requests_;  // of the present round
    std::array<CheckResult, kChunk> results_;
};

// What the log keeps of an accepted share, or of a block found by a refused one.
ShareRecord record_of(const PendingShare& share, const Verdict& verdict);

}  // namespace adit::share
