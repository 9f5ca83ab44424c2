// The stored form of a History: docs/metrics.md, "The history section".
#include "metrics/column_coding.h"
#include "metrics/history.h"

#include <cmath>

namespace adit::metrics {
namespace {

constexpr std::array<std::int64_t, kResolutions> kSeconds{1, 60, 3'600};

template <class T>
std::unexpected<std::string> refuse(T&& why) {
    return std::unexpected(fmt::format("the history cannot be read: {}", why));
}

void append_timeline(base::Bytes& out, const Timeline& line, bool with_elapsed) {
    append_varint(out, line.size());
    if (line.empty()) return;
    base::append_le(out, line.start_s(line.begin()));
    for (auto place = line.begin() + 1; place < line.end(); ++place)
        append_varint(out,
                      static_cast<std::uint64_t>(line.start_s(place) - line.start_s(place - 1)));
    if (!with_elapsed) return;
    for (auto place = line.begin(); place < line.end(); ++place)
        append_varint(out, line.elapsed_ms(place));
}

std::optional<Timeline> read_timeline(base::ByteReader& reader, std::size_t capacity,
                                      std::int64_t unit_s) {
    constexpr std::int64_t kLatest = std::int64_t{1} << 40;  // far enough from overflow
    const auto n = read_varint(reader);
    if (!reader.ok() || n > capacity) return std::nullopt;
    std::vector<std::int64_t> starts;
    for (std::uint64_t i = 0; i < n; ++i) {
        std::int64_t start = 0;
        if (i == 0) {
            start = reader.le<std::int64_t>();
            if (start < -kLatest || start > kLatest) return std::nullopt;
        } else {
            const auto step = read_varint(reader);
            if (step == 0 || step > static_cast<std::uint64_t>(kLatest)) return std::nullopt;
            start = starts.back() + static_cast<std::int64_t>(step);
        }
        if (!reader.ok() || start > kLatest || start % unit_s != 0) return std::nullopt;
        starts.push_back(start);
    }
    Timeline line(capacity);
    for (const auto start : starts) {
        const auto elapsed = unit_s == 1 ? read_varint(reader) : 0;
        if (!reader.ok() || elapsed > std::numeric_limits<std::uint32_t>::max())
            return std::nullopt;
        line.push(start, static_cast<std::uint32_t>(elapsed));
    }
    return line;
}

std::uint64_t word(float value) {
    return std::bit_cast<std::uint32_t>(value);
}

// One column after the other: neighbours in a column are alike.
void append_points(base::Bytes& out, const Timeline& line, const std::vector<StoredPoint>& ring) {
    constexpr std::array<std::uint64_t (*)(const StoredPoint&), 5> kColumns{
        [](const StoredPoint& p) { return word(p.min); },
        [](const StoredPoint& p) { return word(p.max); },
        [](const StoredPoint& p) { return word(p.a); },
        [](const StoredPoint& p) { return word(p.b); },
        [](const StoredPoint& p) { return std::uint64_t{p.count}; }};
    std::vector<std::uint64_t> words(line.size());
    for (const auto column : kColumns) {
        for (std::size_t i = 0; i < words.size(); ++i) {
            const auto slot = line.slot(line.begin() + i);
            words[i] = column(slot < ring.size() ? ring[slot] : StoredPoint{});
        }
        append_column(out, words);
    }
}

bool read_points(base::ByteReader& reader, const Timeline& line, std::vector<StoredPoint>& ring) {
    std::array<std::vector<std::uint64_t>, 5> columns;
    for (auto& column : columns) {
        auto words = read_column(reader, line.size());
        if (!words) return false;
        column = std::move(*words);
    }
    const auto number = [&](std::size_t column, std::size_t i) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(columns[column][i]));
    };
    for (std::size_t i = 0; i < line.size(); ++i) {
        for (std::size_t column = 0; column < 4; ++column) {
            if (columns[column][i] > std::numeric_limits<std::uint32_t>::max()) return false;
        }
        if (columns[4][i] > std::numeric_limits<std::uint16_t>::max()) return false;
        at_slot(ring, line.slot(line.begin() + i), line.capacity(), StoredPoint{}) = {
            number(0, i), number(1, i), number(2, i), number(3, i),
            static_cast<std::uint16_t>(columns[4][i])};
    }
    return true;
}

}  // namespace

