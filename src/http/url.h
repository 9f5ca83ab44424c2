// The target of a request, taken apart strictly: what is not clearly well formed is refused, not
// repaired. Pure functions, safe from any thread.
#pragma once

#include "http/message.h"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace adit::http {

enum class TargetError : std::uint8_t {
    not_a_path = 0,         // neither "/..." nor "http://host/..."
    bad_escape = 1,         // % without two hex digits
    control_character = 2,  // raw or escaped
    not_utf8 = 3,
    dot_segment = 4,     // "." or ".."
    escaped_slash = 5,   // %2F or %5C within a segment
    too_many_parts = 6,  // segments or query parameters
    repeated_name = 7,   // the same query parameter twice
    forbidden_raw = 8,   // a character that must be escaped
};
inline constexpr std::size_t kTargetErrors = 9;
std::string_view describe(TargetError error);

inline constexpr std::size_t kMaxSegments = 32;
inline constexpr std::size_t kMaxQueryParams = 64;

struct Target {
    std::vector<std::string> segments;  // decoded; "/" has none, "/a/" has "a" and ""
    Fields query;                       // decoded

    std::string path() const;
};

std::expected<Target, TargetError> parse_target(std::string_view target);

// Resolves %XX; `plus_is_space` as in queries.
std::expected<std::string, TargetError> percent_decode(std::string_view text, bool plus_is_space);

bool valid_utf8(std::string_view text);

}  // namespace adit::http
