// Suggestions for misspelt names. Pure, safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::base {

// The candidate that needs the fewest edits to become `word`, if those are few.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace adit::base
