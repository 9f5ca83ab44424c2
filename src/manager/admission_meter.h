// What a connection and a share cost this pool, measured while it runs: one sample a second of the
// process and its miners. Guarded by its owner; not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace adit::manager {

struct LoadSample {
    std::int64_t steady_ms = 0;
    double resident_bytes = 0;
    double cpu_seconds = 0;  // since start
    std::uint32_t connections = 0;
    std::uint64_t shares = 0;  // accepted since start
};

// A cost with what it was measured on.
struct MeasuredCost {
    double value = 0;
    double measured_on = 0;  // connections, shares, or connections times seconds
};

class AdmissionMeter {
 public:
    static constexpr std::size_t kSeconds = 300;  // of CPU that count
    static constexpr std::int64_t kLeastMs = 60'000;
    static constexpr std::uint64_t kLeastShares = 1'000;
    static constexpr double kLeastConnections = 10;  // on average
    static constexpr std::uint32_t kLeastGrowth = 100;
    // A second in which fewer came tells more of the rest of the process than of them.
    static constexpr std::uint32_t kLeastStep = 10;

    void add(const LoadSample& sample);

    // Resident bytes per connection: growth of the process over growth of its connections, in the
    // seconds since start in which at least kLeastStep came and there were more than ever before
    // (others find memory that was used before). nullopt until kLeastGrowth have come so.
    std::optional<MeasuredCost> bytes_per_connection() const;
    // Processors that the pool keeps busy, over the last kSeconds; nullopt before kLeastMs.
    std::optional<double> cpu_ratio() const;
    // CPU seconds per accepted share, and processors per connection. Each is all that the process
    // took, divided by one of the two: more than either costs alone, never less.
    std::optional<MeasuredCost> cpu_per_share() const;
    std::optional<MeasuredCost> cpu_per_connection() const;

 private:
    const LoadSample& newest() const { return samples_[(count_ - 1) % samples_.size()]; }
    const LoadSample& oldest() const {
        return count_ <= samples_.size() ? samples_[0] : samples_[count_ % samples_.size()];
    }
    bool is_long_enough() const;

    std::array<LoadSample, kSeconds + 1> samples_{};
    std::size_t count_ = 0;
    std::uint32_t most_connections_ = 0;
    std::uint32_t growth_ = 0;  // connections
    double growth_bytes_ = 0;
    double connection_seconds_ = 0;  // of the samples kept
};

}  // namespace adit::manager
