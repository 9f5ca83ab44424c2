#include "metrics/registry.h"

#include "base/check.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sstream>

namespace adit::metrics {
namespace {

enum Type { kCounter, kGauge, kHistogram };

prometheus::MetricType exposition_type(int type) {
    if (type == kCounter) return prometheus::MetricType::Counter;
    return type == kGauge ? prometheus::MetricType::Gauge : prometheus::MetricType::Histogram;
}

}  // namespace

struct Registry::Entry {
    Entry(Labels entry_labels, std::vector<double> bounds)
        : labels(std::move(entry_labels)), histogram(std::move(bounds)) {}

    Labels labels;
    Counter counter;
    Gauge gauge;
    Histogram histogram;
};

struct Registry::Family {
    std::string help;
    int type;
    std::deque<Entry> entries;  // references stay valid
};

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::observe(double value) {
    const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    counts_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
    std::uint64_t total = 0;
    for (const auto& bucket : counts_)
        total += bucket.load(std::memory_order_relaxed);
    return total;
}

double Histogram::quantile(double q) const {
    const auto total = count();
    if (total == 0 || bounds_.empty()) return 0;
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(total - 1)) + 1;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
        seen += bucket(i);
        if (seen >= wanted) return bounds_[i];
    }
    return bounds_.back();
}

Registry::Entry& Registry::find(std::string_view name, std::string_view help, int type,
                                Labels labels, std::vector<double> bounds) {
    const std::lock_guard lock(mutex_);
    auto& family = families_[std::string(name)];
    if (!family) family = std::make_shared<Family>(Family{std::string(help), type, {}});
    ADIT_CHECK(family->type == type, "one metric name, one type");
    for (auto& entry : family->entries) {
        if (entry.labels == labels) return entry;
    }
    auto& made = family->entries.emplace_back(std::move(labels), std::move(bounds));
    size_.fetch_add(1, std::memory_order_release);
    return made;
}

Counter& Registry::counter(std::string_view name, std::string_view help, Labels labels) {
    return find(name, help, kCounter, std::move(labels), {}).counter;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
    return find(name, help, kGauge, std::move(labels), {}).gauge;
}

Histogram& Registry::histogram(std::string_view name, std::string_view help,
                               std::vector<double> bounds, Labels labels) {
    return find(name, help, kHistogram, std::move(labels), std::move(bounds)).histogram;
}

std::string Registry::text() const {
    std::vector<prometheus::MetricFamily> families;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, family] : families_) {
        auto& out = families.emplace_back();
        out.name = name;
        out.help = family->help;
        out.type = exposition_type(family->type);
        for (const auto& entry : family->entries) {
            auto& metric = out.metric.emplace_back();
            for (const auto& [key, value] : entry.labels)
                metric.label.push_back({key, value});
            metric.counter.value = static_cast<double>(entry.counter.value());
            metric.gauge.value = entry.gauge.value();
            metric.histogram.sample_count = entry.histogram.count();
            metric.histogram.sample_sum = entry.histogram.sum();
            std::uint64_t cumulative = 0;
            for (std::size_t i = 0; i < entry.histogram.bounds().size(); ++i) {
                cumulative += entry.histogram.bucket(i);
                metric.histogram.bucket.push_back({cumulative, entry.histogram.bounds()[i]});
            }
        }
    }
    std::ostringstream stream;
    prometheus::TextSerializer{}.Serialize(stream, families);
    return stream.str();
}

void Registry::visit(const std::function<void(const MetricView&)>& see) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, family] : families_) {
        for (const auto& entry : family->entries) {
            see({name, entry.labels, family->type == kCounter ? &entry.counter : nullptr,
                 family->type == kGauge ? &entry.gauge : nullptr,
                 family->type == kHistogram ? &entry.histogram : nullptr});
        }
    }
}

std::vector<double> latency_bounds_ms() {
    return {0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};
}

}  // namespace adit::metrics
