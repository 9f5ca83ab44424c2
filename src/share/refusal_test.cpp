#include "share/refusal.h"

#include <gtest/gtest.h>

#include <set>

namespace adit::share {
namespace {

TEST(Refusal, HasTheStratumCodeAndLabelOfItsReason) {
    struct Row {
        Refusal refusal;
        int code;
        std::string_view label;
    };
    const Row rows[] = {
        {Refusal::malformed, 20, "malformed"},
        {Refusal::bad_version_bits, 20, "bad_version_bits"},
        {Refusal::time_too_old, 20, "time_too_old"},
        {Refusal::time_too_new, 20, "time_too_new"},
        {Refusal::storage_unavailable, 20, "storage_unavailable"},
        {Refusal::too_many_shares, 20, "too_many_shares"},
        {Refusal::job_not_found, 21, "job_not_found"},
        {Refusal::stale, 21, "stale"},
        {Refusal::duplicate, 22, "duplicate"},
        {Refusal::low_difficulty, 23, "low_difficulty"},
        {Refusal::unauthorized, 24, "unauthorized"},
        {Refusal::not_subscribed, 25, "not_subscribed"},
        {Refusal::banned, 24, "banned"},
    };
    EXPECT_EQ(std::size(rows), kRefusalCount);
    std::set<std::string_view> words;
    for (const auto& row : rows) {
        EXPECT_EQ(stratum_code(row.refusal), row.code) << row.label;
        EXPECT_EQ(label(row.refusal), row.label);
        EXPECT_TRUE(words.insert(describe(row.refusal)).second) << row.label;
        EXPECT_LT(static_cast<std::size_t>(row.refusal), kRefusalCount);
    }
}

}  // namespace
}  // namespace adit::share
