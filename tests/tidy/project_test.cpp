// The rules applied to this project.
#include "tests/tidy/rules.h"

#include <gtest/gtest.h>

namespace adit::tidy {
namespace {

const std::filesystem::path kRoot = ADIT_SOURCE_DIR;

const std::vector<Source>& project() {
    static const std::vector<Source> kSources = read_project(kRoot);
    return kSources;
}

void report(const std::vector<Finding>& findings) {
    for (const auto& finding : findings) {
        ADD_FAILURE_AT((kRoot / finding.path).c_str(), static_cast<int>(finding.line))
            << finding.what;
    }
}

void check_all(std::vector<Finding> (*check)(const Source&)) {
    ASSERT_GT(project().size(), 50U) << "the sources were not found";
    for (const auto& source : project())
        report(check(source));
}

std::vector<std::string> layers() {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(kRoot / "src")) {
        if (entry.is_directory()) result.push_back(entry.path().filename().string());
    }
    return result;
}

TEST(Project, IncludesOnlyPointDown) {
    check_all(check_layers);
}

TEST(Project, DependenciesOnlyPointDown) {
    for (const auto& layer : layers()) {
        const auto path = fmt::format("src/{}/CMakeLists.txt", layer);
        const auto text = read_file(kRoot / path);
        EXPECT_NE(text.find(fmt::format("adit_layer({}", layer)), std::string::npos) << path;
        report(check_dependencies(path, text));
    }
}

TEST(Project, SizesAreBounded) {
    check_all(check_sizes);
}

TEST(Project, BannedCallsAreAbsent) {
    check_all(check_banned);
}

TEST(Project, MetricsAreNamedAlike) {
    check_all(check_metrics);
}

TEST(Project, HeadersSayWhatTheyAre) {
    check_all(check_header);
}

TEST(Project, ArchitectureNamesEveryFolder) {
    report(check_documented(layers(), read_file(kRoot / "docs/architecture.md")));
}

}  // namespace
}  // namespace adit::tidy
