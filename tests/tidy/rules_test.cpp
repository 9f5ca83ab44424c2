// Every rule fires on what it forbids, and only on that.
#include "tests/tidy/rules.h"

#include <gtest/gtest.h>

namespace adit::tidy {
namespace {

using Check = std::vector<Finding> (*)(const Source&);

std::size_t count(Check check, std::string path, std::string text) {
    return check(make_source(std::move(path), std::move(text))).size();
}

TEST(Rules, LayersOnlyPointDown) {
    const struct {
        const char* path;
        const char* include;
        std::size_t findings;
    } kRows[] = {
        {"src/share/a.cpp", "job/job.h", 0},
        {"src/share/a.cpp", "share/recorder.h", 0},
        {"src/cli/main.cpp", "base/log.h", 0},
        {"src/share/a_test.cpp", "store/log.h", 1},  // up, also in a test
        {"src/store/a.cpp", "node/rpc.h", 1},        // sideways
        {"src/manager/a.cpp", "sim/chain.h", 1},     // sideways
        {"src/chain/a.h", "metrics/registry.h", 1},  // sideways
        {"src/base/a.h", "chain/hash.h", 1},         // up
        {"src/share/a.cpp", "recorder.h", 1},        // without its layer
        {"src/share/a.cpp", "boost/asio.hpp", 1},    // no layer
        {"src/helpers/a.cpp", "base/log.h", 1},      // not in the list
        {"tests/e2e/a.cpp", "manager/pool.h", 0},
    };
    for (const auto& row : kRows) {
        EXPECT_EQ(count(check_layers, row.path, fmt::format("\n#include \"{}\"\n", row.include)),
                  row.findings)
            << row.path << " " << row.include;
    }
    EXPECT_EQ(count(check_layers, "src/base/a.h", "// #include \"chain/hash.h\"\n"), 0U);
    EXPECT_EQ(count(check_layers, "src/base/a.h", "#include \"chain/a.h\"\n#include \"job/a.h\"\n"),
              2U);
}

TEST(Rules, DependenciesOnlyPointDown) {
    EXPECT_TRUE(check_dependencies("", "adit_layer(job DEPS chain base LIBS x)").empty());
    EXPECT_EQ(check_dependencies("", "adit_layer(job DEPS share\n  base LIBS store)").size(), 1U);
    EXPECT_EQ(check_dependencies("", "adit_layer(node DEPS store)").size(), 1U);
}

TEST(Rules, FilesFunctionsAndLinesAreBounded) {
    std::string lines;
    for (int i = 0; i < 600; ++i)
        lines += "\n";
    EXPECT_EQ(count(check_sizes, "src/a/b.cpp", lines), 0U);
    EXPECT_EQ(count(check_sizes, "src/a/b.cpp", lines + "\n"), 1U);

    EXPECT_EQ(count(check_sizes, "src/a/b.cpp", std::string(100, 'x')), 0U);
    EXPECT_EQ(count(check_sizes, "src/a/b.cpp", std::string(101, 'x')), 1U);
    std::string umlauts;
    for (int i = 0; i < 100; ++i)
        umlauts += "\xc3\xa4";
    EXPECT_EQ(count(check_sizes, "src/a/b.cpp", umlauts), 0U);

    const auto function = [](int body) {
        std::string text = "void f() {\n";
        for (int i = 0; i < body; ++i)
            text += "    g();\n";
        return text + "}\n";
    };
    EXPECT_EQ(count(check_sizes, "src/a/b.cpp", function(68)), 0U);
    EXPECT_EQ(count(check_sizes, "src/a/b.cpp", function(69)), 1U);
}

TEST(Rules, BannedCallsAreFoundOnlyWhereTheyAreBanned) {
    const struct {
        const char* path;
        const char* text;
        std::size_t findings;
    } kRows[] = {
        {"src/a/b.cpp", "auto t = std::chrono::system_clock::now();", 1},
        {"src/a/b_test.cpp", "auto t = steady_clock::now();", 1},
        {"src/base/clock.cpp", "auto t = steady_clock::now();", 0},
        {"src/a/b.cpp", "clock_gettime(CLOCK_REALTIME, &t);", 1},
        {"src/a/b.cpp", "const auto t = std::time(nullptr);", 1},
        {"src/a/b.cpp", "std::this_thread::sleep_for(1s);", 1},
        {"tests/e2e/b.cpp", "std::this_thread::sleep_for(1s);", 0},
        {"src/a/b.cpp", "int x = rand();", 1},
        {"src/a/b.cpp", "srand(1);", 1},
        {"src/a/b.cpp", "operand(1); brand(2);", 0},
        {"src/a/b.cpp", "std::random_device device;", 1},
        {"src/a/b.cpp", "strcpy(a, b);", 1},
        {"src/a/b.cpp", "sprintf(a, b);", 1},
        {"src/a/b.cpp", "snprintf(a, n, b);", 0},
        {"src/a/b.cpp", "const double d = std::stod(text);", 1},
        {"src/a/b.cpp", "atoi(text);", 1},
        {"src/a/b.cpp", "assert(x);", 1},
        {"src/a/b.cpp", "static_assert(x);", 0},
        {"src/a/b.cpp", "using namespace std;", 1},
        {"src/a/b.cpp", "using namespace std::literals;", 0},
        {"src/a/b_test.cpp", "GTEST_SKIP();", 1},
        {"src/a/b.cpp", "// rand() and assert() in a comment", 0},
        {"src/a/b.cpp", "log(\"rand() in a text\");", 0},
    };
    for (const auto& row : kRows) {
        EXPECT_EQ(count(check_banned, row.path, row.text), row.findings)
            << row.path << " " << row.text;
    }
    const auto unfinished = fmt::format("// {}: later",
                                        "TO"
                                        "DO");
    EXPECT_EQ(count(check_banned, "src/a/b.cpp", unfinished), 1U);
}

TEST(Rules, MetricsHaveTheirPrefixAndSuffix) {
    const auto findings = [](std::string text) {
        return count(check_metrics, "src/a/b.cpp", std::move(text));
    };
    EXPECT_EQ(findings("registry.counter(\"adit_shares_accepted_total\", \"x\")"), 0U);
    EXPECT_EQ(findings("registry.gauge(\n    \"adit_connections\", \"x\")"), 0U);
    EXPECT_EQ(findings("registry.counter(\"shares_total\", \"x\")"), 1U);
    EXPECT_EQ(findings("registry.counter(\"adit_shares\", \"x\")"), 1U);
    EXPECT_EQ(findings("registry.gauge(\"adit_shares_total\", \"x\")"), 1U);
    EXPECT_EQ(findings("registry->histogram(\"adit_Ack\", \"x\", {})"), 1U);
}

TEST(Rules, HeadersOpenWithAComment) {
    EXPECT_EQ(count(check_header, "src/a/b.h", "// What it is.\n#pragma once\n"), 0U);
    EXPECT_EQ(count(check_header, "src/a/b.h", "#pragma once\n"), 1U);
    EXPECT_EQ(count(check_header, "src/a/b.h", "// What it is.\n"), 1U);
    EXPECT_EQ(count(check_header, "src/a/b.cpp", "int x;\n"), 0U);
}

TEST(Rules, FoldersAreNamedInTheArchitecture) {
    EXPECT_TRUE(check_documented({"chain", "job"}, "`chain` and [job](../src/job/job.h)").empty());
    EXPECT_EQ(check_documented({"chain", "job"}, "the chain and the job").size(), 2U);
}

TEST(Rules, EveryLayerHasAFloor) {
    EXPECT_EQ(floor_of("base"), 0);
    EXPECT_LT(*floor_of("share"), *floor_of("ledger"));
    EXPECT_EQ(floor_of("node"), floor_of("store"));
    EXPECT_FALSE(floor_of("helpers"));
}

}  // namespace
}  // namespace adit::tidy
