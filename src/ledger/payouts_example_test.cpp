// The worked example of docs/payouts.md, computed again.
#include "job/allotment.h"
#include "ledger/books_testing.h"
#include "ledger/pplns.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

namespace adit::ledger {
namespace {

using ::testing::HasSubstr;

std::string with_commas(std::int64_t value) {
    auto text = std::to_string(value);
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), ",");
    return text;
}

TEST(PayoutsExample, SaysWhatTheLedgerComputes) {
    std::ifstream file(ADIT_SOURCE_DIR "/docs/payouts.md");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    testing::Books books({"alice", "bob", "carol"});
    const SliceKey before{testing::kStart, 0}, newest{testing::kStart + 600, 0};
    books.work(newest, 1, 100);
    books.work(newest, 2, 200);
    books.work(before, 2, 150);
    books.work(before, 3, 150);
    const auto window =
        pplns_window(books.journal, {0, newest, (newest.start_s + 1) * 1'000}, 400, "nobody");
    std::vector<chain::Work> weights;
    for (const auto& account : window.accounts)
        weights.push_back(account.work);
    const auto reward = Amount::of(312'500'007);
    const auto fee = job::fraction_of(reward, 10'000);
    const auto parts = job::allot(reward - fee, weights);
    ASSERT_EQ(parts.size(), 3u);
    EXPECT_EQ(parts[0] + parts[1] + parts[2] + fee, reward);
    const std::int64_t newest_work[] = {100, 200, 0};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto work = static_cast<std::int64_t>(window.accounts[i].work);
        EXPECT_THAT(
            text, HasSubstr(fmt::format("| {} | {} | {} | {} | {} |\n", window.accounts[i].account,
                                        newest_work[i], work - newest_work[i], work,
                                        with_commas(parts[i].sat()))));
    }
    EXPECT_THAT(text, HasSubstr(fmt::format("| fee | | | | {} |\n", with_commas(fee.sat()))));
    EXPECT_THAT(text, HasSubstr(with_commas(reward.sat()) + " satoshis"));
}

}  // namespace
}  // namespace adit::ledger
