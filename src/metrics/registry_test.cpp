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
