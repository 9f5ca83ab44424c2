#include "metrics/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::metrics {
namespace {

using testing::HasSubstr;

TEST(Registry, GivesTheSameMetricForTheSameNameAndLabels) {
    Registry registry;
    registry.counter("adit_x_total", "x", {{"reason", "a"}}).add(2);
    registry.counter("adit_x_total", "x", {{"reason", "b"}}).add(3);
    registry.counter("adit_x_total", "x", {{"reason", "a"}}).add(1);
    const auto text = registry.text();
    EXPECT_THAT(text, HasSubstr("# TYPE adit_x_total counter"));
    EXPECT_THAT(text, HasSubstr("adit_x_total{reason=\"a\"} 3"));
    EXPECT_THAT(text, HasSubstr("adit_x_total{reason=\"b\"} 3"));
}

TEST(Registry, EscapesLabelValues) {
    Registry registry;
    registry.gauge("adit_y", "y", {{"name", "a\"b\nc"}}).set(1.5);
    EXPECT_THAT(registry.text(), HasSubstr("adit_y{name=\"a\\\"b\\nc\"} 1.5"));
}

TEST(Registry, ShowsEveryMetricOnceAndCountsThem) {
    Registry registry;
    registry.gauge("adit_g", "g").set(2);
    registry.counter("adit_c_total", "c", {{"a", "1"}}).add(3);
    registry.counter("adit_c_total", "c", {{"a", "2"}});
    registry.counter("adit_c_total", "c", {{"a", "2"}});
    registry.histogram("adit_h", "h", {1}).observe(1);
    EXPECT_EQ(registry.size(), 4u);
    std::vector<std::string> seen;
    registry.visit([&](const MetricView& metric) {
        seen.emplace_back(metric.name);
        EXPECT_EQ(
            (metric.counter != nullptr) + (metric.gauge != nullptr) + (metric.histogram != nullptr),
            1);
        EXPECT_TRUE(metric.gauge == nullptr || metric.gauge->value() == 2);
        EXPECT_TRUE(metric.histogram == nullptr || metric.histogram->count() == 1);
    });
    EXPECT_THAT(seen, testing::ElementsAre("adit_c_total", "adit_c_total", "adit_g", "adit_h"));
}

TEST(Histogram, PutsAValueOnABoundIntoThatBucket) {
    Histogram histogram({1, 2, 5});
    for (const double value : {0.5, 1.0, 2.0, 3.0, 100.0})
        histogram.observe(value);
    EXPECT_EQ(histogram.bucket(0), 2u);
    EXPECT_EQ(histogram.bucket(1), 1u);
    EXPECT_EQ(histogram.bucket(2), 1u);
    EXPECT_EQ(histogram.bucket(3), 1u);
    EXPECT_EQ(histogram.count(), 5u);
    EXPECT_EQ(histogram.quantile(0.5), 2);
}

}  // namespace
}  // namespace adit::metrics
