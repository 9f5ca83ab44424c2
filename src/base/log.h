// Structured log lines: a level, the area that speaks, a sentence, and named fields.
//
//   log.info("node", "connected", {{"url", url}, {"height", height}});
//
// text:  2026-01-02T03:04:05.678Z INFO  node: connected url=http://... height=840000
// json:  {"time":"2026-01-02T03:04:05.678Z","level":"info","area":"node","message":"connected",...}
//
// A Logger is handed to constructors; there is no global one. Safe from any thread. Lines go to a
// sink (stderr by default); the level may change while running.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace adit::base {

enum class LogLevel { trace, debug, info, warning, error };
enum class LogFormat { text, json };

std::optional<LogLevel> parse_log_level(std::string_view name);
std::string_view name_of(LogLevel level);

// One named value of a line. Numbers and booleans stay bare in JSON, all else is quoted.
struct LogField {
    template <class T>
    LogField(std::string_view field_key, const T& field_value)
        : key(field_key), value(fmt::format("{}", field_value)), bare(std::is_arithmetic_v<T>) {}

    std::string_view key;
    std::string value;
    bool bare;
};

class Logger {
 public:
    using Sink = std::function<void(std::string_view line)>;
    using Fields = std::initializer_list<LogField>;

    // Writes to stderr.
    explicit Logger(LogLevel level = LogLevel::info, LogFormat format = LogFormat::text);
    // Writes each finished line (without line feed) to the sink, under a lock.
    Logger(LogLevel level, LogFormat format, Sink sink);
    ~Logger();
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;

    void set_level(LogLevel level) { level_ = level; }
    bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }

    void debug(std::string_view area, std::string_view message, Fields fields = {}) {
        if (enabled(LogLevel::debug)) write(LogLevel::debug, area, message, fields);
    }
    void info(std::string_view area, std::string_view message, Fields fields = {}) {
        if (enabled(LogLevel::info)) write(LogLevel::info, area, message, fields);
    }
    void warning(std::string_view area, std::string_view message, Fields fields = {}) {
        if (enabled(LogLevel::warning)) write(LogLevel::warning, area, message, fields);
    }
    void error(std::string_view area, std::string_view message, Fields fields = {}) {
        if (enabled(LogLevel::error)) write(LogLevel::error, area, message, fields);
    }

 private:
    void write(LogLevel level, std::string_view area, std::string_view message, Fields fields);

    std::atomic<LogLevel> level_;
    LogFormat format_;
    struct Output;
    std::unique_ptr<Output> output_;
};

}  // namespace adit::base
