#include "base/nearest.h"

#include <gtest/gtest.h>

namespace adit::base {
namespace {

TEST(Nearest, SuggestsWhatFewEditsReach) {
    EXPECT_EQ(nearest("lisen", {"listen", "tls"}), "listen");
    EXPECT_FALSE(nearest("frobnicate", {"listen", "tls"}));
    EXPECT_FALSE(nearest("", {"listen"}));
    EXPECT_FALSE(nearest("x", {}));
}

}  // namespace
}  // namespace adit::base
