// Checks shares: rebuilds the header that a miner hashed and compares the hash with the share's and
// the network's target. Several shares are hashed interleaved. No allocation per share, no I/O, no
// state but the chosen kernel: safe from any thread.
#pragma once

#include "chain/sha256.h"
#include "job/job.h"
#include "share/refusal.h"

#include <span>

namespace adit::share {

struct CheckRequest {
    const job::Job* job;
    job::HeaderChoice choice;
    chain::Target share_target;
};

struct CheckResult {
    chain::Hash256 hash;
    bool meets_share = false;
    bool meets_network = false;
};

class Validator {
 public:
    explicit Validator(const chain::Sha256Kernel& kernel = chain::sha256_kernel())
        : kernel_(&kernel) {}

    // results.size() == requests.size(). Requests may be of different jobs.
    void check(std::span<const CheckRequest> requests, std::span<CheckResult> results) const;

 private:
    const chain::Sha256Kernel* kernel_;
};

// Version bits as submitted onto the job's version (BIP310): nullopt when they leave the mask.
std::optional<std::uint32_t> roll_version(std::uint32_t job_version, std::uint32_t mask,
                                          std::uint32_t version_bits);

// The ntime policy: from the job's minimum to 7,000 s past its ntime and never more than two hours
// past the wall clock. nullopt when it is fine.
std::optional<Refusal> check_time(const job::Job& job, std::uint32_t ntime,
                                  std::int64_t wall_seconds);

}  // namespace adit::share
