// The bounded rings under History: a timeline that all series share, and what one series keeps at
// its places. Plain data, owned by one History, not thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace adit::metrics {

// Consecutive places 0, 1, 2, ... of which the last `capacity` are kept; a place has a start time
// and, on the one-second timeline, what steady time passed since the place before.
class Timeline {
 public:
    explicit Timeline(std::size_t capacity) : capacity_(capacity) {}

    bool empty() const { return begin_ == end_; }
    std::uint64_t begin() const { return begin_; }  // the oldest place
    std::uint64_t end() const { return end_; }      // behind the newest
    std::size_t size() const { return end_ - begin_; }
    std::size_t capacity() const { return capacity_; }
    // Where a place lies in every vector that goes with this timeline.
    std::size_t slot(std::uint64_t place) const { return place % capacity_; }
    std::int64_t start_s(std::uint64_t place) const { return marks_[slot(place)].start_s; }
    // 0: nothing is known of the time before (start, or the clock was set).
    std::uint32_t elapsed_ms(std::uint64_t place) const { return marks_[slot(place)].elapsed_ms; }

    // `start_s` lies behind the newest; the oldest place goes when there are too many.
    void push(std::int64_t start_s, std::uint32_t elapsed_ms = 0) {
        const auto at = slot(end_);
        if (at >= marks_.size()) marks_.resize(at + 1);
        marks_[at] = {start_s, elapsed_ms};
        if (++end_ - begin_ > capacity_) ++begin_;
    }
    // Forgets the newest place.
    void pop() { --end_; }
    std::size_t bytes() const { return marks_.capacity() * sizeof(Mark); }

 private:
    struct Mark {
        std::int64_t start_s = 0;
        std::uint32_t elapsed_ms = 0;
    };
    std::size_t capacity_;
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
    std::vector<Mark> marks_;
};

// A minute or an hour of a series in 20 bytes, numbers with seven digits.
struct StoredPoint {
    float min = 0;  // of a counter: the smallest increase per second between two samples
    float max = 0;
    float a = 0;              // gauge: mean; counter: seconds that the increase took
    float b = 0;              // gauge: last; counter: increase
    std::uint16_t count = 0;  // samples, at most 65,535; 0: a gap
};

// The minute or hour that is being filled, in full precision.
struct Accumulator {
    double min = 0;
    double max = 0;
    double a = 0;  // gauge: sum; counter: seconds
    double b = 0;
    std::uint32_t count = 0;

    void add_gauge(double value) {
        add_extremes(value);
        a += value;
        b = value;
    }
    void add_increase(double increase, double seconds) {
        add_extremes(increase / seconds);
        a += seconds;
        b += increase;
    }
    StoredPoint stored(bool counter) const {
        if (count == 0) return {};
        return {static_cast<float>(min), static_cast<float>(max),
                static_cast<float>(counter ? a : a / count), static_cast<float>(b),
                static_cast<std::uint16_t>(
                    count < kMaxCount ? count : static_cast<std::uint32_t>(kMaxCount))};
    }
    // Goes on where a stored point ended.
    static Accumulator of(const StoredPoint& point, bool counter) {
        return {point.min, point.max,
                counter ? point.a : static_cast<double>(point.a) * point.count, point.b,
                point.count};
    }

 private:
    static constexpr auto kMaxCount = std::numeric_limits<std::uint16_t>::max();
    void add_extremes(double value) {
        min = count == 0 || value < min ? value : min;
        max = count == 0 || value > max ? value : max;
        ++count;
    }
};

// Grows a vector to hold a slot, with little to spare: most rings take days to fill.
template <class T>
T& at_slot(std::vector<T>& ring, std::size_t slot, std::size_t capacity, T missing) {
    if (slot >= ring.size()) {
        if (slot >= ring.capacity()) {
            const auto wanted = slot + 1 + slot / 4;
            ring.reserve(wanted < capacity ? wanted : capacity);
        }
        ring.resize(slot + 1, missing);
    }
    return ring[slot];
}

}  // namespace adit::metrics
