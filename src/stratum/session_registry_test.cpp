#include "stratum/session_registry.h"

#include "stratum/ban_list.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <thread>

namespace adit::stratum {
namespace {

constexpr SessionPlace kHere{0, net::ConnectionId{1}};
constexpr SessionPlace kThere{1, net::ConnectionId{7}};

class Counter final : public ExtranonceSource {
 public:
    std::optional<Range> reserve(std::uint64_t count) override {
        ++asked;
        if (meanwhile) meanwhile();
        if (empty) return std::nullopt;
        next += count;
        return Range{next - count, next};
    }
    std::uint64_t next = 0;
    int asked = 0;
    bool empty = false;
    std::function<void()> meanwhile;
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

TEST(SessionRegistry, ReservesAheadWithoutHoldingAnybodyUp) {
    Counter counter;
    SessionRegistry registry(counter, 0, 10);
    for (std::uint64_t i = 0; i < SessionRegistry::kRangeSize / 2; ++i) {
        EXPECT_TRUE(registry.reserve_ahead());
        EXPECT_EQ(counter.asked, 1) << "not before half is used";
        registry.open(kHere);
    }
    // Connections are served while storage works.
    counter.meanwhile = [&] { EXPECT_NE(registry.open(kHere), nullptr); };
    counter.empty = true;
    EXPECT_FALSE(registry.reserve_ahead());
    counter.empty = false;
    EXPECT_TRUE(registry.reserve_ahead());
    EXPECT_TRUE(registry.reserve_ahead());
    EXPECT_EQ(counter.asked, 3) << "one range ahead is enough";
    for (auto i = registry.live(); i < 2 * SessionRegistry::kRangeSize; ++i)
        ASSERT_NE(registry.open(kHere), nullptr);
    EXPECT_EQ(registry.open(kHere), nullptr) << "nobody waits for storage";
    EXPECT_EQ(counter.asked, 3);
}

TEST(SessionRegistry, KeepsAheadOnAThreadUntilItIsStopped) {
    Counter counter;
    SessionRegistry registry(counter, 0, 10);
    std::promise<void> reserved;
    counter.meanwhile = [&, done = false]() mutable {
        if (!std::exchange(done, true)) reserved.set_value();
    };
    std::jthread keeper([&](std::stop_token stop) { registry.keep_ahead(stop); });
    for (std::uint64_t i = 0; i < SessionRegistry::kRangeSize / 2; ++i)
        registry.open(kHere);
    EXPECT_EQ(reserved.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(SessionRegistry, SkipsValuesThatStillLiveWhenTheCounterComesRound) {
    Counter counter;
    SessionRegistry registry(counter, 0, 10);
    std::shared_ptr<SessionMemory> last;
    for (std::uint64_t i = 0; i < SessionRegistry::kRangeSize; ++i)
        last = registry.open(kHere);
    registry.release(last, kHere, false, 0);
    counter.next = std::uint64_t{1} << 26;  // all values were given once
    EXPECT_TRUE(registry.reserve_ahead());
    EXPECT_EQ(registry.open(kHere)->extranonce1, last->extranonce1) << "the only one free";
    EXPECT_EQ(registry.open(kHere), nullptr) << "until the next range is there";
    EXPECT_TRUE(registry.reserve_ahead());
    EXPECT_NE(registry.open(kHere), nullptr);
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
