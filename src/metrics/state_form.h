// The file around what history, alerts and forecasts keep across a restart: sections under one
// checksum (docs/metrics.md, "The file"). Pure functions, safe from any thread.
#pragma once

#include "base/bytes.h"

#include <expected>
#include <map>
#include <string>

namespace adit::metrics {

enum class Section : std::uint32_t { history = 1, alerts = 2, forecasts = 3 };
using Sections = std::map<Section, base::Bytes>;

inline constexpr std::uint32_t kStateVersion = 1;

base::Bytes encode_state(const Sections& sections, std::int64_t wall_ms);

struct State {
    Sections sections;         // without those that this version does not know
    std::int64_t wall_ms = 0;  // when it was written
};
// The error is a sentence on why the bytes are refused: torn, foreign, or of a newer version.
std::expected<State, std::string> decode_state(base::ByteSpan bytes);

}  // namespace adit::metrics
