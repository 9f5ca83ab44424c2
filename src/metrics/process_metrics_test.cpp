#include "metrics/process_metrics.h"

#include "base/clock.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace adit::metrics {
namespace {

TEST(ProcessMetrics, ReadsTheFormsOfProc) {
    const std::string_view stat =
        "4711 (a) b (c)) S 1 4711 4711 0 -1 4194560 2000 0 5 0 120 30 0 0 20 0 9 0 55 1 2";
    EXPECT_EQ(parse_cpu_ticks(stat), 150);
    EXPECT_FALSE(parse_cpu_ticks("4711 (adit) S 1 2 3"));
    EXPECT_FALSE(parse_cpu_ticks(""));
    const std::string_view status = "Name:\tadit\nVmRSS:\t   1200 kB\nThreads:\t7\n";
    EXPECT_EQ(parse_kilobytes(status, "VmRSS"), 1'228'800);
    EXPECT_FALSE(parse_kilobytes(status, "Threads"));
    EXPECT_FALSE(parse_kilobytes(status, "RSS"));
    EXPECT_EQ(parse_max_files("Limit   Soft\nMax open files            1024         4096  files\n"),
              1'024);
    EXPECT_FALSE(parse_max_files("Max open files            unlimited    unlimited  files\n"));
}

class ProcessMetricsTest : public testing::Test {
 protected:
    double gauge(std::string_view name, Labels labels = {}) {
        return registry_.gauge(name, "", std::move(labels)).value();
    }
    Registry registry_;
    ProcessMetrics process_{registry_, {"/proc/self/..", "/nonexistent", "."}};
};

TEST_F(ProcessMetricsTest, MeasuresThisProcess) {
    process_.sample({0, 1'000});
    EXPECT_GT(gauge("adit_process_resident_bytes"), 1e6);
    EXPECT_GE(gauge("adit_process_threads"), 1);
    EXPECT_GT(process_usage().resident_bytes, 1e6);
    EXPECT_GE(process_usage().cpu_seconds, 0);
    EXPECT_GT(machine_memory().available_bytes, 0);
    EXPECT_GT(machine_memory().total_bytes, machine_memory().available_bytes);
    const auto available = gauge("adit_machine_memory_available_ratio");
    EXPECT_TRUE(available > 0 && available <= 1) << available;
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(gauge("adit_process_max_files"), static_cast<double>(limit.rlim_cur));
    // Every descriptor that is opened is seen.
    const auto before = gauge("adit_process_open_files");
    std::array<int, 5> opened{};
    for (auto& fd : opened)
        fd = ::open("/dev/null", O_RDONLY);
    process_.sample({0, 2'000});
    EXPECT_EQ(gauge("adit_process_open_files"), before + 5);
    EXPECT_EQ(file_usage().open, before + 5);
    EXPECT_EQ(file_usage().limit, static_cast<double>(limit.rlim_cur));
    for (const auto fd : opened)
        ::close(fd);
}

TEST_F(ProcessMetricsTest, MeasuresProcessorTime) {
    process_.sample({0, 1'000});
    const auto before = gauge("adit_process_cpu_seconds");
    EXPECT_TRUE(std::isnan(gauge("adit_process_cpu_ratio")));  // of what time, is not known yet
    volatile std::uint64_t sink = 0;
    while (gauge("adit_process_cpu_seconds") < before + 0.05) {
        for (int i = 0; i < 1'000'000; ++i)
            sink = sink + 1;
        process_.sample({0, 1'000});  // the same time: no ratio
    }
    EXPECT_TRUE(std::isnan(gauge("adit_process_cpu_ratio")));
    std::int64_t ms = 1'000;
    auto last = gauge("adit_process_cpu_seconds");
    double used = 0;
    while (used == 0) {
        for (int i = 0; i < 10'000'000; ++i)
            sink = sink + 1;
        process_.sample({0, ms += 1'000});
        used = gauge("adit_process_cpu_seconds") - last;
        last += used;
        ASSERT_NEAR(gauge("adit_process_cpu_ratio"), used, 1e-9);
    }
}

TEST_F(ProcessMetricsTest, MeasuresDisksAndCountsWhatItCannotRead) {
    const Labels here{{"path", "."}};
    const Labels nowhere{{"path", "/nonexistent"}};
    EXPECT_TRUE(std::isnan(gauge("adit_disk_free_ratio", here)));
    process_.sample({0, 1'000});
    const auto free = gauge("adit_disk_free_bytes", here);
    const auto total = gauge("adit_disk_total_bytes", here);
    const auto space = std::filesystem::space(".");
    EXPECT_NEAR(free, static_cast<double>(space.available), 1e9);  // others write meanwhile
    EXPECT_GT(total, free);
    EXPECT_NEAR(gauge("adit_disk_free_ratio", here), free / total, 1e-9);
    EXPECT_NEAR(gauge("adit_disk_used_bytes", here), total - free, 1);
    EXPECT_TRUE(std::isnan(gauge("adit_disk_free_ratio", nowhere)));
    EXPECT_GE(registry_.counter("adit_process_unreadable_total", "").value(), 1u);
}

}  // namespace
}  // namespace adit::metrics
