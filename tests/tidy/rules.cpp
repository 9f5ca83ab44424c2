#include "tests/tidy/rules.h"

#include "tests/tidy/functions.h"

#include <regex>

namespace adit::tidy {

namespace {

constexpr std::size_t kMaxFileLines = 600;
constexpr std::size_t kMaxFunctionLines = 70;
constexpr std::size_t kMaxColumns = 100;

// From the bottom up; an include may only lead down, never sideways.
const std::vector<std::vector<std::string_view>> kFloors = {
    {"base"},
    {"chain", "metrics"},
    {"job"},
    {"share"},
    {"ledger"},
    {"net", "auth"},
    {"node", "store", "bus", "miner"},
    {"http", "stratum", "cluster"},
    {"manager", "sim"},
    {"cli"},
};

struct Ban {
    const char* pattern;
    const char* why;
    // Path prefixes where it is allowed; "bench/" and "tests/" count like any other.
    std::vector<std::string_view> except;
    bool in_comments = false;
};

const std::vector<Ban>& bans() {
    static const std::vector<Ban> kBans = {
        {R"(\b(system_clock|steady_clock|high_resolution_clock)::now\b)",
         "read time through base::Clock",
         {"src/base/clock.cpp", "bench/"}},
        {R"(\b(gettimeofday|clock_gettime|std::time)\s*\()",
         "read time through base::Clock",
         {"src/base/clock.cpp", "bench/"}},
        {R"(\b(sleep_for|sleep_until|usleep|nanosleep)\b)",
         "wait for a condition, never for a time",
         {"tests/", "bench/"}},
        {R"((^|[^\w.])s?rand\s*\()", "use base::fill_random or a seeded engine", {}},
        {R"(\bstd::random_device\b)", "use base::fill_random or a seeded engine", {}},
        {R"(\b(strcpy|strcat|strncpy|sprintf|vsprintf|gets|strtok)\s*\()",
         "use std::string, std::span or fmt",
         {}},
        {R"(\b(std::sto(d|f|ld)|atof|atoi|atol)\b)",
         "use std::from_chars: no locale, no exceptions",
         {}},
        {R"(\bassert\s*\()", "use ADIT_CHECK, which release builds keep", {}},
        {R"(\busing\s+namespace\s+std\s*;)", "name what is used", {}},
        {R"(\bGTEST_SKIP\b)", "a test that does not run proves nothing", {}},
        {R"(\b(TODO|FIXME|XXX|HACK)\b)",
         "finish it or open an issue",
         {"tests/tidy/rules.cpp"},
         true},
    };
    return kBans;
}

// The layer of src/LAYER/...; empty for other files.
std::string_view layer_of(std::string_view path) {
    if (!path.starts_with("src/")) return {};
    path.remove_prefix(4);
    const auto slash = path.find('/');
    return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

// Code points, as an editor counts columns.
std::size_t columns(std::string_view line) {
    return static_cast<std::size_t>(std::ranges::count_if(
        line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// What is wrong with a layer using another; empty when nothing is.
std::string wrong_use(std::string_view from, std::string_view to) {
    const auto upper = floor_of(from);
    const auto lower = floor_of(to);
    if (!upper) return fmt::format("src/{} is not in the list of layers", from);
    if (!lower) return fmt::format("{} is not a layer", to);
    if (from == to || *lower < *upper) return {};
    return fmt::format("{} must not use {}: arrows only point down{}", from, to,
                       *lower == *upper ? ", never sideways" : "");
}

template <class Visit>
void each_match(const std::string& text, const std::regex& pattern, Visit visit) {
    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
        visit(*at, line_at(text, static_cast<std::size_t>(at->position())));
    }
}

}  // namespace

std::optional<int> floor_of(std::string_view layer) {
    for (std::size_t floor = 0; floor < kFloors.size(); ++floor) {
        if (std::ranges::find(kFloors[floor], layer) != kFloors[floor].end())
            return static_cast<int>(floor);
    }
    return std::nullopt;
}

std::vector<Finding> check_layers(const Source& source) {
    static const std::regex kInclude(R"re((?:^|\n)[ \t]*#[ \t]*include[ \t]+"([^"]+)")re");
    std::vector<Finding> findings;
    const auto layer = layer_of(source.path);
    if (layer.empty()) return findings;
    each_match(source.without_comments, kInclude, [&](const std::smatch& match, std::size_t) {
        const std::string included = match[1];
        const auto line = line_at(source.text, static_cast<std::size_t>(match.position(1)));
        const auto slash = included.find('/');
        if (slash == std::string::npos) {
            findings.push_back(
                {source.path, line,
                 fmt::format("write the layer: #include \"{}/{}\"", layer, included)});
            return;
        }
        const auto wrong = wrong_use(layer, included.substr(0, slash));
        if (!wrong.empty()) findings.push_back({source.path, line, wrong});
    });
    return findings;
}

std::vector<Finding> check_dependencies(const std::string& path, const std::string& text) {
    static const std::regex kLayer(R"(adit_layer\(\s*(\w+)([^)]*)\))");
    static const std::regex kWord(R"(\S+)");
    std::vector<Finding> findings;
    each_match(text, kLayer, [&](const std::smatch& call, std::size_t line) {
        const std::string name = call[1];
        const std::string arguments = call[2];
        bool in_deps = false;
        each_match(arguments, kWord, [&](const std::smatch& word, std::size_t) {
            const std::string argument = word[0];
            if (argument == "DEPS" || argument == "LIBS" || argument == "TEST_LIBS") {
                in_deps = argument == "DEPS";
            } else if (in_deps) {
                const auto wrong = wrong_use(name, argument);
                if (!wrong.empty()) findings.push_back({path, line, wrong});
            }
        });
    });
    return findings;
}

std::vector<Finding> check_sizes(const Source& source) {
    std::vector<Finding> findings;
    const auto lines = split_lines(source.text);
    if (lines.size() > kMaxFileLines) {
        findings.push_back({source.path, lines.size(),
                            fmt::format("{} lines; at most {}", lines.size(), kMaxFileLines)});
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (columns(lines[i]) <= kMaxColumns) continue;
        findings.push_back({source.path, i + 1,
                            fmt::format("{} columns; at most {}", columns(lines[i]), kMaxColumns)});
    }
    for (const auto& function : functions_of(source)) {
        if (function.length <= kMaxFunctionLines) continue;
        findings.push_back({source.path, function.line,
                            fmt::format("{} has {} lines; at most {}", function.name,
                                        function.length, kMaxFunctionLines)});
    }
    return findings;
}

std::vector<Finding> check_banned(const Source& source) {
    std::vector<Finding> findings;
    for (const auto& ban : bans()) {
        const bool allowed = std::ranges::any_of(
            ban.except, [&](std::string_view prefix) { return source.path.starts_with(prefix); });
        if (allowed) continue;
        const std::regex pattern(ban.pattern);
        each_match(ban.in_comments ? source.text : source.code, pattern,
                   [&](const std::smatch& match, std::size_t line) {
                       findings.push_back(
                           {source.path, line, fmt::format("{}: {}", match.str(), ban.why)});
                   });
    }
    return findings;
}

std::vector<Finding> check_metrics(const Source& source) {
    static const std::regex kMetric(R"re((?:[.>]|\b)(counter|gauge|histogram)\(\s*"([^"]*)")re");
    static const std::regex kName("adit_[a-z0-9_]*[a-z0-9]");
    std::vector<Finding> findings;
    each_match(source.without_comments, kMetric, [&](const std::smatch& match, std::size_t line) {
        const std::string name = match[2];
        if (!std::regex_match(name, kName)) {
            findings.push_back({source.path, line, fmt::format("metric {}: adit_area_what", name)});
        } else if ((match[1] == "counter") != name.ends_with("_total")) {
            findings.push_back(
                {source.path, line,
                 fmt::format("metric {}: counters, and only they, end in _total", name)});
        }
    });
    return findings;
}

std::vector<Finding> check_header(const Source& source) {
    std::vector<Finding> findings;
    if (!source.path.ends_with(".h")) return findings;
    if (!source.text.starts_with("// ")) {
        findings.push_back({source.path, 1, "a header opens with purpose, ownership and thread"});
    }
    if (source.code.find("#pragma once") == std::string::npos) {
        findings.push_back({source.path, 1, "#pragma once is missing"});
    }
    return findings;
}

std::vector<Finding> check_documented(const std::vector<std::string>& folders,
                                      const std::string& architecture) {
    std::vector<Finding> findings;
    for (const auto& folder : folders) {
        const auto named = [&](std::string_view form) {
            return architecture.find(fmt::format(fmt::runtime(form), folder)) != std::string::npos;
        };
        if (named("src/{}/") || named("`{}`") || named("`{}/`") || named("`src/{}`")) continue;
        findings.push_back({"docs/architecture.md", 1, fmt::format("src/{} is not named", folder)});
    }
    return findings;
}

}  // namespace adit::tidy
