#include "metrics/process_metrics.h"

#include <charconv>
#include <dirent.h>
#include <fstream>
#include <sys/statvfs.h>
#include <unistd.h>

namespace adit::metrics {
namespace {

// Files of /proc have no size; what is read here is far shorter.
std::string read_proc(const char* path) {
    constexpr std::size_t kLimit = 64 << 10;
    std::ifstream file(path);
    std::string text(kLimit, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

std::string_view without_space(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

std::optional<double> leading_number(std::string_view text) {
    text = without_space(text);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() ? std::optional(value) : std::nullopt;
}

// What follows KEY at the beginning of a line.
std::optional<std::string_view> behind(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        if (line.starts_with(key)) return line.substr(key.size());
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return std::nullopt;
}

std::optional<double> count_open_files() {
    auto* const dir = ::opendir("/proc/self/fd");
    if (dir == nullptr) return std::nullopt;
    double count = -3;  // ".", ".." and the one that lists
    while (::readdir(dir) != nullptr)
        ++count;
    ::closedir(dir);
    return count;
}

}  // namespace

std::optional<DiskSpace> disk_space(const std::filesystem::path& path) {
    struct statvfs space{};
    if (::statvfs(path.c_str(), &space) != 0 || space.f_blocks == 0) return std::nullopt;
    const auto unit = static_cast<double>(space.f_frsize);
    // Without what only root can have, as df counts.
    const auto reserved = static_cast<double>(space.f_bfree - space.f_bavail);
    return DiskSpace{(static_cast<double>(space.f_blocks) - reserved) * unit,
                     static_cast<double>(space.f_bavail) * unit};
}

std::optional<double> parse_cpu_ticks(std::string_view stat) {
    // The name in parentheses may hold anything; utime and stime are fields 14 and 15.
    const auto name_end = stat.rfind(')');
    if (name_end == std::string_view::npos) return std::nullopt;
    auto rest = stat.substr(name_end + 1);
    double ticks = 0;
    for (int field = 3; field <= 15; ++field) {
        rest = without_space(rest);
        const auto end = rest.find(' ');
        if (field >= 14) {
            const auto value = leading_number(rest.substr(0, end));
            if (!value) return std::nullopt;
            ticks += *value;
        }
        if (end == std::string_view::npos && field < 15) return std::nullopt;
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end);
    }
    return ticks;
}

ProcessUsage process_usage() {
    const auto ticks = parse_cpu_ticks(read_proc("/proc/self/stat"));
    const auto per_second = ::sysconf(_SC_CLK_TCK);
    ProcessUsage usage{parse_kilobytes(read_proc("/proc/self/status"), "VmRSS"), std::nullopt};
    if (ticks && per_second > 0) usage.cpu_seconds = *ticks / static_cast<double>(per_second);
    return usage;
}

FileUsage file_usage() {
    return {count_open_files(), parse_max_files(read_proc("/proc/self/limits"))};
}

MemoryUsage machine_memory() {
    const auto machine = read_proc("/proc/meminfo");
    return {parse_kilobytes(machine, "MemTotal"), parse_kilobytes(machine, "MemAvailable")};
}

std::optional<double> parse_kilobytes(std::string_view text, std::string_view key) {
    const auto rest = behind(text, std::string(key) + ":");
    if (!rest || !rest->ends_with(" kB")) return std::nullopt;
    const auto value = leading_number(*rest);
    return value ? std::optional(*value * 1'024) : std::nullopt;
}

std::optional<double> parse_max_files(std::string_view limits) {
    const auto rest = behind(limits, "Max open files");
    return rest ? leading_number(*rest) : std::nullopt;
}

ProcessMetrics::ProcessMetrics(Registry& registry, std::vector<std::filesystem::path> disks)
    : resident_(registry.gauge("adit_process_resident_bytes", "Memory of the process.")),
      cpu_ratio_(registry.gauge("adit_process_cpu_ratio",
                                "Processors kept busy since the last sample (1: one of them).")),
      cpu_seconds_(registry.gauge("adit_process_cpu_seconds", "Processor time since start.")),
      open_files_(registry.gauge("adit_process_open_files", "Open file descriptors.")),
      max_files_(registry.gauge("adit_process_max_files", "Limit on open file descriptors.")),
      threads_(registry.gauge("adit_process_threads", "Threads of the process.")),
      memory_ratio_(registry.gauge("adit_machine_memory_available_ratio",
                                   "Share of the machine's memory that is available.")),
      unreadable_(registry.counter("adit_process_unreadable_total",
                                   "Values of the process or a disk that could not be read.")) {
    for (auto& path : disks) {
        const Labels labels{{"path", path.string()}};
        disks_.push_back(
            {std::move(path), registry.gauge("adit_disk_total_bytes", "Space of a disk.", labels),
             registry.gauge("adit_disk_free_bytes", "Free space that the pool can have.", labels),
             registry.gauge("adit_disk_used_bytes", "Space of a disk that is used.", labels),
             registry.gauge("adit_disk_free_ratio", "Share of a disk that is free.", labels)});
        // Until the first reading nothing is known, and no alert may take 0 for a full disk.
        disks_.back().free_ratio.set(std::numeric_limits<double>::quiet_NaN());
    }
    memory_ratio_.set(std::numeric_limits<double>::quiet_NaN());
    cpu_ratio_.set(std::numeric_limits<double>::quiet_NaN());  // it takes two samples
}

void ProcessMetrics::take(Gauge& gauge, std::optional<double> value) {
    if (value)
        gauge.set(*value);
    else
        unreadable_.add();
}

void ProcessMetrics::sample(Tick now) {
    sample_cpu(now);
    sample_memory();
    sample_files();
    for (auto& disk : disks_) {
        const auto space = disk_space(disk.path);
        if (!space) {
            unreadable_.add();
            continue;
        }
        disk.total.set(space->total_bytes);
        disk.free.set(space->free_bytes);
        disk.used.set(space->total_bytes - space->free_bytes);
        if (space->total_bytes > 0) disk.free_ratio.set(space->free_bytes / space->total_bytes);
    }
}

void ProcessMetrics::sample_cpu(Tick now) {
    const auto ticks = parse_cpu_ticks(read_proc("/proc/self/stat"));
    const auto per_second = ::sysconf(_SC_CLK_TCK);
    if (!ticks || per_second <= 0) return unreadable_.add();
    const auto seconds = *ticks / static_cast<double>(per_second);
    cpu_seconds_.set(seconds);
    if (cpu_before_s_ && now.steady_ms > before_ms_) {
        cpu_ratio_.set((seconds - *cpu_before_s_) * 1e3 /
                       static_cast<double>(now.steady_ms - before_ms_));
    }
    cpu_before_s_ = seconds;
    before_ms_ = now.steady_ms;
}

void ProcessMetrics::sample_memory() {
    const auto status = read_proc("/proc/self/status");
    take(resident_, parse_kilobytes(status, "VmRSS"));
    const auto threads = behind(status, "Threads:");
    take(threads_, threads ? leading_number(*threads) : std::nullopt);
    const auto [total, available] = machine_memory();
    const bool known = total && available && *total > 0;
    take(memory_ratio_, known ? std::optional(*available / *total) : std::nullopt);
}

void ProcessMetrics::sample_files() {
    take(open_files_, count_open_files());
    // "unlimited" has no ratio to anything.
    if (const auto limit = parse_max_files(read_proc("/proc/self/limits"))) max_files_.set(*limit);
}

}  // namespace adit::metrics
