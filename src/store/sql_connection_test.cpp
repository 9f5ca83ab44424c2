#include "store/sql_connection.h"

#include <gtest/gtest.h>

namespace adit::store {
namespace {

using base::U128;

TEST(SqlDecimal, WritesAndReadsEvery128BitInteger) {
    EXPECT_EQ(to_decimal(0), "0");
    EXPECT_EQ(to_decimal(~U128{0}), "340282366920938463463374607431768211455");
    for (unsigned bit = 0; bit < 128; ++bit) {
        for (const auto value : {U128{1} << bit, (U128{1} << bit) - 1})
            EXPECT_EQ(from_decimal(to_decimal(value)), value) << bit;
    }
    EXPECT_EQ(from_decimal("340282366920938463463374607431768211455"), ~U128{0});
    for (const auto* bad : {"", "-1", "1.0", " 1", "340282366920938463463374607431768211456",
                            "999999999999999999999999999999999999999999"})
        EXPECT_EQ(from_decimal(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace adit::store
