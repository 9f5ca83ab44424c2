// Chooses the difficulty of one connection so that shares come at the wanted pace. Pure: time
// (steady ms) is passed in. The estimate is work per second (difficulty per second), so a change of
// difficulty does not disturb it. Difficulties move in powers of two: few values are in use at a
// time, whose targets are then known already. See docs/stratum.md, "Vardiff".
#pragma once

#include <cstdint>
#include <optional>

namespace adit::stratum {

struct DifficultyBounds {
    double min = 1;
    double max = 1;

    // Within the bounds, and rounded down to what goes over the wire (an integer from 1 up).
    double clamp(double difficulty) const;
};

// The bounds of a connection: the operator's, the miner's own minimum, and never more than the
// network demands. `max` 0 means no maximum but the network's.
DifficultyBounds difficulty_bounds(double min, double max, double own_min, double network);

class Vardiff {
 public:
    struct Advice {
        double difficulty;
        bool urgent;  // the connection floods: tell it now, not with the next job
    };

    static constexpr double kMemoryIntervals = 16;  // time constant of the average, in intervals
    static constexpr double kWindowIntervals = 6;   // at most one change in this many
    static constexpr double kFloodFactor = 8;       // shares come this much too fast
    static constexpr double kFloodShares = 16;      // seen before it counts as a flood
    static constexpr double kFloodStep = 64;        // most that one urgent change multiplies by

    explicit Vardiff(std::int64_t now_ms)
        : start_ms_(now_ms), updated_ms_(now_ms), window_ms_(now_ms) {}

    // An accepted share of the difficulty that its job was sent with. `present` is what the
    // connection has now: shares of easier jobs that are still on their way are no flood.
    void on_share(double difficulty, double present, double interval_s, std::int64_t now_ms);

    // What the difficulty should become; nullopt: leave it. Cheap until a window has passed.
    std::optional<Advice> advise(double present, double interval_s, std::int64_t now_ms);

    // The connection was told a new difficulty: a new window begins.
    void on_change(std::int64_t now_ms);

    // Estimated difficulty per second; times 2^32 it is hashes per second.
    double rate(double interval_s, std::int64_t now_ms) const;

 private:
    double average(double extra, double interval_s, std::int64_t now_ms) const;

    double sum_ = 0;  // exponentially decayed sum of difficulties, as of updated_ms_
    std::int64_t start_ms_;
    std::int64_t updated_ms_;
    std::int64_t window_ms_;    // when the present window began
    double window_shares_ = 0;  // in shares of the present difficulty
};

}  // namespace adit::stratum
