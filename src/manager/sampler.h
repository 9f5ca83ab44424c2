// Measured rates: once a second it reads the sum of accepted difficulty and keeps what it was, so
// that hash rates over the last minute and the last ten are differences of what was really
// accepted. Every ten seconds it also writes the metrics file and calls for whatever else is to be
// kept up to date. Owns one thread.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "metrics/registry.h"

#include <array>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

namespace adit::manager {

// A counter's value over the last kSeconds seconds, one sample a second. Not thread-safe.
class RateWindow {
 public:
    static constexpr std::size_t kSeconds = 600;
    void add(std::int64_t now_ms, double value);
    // Mean increase per second over the last `seconds`, or over what there is when that is less;
    // 0 with fewer than two samples.
    double per_second(std::size_t seconds) const;

 private:
    struct Sample {
        std::int64_t ms = 0;
        double value = 0;
    };
    std::array<Sample, kSeconds + 1> samples_{};
    std::size_t count_ = 0;
};

class Sampler {
 public:
    static constexpr int kFilesEvery = 10;  // seconds

    // work: the sum of accepted difficulty. keep: called every kFilesEvery seconds on the sampler's
    // thread. metrics_file is replaced atomically; empty: none.
    Sampler(std::function<double()> work, std::function<void()> keep,
            std::filesystem::path metrics_file, metrics::Registry& registry,
            const base::Clock& clock, base::Logger& logger);
    ~Sampler();

    // Hashes per second of accepted shares, averaged over the last `seconds` (at most 600).
    double hashrate(std::size_t seconds) const;

 private:
    void run(std::stop_token stop);
    void write_metrics();

    std::function<double()> work_;
    std::function<void()> keep_;
    std::filesystem::path metrics_file_;
    metrics::Registry& registry_;
    const base::Clock& clock_;
    base::Logger& logger_;
    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    RateWindow window_;
    bool write_failed_ = false;
    std::jthread thread_;
};

}  // namespace adit::manager
