// Always-on assertions for broken invariants. Never for input: bad input is an error value.
#pragma once

namespace adit::base {

// Prints the place and the reason to stderr and aborts.
[[noreturn]] void check_failed(const char* expression, const char* why, const char* file, int line);

}  // namespace adit::base

#define ADIT_CHECK(expression, why) \
    ((expression) ? void() : ::adit::base::check_failed(#expression, why, __FILE__, __LINE__))