base::Bytes History::serialise() const {
    base::Bytes out;
    base::append_le(out, kFormatVersion);
    for (std::size_t r = 0; r < kResolutions; ++r)
        append_timeline(out, timelines_[r], r == 0);
    append_varint(out, series_.size());
    const auto& fine = timeline(Resolution::second);
    std::vector<std::uint64_t> words(fine.size());
    for (const auto& [name, series] : series_) {
        append_text(out, name);
        base::append_le(out, static_cast<std::uint8_t>(series.kind));
        for (std::size_t i = 0; i < words.size(); ++i) {
            const auto slot = fine.slot(fine.begin() + i);
            words[i] = std::bit_cast<std::uint64_t>(slot < series.seconds.size()
                                                        ? series.seconds[slot]
                                                        : std::numeric_limits<double>::quiet_NaN());
        }
        append_column(out, words);
        append_points(out, timeline(Resolution::minute), series.coarse[0]);
        append_points(out, timeline(Resolution::hour), series.coarse[1]);
    }
    return out;
}

struct History::Form {
    std::vector<Timeline> lines;
    SeriesMap series;

    // What goes beyond `limit` series is checked and dropped, and so is what holds gaps only.
    bool read_series(base::ByteReader& reader, std::size_t limit) {
        auto name = read_text(reader, kMaxName);
        const auto kind = reader.le<std::uint8_t>();
        if (!reader.ok() || name.empty() || kind > 1 || series.contains(name)) return false;
        Series made;
        made.kind = static_cast<SeriesKind>(kind);
        const auto words = read_column(reader, lines[0].size());
        if (!words) return false;
        bool holds = false;
        for (std::size_t i = 0; i < words->size(); ++i) {
            holds = holds || !std::isnan(std::bit_cast<double>((*words)[i]));
            at_slot(made.seconds, lines[0].slot(lines[0].begin() + i), lines[0].capacity(), 0.0) =
                std::bit_cast<double>((*words)[i]);
        }
        for (std::size_t c = 0; c < made.coarse.size(); ++c) {
            const auto& line = lines[c + 1];
            if (!read_points(reader, line, made.coarse[c])) return false;
            holds = holds ||
                    std::ranges::any_of(made.coarse[c], [](const auto& p) { return p.count > 0; });
            if (line.empty()) continue;
            made.current[c] = Accumulator::of(made.coarse[c][line.slot(line.end() - 1)],
                                              made.kind == SeriesKind::counter);
        }
        if (holds && series.size() < limit) series.emplace(std::move(name), std::move(made));
        return true;
    }
};

std::expected<void, std::string> History::restore(base::ByteSpan bytes) {
    if (ticked_) return refuse("it has begun already");
    base::ByteReader reader(bytes);
    const auto version = reader.le<std::uint32_t>();
    if (!reader.ok()) return refuse("it is cut short");
    if (version > kFormatVersion) {
        return refuse(fmt::format("a newer version wrote it (format {}, this one reads {})",
                                  version, kFormatVersion));
    }
    if (version == 0) return refuse("it is none");
    Form form;
    for (std::size_t r = 0; r < kResolutions; ++r) {
        auto line = read_timeline(reader, timelines_[r].capacity(), kSeconds[r]);
        if (!line) return refuse("its times are damaged");
        form.lines.push_back(*std::move(line));
    }
    const auto count = read_varint(reader);
    if (!reader.ok() || count > kMaxStoredSeries) return refuse("it names too many series");
    for (std::uint64_t i = 0; i < count; ++i) {
        if (!form.read_series(reader, settings_.max_series)) return refuse("a series is damaged");
    }
    if (!reader.finished()) return refuse("bytes are left over");

    for (std::size_t r = 0; r < kResolutions; ++r)
        timelines_[r] = std::move(form.lines[r]);
    for (auto& [name, stored] : form.series) {
        const auto known = series_.find(name);
        if (known == series_.end()) {
            // Fewer are kept than before: what fits.
            if (series_.size() < settings_.max_series) series_[name] = std::move(stored);
        } else if (known->second.kind == stored.kind) {
            stored.read = std::move(known->second.read);
            known->second = std::move(stored);
        }
    }
    return {};
}

}  // namespace adit::metrics
