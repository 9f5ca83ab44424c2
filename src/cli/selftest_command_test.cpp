#include "cli/selftest_command.h"

#include "manager/workflow_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

// As the pool reports it.
std::string text_of(const manager::WorkflowStage& stage) {
    manager::WorkflowReport report;
    report.stages = {stage};
    const auto json = nlohmann::ordered_json::parse(manager::workflow_json(report));
    return stage_text(json.at("stages").at(0).dump());
}

TEST(SelftestText, AStageIsALineAndItsEvidence) {
    manager::WorkflowStage stage;
    stage.name = "shares";
    stage.state = manager::StageState::ok;
    stage.ms = 12.34;
    stage.evidence = {{"accepted", std::int64_t{2}},
                      {"rate", 1.5},
                      {"share_hashes", std::vector<std::string>{"aa", "bb"}}};
    EXPECT_EQ(text_of(stage),
              "ok         shares            12.3 ms\n"
              "             accepted 2\n"
              "             rate 1.5\n"
              "             share_hashes aa\n"
              "             share_hashes bb\n");
}

TEST(SelftestText, AReasonStandsBesideTheStage) {
    manager::WorkflowStage stage;
    stage.name = "log";
    stage.reason = "no share was accepted";
    EXPECT_EQ(text_of(stage), "not tried  log                0.0 ms  no share was accepted\n");
}

}  // namespace
}  // namespace adit::cli
