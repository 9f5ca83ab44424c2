#include "store/slice_cache.h"

#include <gmock/gmock.h>

#include <random>

namespace adit::store {
namespace {

using ledger::SliceGroup;
using ledger::SliceRef;
using Work = std::vector<std::pair<share::AccountId, chain::Work>>;
using Seen = std::vector<std::pair<SliceRef, Work>>;

// What the database holds: the slices of some logs, each added to at its end.
class Slices {
 public:
    void begin_log(ledger::InstanceId instance) { stands_[instance].log_id[0] = 1; }
    // More work in the open slice of a log and in the later ones.
    void fold(ledger::InstanceId instance, std::mt19937& random) {
        auto& stands = stands_[instance];
        for (auto left = 1 + random() % 3; left > 0; --left) {
            auto& slice = slices_[{stands.slice, instance}];
            slice.resize(std::max<std::size_t>(slice.size(), 1 + random() % 4));
            for (std::size_t i = 0; i < slice.size(); ++i) {
                slice[i].first = static_cast<share::AccountId>(i + 1);
                slice[i].second += random() % 9;
            }
            if (random() % 2 != 0) {
                ++stands.slice.sequence;
            } else {
                stands.slice = {stands.slice.start_s + 600, 0};
            }
            if (random() % 3 == 0) break;
        }
        stands.log.position += 1 + random() % 5;
    }

    bool read(const SliceRef& below, const SliceRef& floor, const SliceCache::Visit& visit) {
        for (auto at = slices_.lower_bound(below); at != slices_.begin();) {
            --at;
            if (at->first < floor) break;
            ++rows_read;
            if (!visit({at->first, at->second})) return false;
        }
        return true;
    }
    Seen walk(SliceCache& cache, const SliceRef& from, std::size_t most) {
        Seen seen;
        cache.walk(
            from, stands_,
            [&](const auto& below, const auto& floor, const auto& visit) {
                return read(below, floor, visit);
            },
            [&](const SliceGroup& group) {
                seen.emplace_back(group.ref, Work(group.work.begin(), group.work.end()));
                return seen.size() < most;
            });
        return seen;
    }
    // Without a cache.
    Seen expected(const SliceRef& from, std::size_t most) const {
        Seen seen;
        for (auto at = slices_.upper_bound(from); at != slices_.begin() && seen.size() < most;)
            seen.push_back(*--at);
        return seen;
    }
    void keep_up(SliceCache& cache, const SliceRef& floor) {
        cache.keep_up(floor, stands_, [&](const auto& below, const auto& end, const auto& visit) {
            return read(below, end, visit);
        });
    }
    SliceRef top() const { return {{1'000'000'000, 0}, 0}; }

    int rows_read = 0;

 private:
    std::map<SliceRef, Work> slices_;
    SliceCache::Stands stands_;
};

constexpr std::size_t kAll = 1'000'000;

TEST(SliceCache, ReadsOnlyWhatMayHaveChanged) {
    std::mt19937 random(3);
    Slices slices;
    slices.begin_log(0);
    for (int i = 0; i < 100; ++i)
        slices.fold(0, random);
    SliceCache cache;
    const auto all = slices.walk(cache, slices.top(), kAll);
    EXPECT_EQ(all, slices.expected(slices.top(), kAll));
    EXPECT_EQ(slices.rows_read, static_cast<int>(all.size()));
    slices.rows_read = 0;
    EXPECT_EQ(slices.walk(cache, slices.top(), kAll), all);
    EXPECT_EQ(slices.rows_read, 0);
    slices.fold(0, random);
    EXPECT_EQ(slices.walk(cache, slices.top(), kAll), slices.expected(slices.top(), kAll));
    EXPECT_LE(slices.rows_read, 3);
}

TEST(SliceCache, ReadsAheadWhatTheNextWalkNeeds) {
    std::mt19937 random(5);
    Slices slices;
    slices.begin_log(0);
    for (int i = 0; i < 100; ++i)
        slices.fold(0, random);
    const auto all = slices.expected(slices.top(), kAll);
    SliceCache cache;
    slices.keep_up(cache, all[49].first);
    EXPECT_EQ(slices.rows_read, 50);
    EXPECT_EQ(slices.walk(cache, slices.top(), 50), slices.expected(slices.top(), 50));
    EXPECT_EQ(slices.rows_read, 50);
    for (int i = 0; i < 10; ++i) {
        slices.fold(0, random);
        slices.rows_read = 0;
        slices.keep_up(cache, SliceRef{});
        EXPECT_LE(slices.rows_read, 4);
    }
    slices.rows_read = 0;
    EXPECT_EQ(slices.walk(cache, slices.top(), 50), slices.expected(slices.top(), 50));
    EXPECT_EQ(slices.rows_read, 0);
    // As far as there is room.
    SliceCache small(600);
    slices.keep_up(small, SliceRef{});
    EXPECT_LT(slices.rows_read, 20);
    EXPECT_GT(small.bytes(), 0u);
    EXPECT_LE(small.bytes(), 600u);
}

// Logs that begin late, walks that end early or begin deep, little room, databases restored from
// an older state: what is shown is always what is there.
TEST(SliceCache, ShowsWhatIsThereWhateverHappens) {
    for (unsigned seed = 0; seed < 300; ++seed) {
        std::mt19937 random(seed);
        Slices slices;
        slices.begin_log(0);
        ledger::InstanceId logs = 1;
        constexpr std::array<std::size_t, 4> kRoom{0, 600, 3'000, kAll};
        const auto room = kRoom[seed % 4];
        SliceCache cache(room);
        auto older = slices;
        for (int step = 0; step < 100; ++step) {
            const auto what = random() % 40;
            if (what == 0 && logs < 4) slices.begin_log(logs++);
            if (what == 1) older = slices;
            if (what == 2) {
                slices = older;
                logs = 1;
            }
            if (what % 2 != 0)
                slices.fold(static_cast<ledger::InstanceId>(random() % logs), random);
            if (random() % 8 == 0) {
                slices.keep_up(cache, {{static_cast<std::int64_t>(random() % 60 * 600), 0}, 0});
                ASSERT_LE(cache.bytes(), room);
            }
            if (what % 3 != 0 && what != 2) continue;
            auto from = slices.top();
            if (random() % 4 == 0) {
                from = {{static_cast<std::int64_t>(random() % 60 * 600),
                         static_cast<std::uint32_t>(random() % 3)},
                        static_cast<ledger::InstanceId>(random() % 4)};
            }
            const auto most = random() % 3 == 0 ? 1 + random() % 20 : kAll;
            ASSERT_EQ(slices.walk(cache, from, most), slices.expected(from, most))
                << "seed " << seed << ", step " << step;
            ASSERT_LE(cache.bytes(), room);
        }
    }
}

}  // namespace
}  // namespace adit::store
