// Counters, gauges and histograms by name, and their text form for Prometheus. A metric is created
// once at start and kept by reference; updating one is a relaxed atomic operation. Safe from any
// thread. The registry outlives everything that holds its metrics.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace adit::metrics {

class Counter {
 public:
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
    void set(double value) { value_.store(value, std::memory_order_relaxed); }
    void add(double delta) { value_.fetch_add(delta, std::memory_order_relaxed); }
    double value() const { return value_.load(std::memory_order_relaxed); }

 private:
    std::atomic<double> value_{0};
};

// Buckets by upper bound (inclusive), with one more for everything above.
class Histogram {
 public:
    explicit Histogram(std::vector<double> bounds);
    void observe(double value);
    const std::vector<double>& bounds() const { return bounds_; }
    std::uint64_t bucket(std::size_t i) const { return counts_[i].load(std::memory_order_relaxed); }
    std::uint64_t count() const;
    double sum() const { return sum_.load(std::memory_order_relaxed); }
    // The upper bound of the bucket that holds this quantile (0..1); 0 when nothing was observed.
    double quantile(double q) const;

 private:
    std::vector<double> bounds_;
    std::deque<std::atomic<std::uint64_t>> counts_;
    std::atomic<double> sum_{0};
};

// Name and value, such as {{"reason", "duplicate"}}.
using Labels = std::map<std::string, std::string>;

// One metric as visit() shows it: exactly one pointer is set, and stays valid with the registry.
struct MetricView {
    std::string_view name;
    const Labels& labels;
    const Counter* counter = nullptr;
    const Gauge* gauge = nullptr;
    const Histogram* histogram = nullptr;
};

class Registry {
 public:
    // The metric of this name and these labels, created at the first call. Names follow Prometheus:
    // adit_<area>_<what>_<unit>[_total].
    Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
    Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                         Labels labels = {});
    // Prometheus text exposition format 0.0.4 of all metrics.
    std::string text() const;
    // Shows every metric, by name, then in the order of creation. The registry is locked meanwhile:
    // `see` must not create metrics.
    void visit(const std::function<void(const MetricView&)>& see) const;
    // How many metrics there are; they are never removed, so an equal size means the same metrics.
    std::size_t size() const { return size_.load(std::memory_order_acquire); }

 private:
    struct Entry;
    struct Family;
    Entry& find(std::string_view name, std::string_view help, int type, Labels labels,
                std::vector<double> bounds);

    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Family>, std::less<>> families_;
    std::atomic<std::size_t> size_{0};
};

// Upper bounds in milliseconds from 0.1 to 10,000 for latencies.
std::vector<double> latency_bounds_ms();

}  // namespace adit::metrics
