// What the process and its disks use: memory, processor, file descriptors, free space. Read from
// /proc/self, /proc/meminfo and statvfs. Owned by who ticks the history, not thread-safe; a read
// takes well under a millisecond, except that a hanging network file system hangs it.
#pragma once

#include "metrics/history.h"

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace adit::metrics {

struct DiskSpace {
    double total_bytes = 0;
    double free_bytes = 0;  // that the pool's user can have
};
std::optional<DiskSpace> disk_space(const std::filesystem::path& path);

// The processor time of /proc/self/stat in clock ticks; the number of KEY in kB lines of
// /proc/self/status and /proc/meminfo, in bytes; the soft limit on open files of
// /proc/self/limits. nullopt: the text is not like that.
std::optional<double> parse_cpu_ticks(std::string_view stat);
std::optional<double> parse_kilobytes(std::string_view text, std::string_view key);
std::optional<double> parse_max_files(std::string_view limits);

// What the process uses now, read anew; nullopt: it cannot be read. The files take as long as there
// are open ones to count.
struct ProcessUsage {
    std::optional<double> resident_bytes;
    std::optional<double> cpu_seconds;  // since start
};
ProcessUsage process_usage();
struct FileUsage {
    std::optional<double> open;
    std::optional<double> limit;  // soft; nullopt: unlimited, or it cannot be read
};
FileUsage file_usage();
struct MemoryUsage {
    std::optional<double> total_bytes;
    std::optional<double> available_bytes;
};
MemoryUsage machine_memory();

class ProcessMetrics {
 public:
    // Watches the file systems that hold these paths, which appear as label `path`.
    ProcessMetrics(Registry& registry, std::vector<std::filesystem::path> disks);

    // Reads everything anew and sets the metrics. What cannot be read keeps its last value and
    // counts in adit_process_unreadable_total.
    void sample(Tick now);

 private:
    struct Disk {
        std::filesystem::path path;
        Gauge& total;
        Gauge& free;
        Gauge& used;
        Gauge& free_ratio;
    };
    void take(Gauge& gauge, std::optional<double> value);
    void sample_cpu(Tick now);
    void sample_memory();
    void sample_files();

    Gauge& resident_;
    Gauge& cpu_ratio_;
    Gauge& cpu_seconds_;
    Gauge& open_files_;
    Gauge& max_files_;
    Gauge& threads_;
    Gauge& memory_ratio_;
    Counter& unreadable_;
    std::vector<Disk> disks_;
    std::optional<double> cpu_before_s_;
    std::int64_t before_ms_ = 0;
};

}  // namespace adit::metrics
