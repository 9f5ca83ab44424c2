#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace adit::base {

void check_failed(const char* expression, const char* why, const char* file, int line) {
    std::fprintf(stderr, "adit: broken invariant at %s:%d: %s (%s)\n", file, line, why, expression);
    std::abort();
}

}  // namespace adit::base
