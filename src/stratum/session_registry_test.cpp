#include "stratum/session_registry.h"

#include "stratum/ban_list.h"

#include <gtest/gtest.h>

namespace adit::stratum {
namespace {

constexpr SessionPlace kHere{0, net::ConnectionId{1}};
constexpr SessionPlace kThere{1, net::ConnectionId{7}};

class Counter final : public ExtranonceSource {
 public:
    std::optional<Range> reserve(std::uint64_t count) override {
        if (empty) return std::nullopt;
        next += count;
        return Range{next - count, next};
    }
    std::uint64_t next = 0;
    bool empty = false;
};

TEST(SessionRegistry, CarriesTheInstanceInEveryExtranonce) {
    Counter counter;
    SessionRegistry registry(counter, 5, 10);
    EXPECT_EQ(registry.open(kHere)->extranonce1, 5u << 26);
    EXPECT_EQ(registry.open(kHere)->extranonce1, (5u << 26) + 1);
}

TEST(SessionRegistry, GivesNothingWhenStorageCannotPromiseUniqueness) {
    Counter counter;
    counter.empty = true;
    SessionRegistry registry(counter, 0, 10);
    EXPECT_EQ(registry.open(kHere), nullptr);
}

TEST(SessionRegistry, SkipsValuesThatStillLiveWhenTheCounterComesRound) {
    Counter counter;
    SessionRegistry registry(counter, 0, 10);
    const auto old = registry.open(kHere);
    for (std::uint64_t i = 1; i < SessionRegistry::kRangeSize; ++i)
        registry.open(kHere);
    counter.next = std::uint64_t{1} << 26;  // all values were given once
    EXPECT_NE(registry.open(kHere)->extranonce1, old->extranonce1);
}

TEST(SessionRegistry, ResumesOnlyWhatWasReleasedAtMostTenMinutesAgo) {
    Counter counter;
    SessionRegistry registry(counter, 0, 10);
    auto memory = registry.open(kHere);
    const auto token = memory->token;
    EXPECT_EQ(registry.find_live(token), kHere);
    EXPECT_EQ(registry.resume(token, kThere, 0), nullptr) << "still held";
    registry.release(memory, kHere, true, 1000);
    EXPECT_FALSE(registry.find_live(token));
    EXPECT_EQ(registry.resume(token, kThere, 1001 + SessionRegistry::kResumeMs), nullptr);
    EXPECT_EQ(registry.resume(token, kThere, 2000), memory);
    EXPECT_EQ(registry.find_live(token), kThere);
    // The old connection's end changes nothing any more.
    registry.release(memory, kHere, true, 3000);
    EXPECT_EQ(registry.find_live(token), kThere);
}

TEST(SessionRegistry, ForgetsWhatIsNotKeptAndWhatIsTooMuch) {
    Counter counter;
    SessionRegistry registry(counter, 0, 2);
    const auto gone = registry.open(kHere);
    registry.release(gone, kHere, false, 0);
    EXPECT_EQ(registry.live() + registry.released(), 0u);
    std::vector<std::shared_ptr<SessionMemory>> memories;
    for (int i = 0; i < 4; ++i) {
        memories.push_back(registry.open(kHere));
        registry.release(memories.back(), kHere, true, i);
    }
    registry.expire(10);
    EXPECT_EQ(registry.released(), 2u);
    EXPECT_EQ(registry.resume(memories[0]->token, kHere, 11), nullptr);
    EXPECT_EQ(registry.resume(memories[3]->token, kHere, 11), memories[3]);
    registry.expire(SessionRegistry::kResumeMs + 100);
    EXPECT_EQ(registry.released(), 0u);
    EXPECT_EQ(registry.live(), 1u);
}

TEST(BanList, HitsAnAddressOnlyWhenNoShareOfItWasGood) {
    const WorkerName kName{"a", "rig1"};
    BanList bans(100);
    bans.note_good("192.0.2.1", 0);
    bans.ban("192.0.2.1", {kName}, 1000, 60'000);
    EXPECT_TRUE(bans.name_banned("192.0.2.1", kName, 2000));
    EXPECT_FALSE(bans.name_banned("192.0.2.1", WorkerName{"a", "rig2"}, 2000));
    EXPECT_FALSE(bans.address_banned("192.0.2.1", 2000));
    bans.ban("192.0.2.2", {kName}, 1000, 60'000);
    EXPECT_TRUE(bans.address_banned("192.0.2.2", 2000));
    EXPECT_FALSE(bans.address_banned("192.0.2.2", 62'000));
    // A good share of more than an hour ago protects nobody.
    bans.ban("192.0.2.1", {kName}, BanList::kGoodForMs + 1, 60'000);
    EXPECT_TRUE(bans.address_banned("192.0.2.1", BanList::kGoodForMs + 2));
    EXPECT_EQ(bans.expire(BanList::kGoodForMs + 100'000), 0u);
}

}  // namespace
}  // namespace adit::stratum
