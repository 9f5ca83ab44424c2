// The rings against a slow model that keeps every sample forever and computes each answer anew,
// over seeded histories with gaps, resets, set clocks and restarts.
#include "metrics/history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace adit::metrics {
namespace {

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

struct Sampled {
    std::int64_t second = 0;
    std::int64_t steady_ms = 0;
    int run = 0;
    double gauge = 0;
    double counter = 0;  // NaN: gaps
};

struct Increase {
    std::int64_t second = 0;
    double amount = 0;
    double seconds = 0;
};

class Model {
 public:
    void add(Sampled sampled) { samples_.push_back(sampled); }

    std::vector<Increase> increases(std::int64_t from_s) const {
        std::vector<Increase> out;
        const Sampled* before = nullptr;
        for (const auto& now : samples_) {
            if (now.second < from_s || std::isnan(now.counter)) continue;
            if (before != nullptr && before->run == now.run) {
                const auto fell = now.counter < before->counter;
                out.push_back({now.second, fell ? now.counter : now.counter - before->counter,
                               static_cast<double>(now.steady_ms - before->steady_ms) / 1e3});
            }
            before = &now;
        }
        return out;
    }
    // By start; every value from the samples themselves.
    std::map<std::int64_t, Point> gauges(std::int64_t unit) const {
        std::map<std::int64_t, Point> out;
        for (const auto& sampled : samples_) {
            if (std::isnan(sampled.gauge)) continue;
            auto& point = out[sampled.second - sampled.second % unit];
            point.min = point.count == 0 ? sampled.gauge : std::min(point.min, sampled.gauge);
            point.max = point.count == 0 ? sampled.gauge : std::max(point.max, sampled.gauge);
            point.mean += sampled.gauge;  // divided below
            point.last = sampled.gauge;
            ++point.count;
        }
        for (auto& [start, point] : out)
            point.mean /= point.count;
        return out;
    }
    std::map<std::int64_t, Point> counters(std::int64_t unit) const {
        std::map<std::int64_t, Point> out;
        std::map<std::int64_t, double> seconds;
        for (const auto& increase : increases(0)) {
            const auto start = increase.second - increase.second % unit;
            auto& point = out[start];
            const auto rate = increase.amount / increase.seconds;
            point.min = point.count == 0 ? rate : std::min(point.min, rate);
            point.max = point.count == 0 ? rate : std::max(point.max, rate);
            point.increase += increase.amount;
            ++point.count;
            point.mean = point.increase / (seconds[start] += increase.seconds);
        }
        return out;
    }
    std::int64_t newest() const { return samples_.back().second; }

 private:
    std::vector<Sampled> samples_;
};

void expect_near(double a, double b, const std::string& where) {
    EXPECT_NEAR(a, b, 1e-6 * (1 + std::abs(b))) << where;
}

void expect_same(const History& history, const Model& model, const std::string& where) {
    for (const auto resolution : {Resolution::second, Resolution::minute, Resolution::hour}) {
        const auto unit = seconds_of(resolution);
        const auto oldest = model.newest() - model.newest() % unit - retention_s(resolution);
        for (const bool counter : {false, true}) {
            auto wanted = counter ? model.counters(unit) : model.gauges(unit);
            std::erase_if(wanted, [&](const auto& entry) { return entry.first <= oldest; });
            auto got = history.points(counter ? "adit_c_total" : "adit_g", resolution, 0, kEnd);
            // The first second after a start has no increase.
            std::erase_if(got, [](const auto& point) { return point.count == 0; });
            ASSERT_EQ(got.size(), wanted.size()) << where << name_of(resolution) << counter;
            auto at = wanted.begin();
            for (const auto& point : got) {
                const auto spot = fmt::format("{} {} {}", where, name_of(resolution), at->first);
                ASSERT_EQ(point.start_s, at->first) << spot;
                ASSERT_EQ(point.count, at->second.count) << spot;
                expect_near(point.min, at->second.min, spot);
                expect_near(point.max, at->second.max, spot);
                expect_near(point.mean, at->second.mean, spot);
                if (counter)
                    expect_near(point.increase, at->second.increase, spot);
                else
                    expect_near(point.last, at->second.last, spot);
                ++at;
            }
        }
    }
    for (const std::int64_t span : {5, 60, 600}) {
        double amount = 0;
        double seconds = 0;
        for (const auto& increase : model.increases(model.newest() - span)) {
            amount += increase.amount;
            seconds += increase.seconds;
        }
        const auto rate = history.rate("adit_c_total", span);
        ASSERT_EQ(rate.has_value(), seconds > 0) << where << span;
        if (!rate) continue;
        expect_near(rate->seconds, seconds, where);
        expect_near(rate->per_second, amount / seconds, where);
    }
}

class RandomHistory {
 public:
    explicit RandomHistory(std::uint64_t seed) : random_(seed) { begin(); }

    bool step() {
        const auto dice = random_() % 1'000;
        std::int64_t ms = 1'000;
        if (dice < 5) ms = static_cast<std::int64_t>(random_() % 7'200'000);  // stands still
        if (dice >= 5 && dice < 30) ms = static_cast<std::int64_t>(random_() % 5'000);
        wall_ms_ += ms;
        steady_ms_ += ms;
        if (dice == 30) restart();
        gauge_ = dice % 50 == 31 ? kNone : static_cast<double>(random_() % 100'000) / 7;
        counter_ = dice % 60 == 32 ? kNone : total_ += static_cast<double>(random_() % 1'000);
        if (dice == 40) total_ = counter_ = 3;  // began again
        const auto second = wall_ms_ / 1'000;
        if (second > newest_) {
            newest_ = second;
            model_.add({second, steady_ms_, run_, gauge_, counter_});
        }
        history_->tick({wall_ms_, steady_ms_});
        return dice == 30;
    }
    void check(const std::string& where) { expect_same(*history_, model_, where); }

 private:
    static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    void begin() {
        registry_ = std::make_unique<Registry>();
        history_ = std::make_unique<History>(*registry_);
        history_->add("adit_g", SeriesKind::gauge, [this] { return gauge_; });
        history_->add("adit_c_total", SeriesKind::counter, [this] { return counter_; });
    }
    void restart() {
        const auto bytes = history_->serialise();
        begin();
        const auto restored = history_->restore(bytes);
        ASSERT_TRUE(restored) << restored.error();
        ASSERT_EQ(history_->serialise(), bytes);
        steady_ms_ = static_cast<std::int64_t>(random_() % 1'000'000);
        wall_ms_ += static_cast<std::int64_t>(random_() % 100'000) + 1'000;
        ++run_;
    }

    std::mt19937_64 random_;
    std::unique_ptr<Registry> registry_;
    std::unique_ptr<History> history_;
    Model model_;
    std::int64_t wall_ms_ = 1'700'000'000'000;
    std::int64_t steady_ms_ = 5'000;
    std::int64_t newest_ = 0;
    int run_ = 0;
    double gauge_ = 0;
    double counter_ = 0;
    double total_ = 0;
};

TEST(HistoryModel, AgreesWithASlowModelOverRandomHistories) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        RandomHistory history(seed);
        for (int i = 0; i < 4'000; ++i) {
            history.step();
            if (i % 500 == 499) history.check(fmt::format("seed {} step {}", seed, i));
            if (HasFatalFailure()) return;
        }
    }
}

}  // namespace
}  // namespace adit::metrics
