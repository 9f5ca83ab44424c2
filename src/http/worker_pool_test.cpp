#include "http/worker_pool.h"

#include "http/server_fixture.h"

#include <gtest/gtest.h>

namespace adit::http {
namespace {

TEST(WorkerPool, RunsWhatWaitsBeforeItStops) {
    std::atomic<int> ran = 0;
    WorkerPool pool(2, 100);
    for (int i = 0; i < 50; ++i)
        EXPECT_TRUE(pool.post([&] { ++ran; }));
    pool.stop();
    EXPECT_EQ(ran, 50);
    EXPECT_FALSE(pool.post([&] { ++ran; }));
    pool.stop();
    EXPECT_EQ(ran, 50);
}

TEST(WorkerPool, RefusesWhatWouldWaitBehindTooMuch) {
    Signal entered;
    Signal go;
    WorkerPool pool(1, 2);
    EXPECT_TRUE(pool.post([&] {
        entered.raise();
        EXPECT_TRUE(go.wait());
    }));
    ASSERT_TRUE(entered.wait());
    EXPECT_TRUE(pool.post([] {}));
    EXPECT_TRUE(pool.post([] {}));
    // What is refused is let go of at once.
    auto held = std::make_shared<int>(1);
    EXPECT_FALSE(pool.post([held] {}));
    EXPECT_EQ(held.use_count(), 1);
    go.raise();
    pool.stop();
    EXPECT_FALSE(pool.post([] {}));
}

}  // namespace
}  // namespace adit::http
