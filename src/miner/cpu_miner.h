// Hashes on N threads of its own and delivers the shares it finds. Every number it reports was
// counted. set_job(), clear_job() and the getters are safe from any thread.
#pragma once

#include "base/clock.h"
#include "miner/scanner.h"

#include <functional>

namespace adit::miner {

struct CpuMinerSettings {
    unsigned threads = 1;
    double hashes_per_s = 0;  // of all threads together; 0: as fast as the processor goes
    // Where to begin in the job's space; different values keep miners that share an extranonce1
    // (in tests) apart.
    std::uint64_t first_unit = 0;
};

class CpuMiner {
 public:
    // Called on a hashing thread; must not call stop() or destroy the miner.
    using Deliver = std::function<void(Share)>;

    // The clock must outlive the miner. Threads start at once and wait for a job.
    CpuMiner(CpuMinerSettings settings, const base::Clock& clock, Deliver deliver);
    ~CpuMiner();  // stops
    CpuMiner(const CpuMiner&) = delete;
    CpuMiner& operator=(const CpuMiner&) = delete;

    // Threads move to this job within a few milliseconds; the work counter goes on, so the same
    // header is never hashed twice.
    void set_job(PoolJobRef job);
    void clear_job();
    // Joins the threads; nothing is delivered afterwards. Idempotent.
    void stop();

    // Hashes computed so far.
    std::uint64_t hashes() const;
    unsigned threads() const;

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace adit::miner
