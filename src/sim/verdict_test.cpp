#include "sim/verdict.h"

#include <gtest/gtest.h>

#include <set>

namespace adit::sim {
namespace {

TEST(Verdict, EveryRefusalHasWordsOfItsOwn) {
    EXPECT_EQ(text_of(Verdict::accepted), "");
    std::set<std::string_view> texts;
    const auto last = static_cast<int>(Verdict::premature_witness);
    for (int i = 0; i <= last; ++i)
        texts.insert(text_of(static_cast<Verdict>(i)));
    EXPECT_EQ(texts.size(), static_cast<std::size_t>(last) + 1);
    EXPECT_EQ(text_of(Verdict::high_hash), "high-hash");
    EXPECT_EQ(text_of(Verdict::premature_witness), "no-witness-yet");
}

}  // namespace
}  // namespace adit::sim
