#include "base/log.h"

#include "base/clock.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <chrono>
#include <ctime>

namespace adit::base {
namespace {

constexpr std::array<std::string_view, 5> kNames{"trace", "debug", "info", "warning", "error"};

std::string timestamp(std::int64_t wall_ms) {
    const std::time_t seconds = wall_ms / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                       wall_ms % 1000);
}

// A JSON string with its quotes; control characters and bytes that are no ASCII become escapes, so
// that what a miner sends can never forge a line.
std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte >= 0x7f) {
            out += fmt::format("\\u{:04x}", byte);
        } else {
            out += c;
        }
    }
    return out += '"';
}

// A sentence for a text line: what a node said in it may hold anything.
std::string one_line(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\u{:04x}", byte);
        } else {
            out += c;
        }
    }
    return out;
}

// JSON has no words for infinity and what is no number.
bool is_json_number(std::string_view text) {
    return text != "inf" && text != "-inf" && text != "nan" && text != "-nan";
}

bool needs_quotes(std::string_view text) {
    return text.empty() || std::any_of(text.begin(), text.end(), [](char c) {
               return c <= ' ' || c == '"' || c == '=' || static_cast<unsigned char>(c) >= 0x7f;
           });
}

class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
    explicit FunctionSink(Logger::Sink write) : write_(std::move(write)) {}

 protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        write_({message.payload.data(), message.payload.size()});
    }
    void flush_() override {}

 private:
    Logger::Sink write_;
};

}  // namespace

struct Logger::Output {
    spdlog::logger logger;
};

std::optional<LogLevel> parse_log_level(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) return static_cast<LogLevel>(i);
    }
    return std::nullopt;
}

std::string_view name_of(LogLevel level) {
    return kNames[static_cast<std::size_t>(level)];
}

Logger::Logger(LogLevel level, LogFormat format)
    : level_(level),
      format_(format),
      output_(new Output{{"adit", std::make_shared<spdlog::sinks::stderr_sink_mt>()}}) {
    output_->logger.set_pattern("%v");
    output_->logger.flush_on(spdlog::level::trace);
}

Logger::Logger(LogLevel level, LogFormat format, Sink sink)
    : level_(level),
      format_(format),
      output_(new Output{{"adit", std::make_shared<FunctionSink>(std::move(sink))}}) {}

Logger::~Logger() = default;

void Logger::write(LogLevel level, std::string_view area, std::string_view message, Fields fields) {
    const auto time = timestamp(SystemClock{}.wall_ms());
    std::string line;
    if (format_ == LogFormat::json) {
        line = fmt::format(R"({{"time":"{}","level":"{}","area":"{}","message":{})", time,
                           name_of(level), area, json_string(message));
        for (const auto& field : fields) {
            line += fmt::format(
                ",{}:{}", json_string(field.key),
                field.bare && is_json_number(field.value) ? field.value : json_string(field.value));
        }
        line += '}';
    } else {
        line = fmt::format("{} {:<7} {}: {}", time, name_of(level), area, one_line(message));
        for (const auto& field : fields) {
            line += fmt::format(" {}={}", field.key,
                                needs_quotes(field.value) ? json_string(field.value) : field.value);
        }
    }
    output_->logger.log(spdlog::level::critical, line);
}

}  // namespace adit::base
