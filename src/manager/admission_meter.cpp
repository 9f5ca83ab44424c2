#include "manager/admission_meter.h"

#include <algorithm>

namespace adit::manager {
namespace {

double seconds_between(const LoadSample& from, const LoadSample& to) {
    return static_cast<double>(to.steady_ms - from.steady_ms) * 1e-3;
}

// The mean number of connections times the time between two neighbouring samples.
double area(const LoadSample& from, const LoadSample& to) {
    return (static_cast<double>(from.connections) + static_cast<double>(to.connections)) / 2 *
           seconds_between(from, to);
}

}  // namespace

void AdmissionMeter::add(const LoadSample& sample) {
    if (count_ > 0) {
        const auto& before = newest();
        if (sample.steady_ms <= before.steady_ms) return;
        if (sample.connections > most_connections_ &&
            sample.connections - before.connections >= kLeastStep) {
            growth_ += sample.connections - std::max(most_connections_, before.connections);
            growth_bytes_ += sample.resident_bytes - before.resident_bytes;
        }
        connection_seconds_ += area(before, sample);
        if (count_ >= samples_.size()) {
            const auto next = (count_ + 1) % samples_.size();
            connection_seconds_ -= area(oldest(), samples_[next]);
        }
    }
    most_connections_ = std::max(most_connections_, sample.connections);
    samples_[count_ % samples_.size()] = sample;
    ++count_;
}

std::optional<MeasuredCost> AdmissionMeter::bytes_per_connection() const {
    if (growth_ < kLeastGrowth || growth_bytes_ <= 0) return std::nullopt;
    return MeasuredCost{growth_bytes_ / growth_, static_cast<double>(growth_)};
}

bool AdmissionMeter::is_long_enough() const {
    return count_ >= 2 && newest().steady_ms - oldest().steady_ms >= kLeastMs;
}

std::optional<double> AdmissionMeter::cpu_ratio() const {
    if (!is_long_enough()) return std::nullopt;
    return (newest().cpu_seconds - oldest().cpu_seconds) / seconds_between(oldest(), newest());
}

std::optional<MeasuredCost> AdmissionMeter::cpu_per_share() const {
    if (!is_long_enough()) return std::nullopt;
    const auto shares = newest().shares - oldest().shares;
    if (shares < kLeastShares) return std::nullopt;
    return MeasuredCost{(newest().cpu_seconds - oldest().cpu_seconds) / static_cast<double>(shares),
                        static_cast<double>(shares)};
}

std::optional<MeasuredCost> AdmissionMeter::cpu_per_connection() const {
    if (!is_long_enough()) return std::nullopt;
    const auto seconds = seconds_between(oldest(), newest());
    if (connection_seconds_ < kLeastConnections * seconds) return std::nullopt;
    return MeasuredCost{(newest().cpu_seconds - oldest().cpu_seconds) / connection_seconds_,
                        connection_seconds_};
}

}  // namespace adit::manager
