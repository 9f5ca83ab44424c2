#include "manager/protocol_json.h"

#include <gmock/gmock.h>

namespace adit::manager {
namespace {

using ::testing::HasSubstr;

TEST(ProtocolJson, NamesTheVerdictEveryStepAndTheCounts) {
    ProtocolReport report;
    report.listeners.push_back({.address = "here:1",
                                .steps = {{"ping", StepVerdict::violates, 2.5, "pong", "no"},
                                          {"tls_handshake", StepVerdict::not_tried, 0, "", ""}},
                                .violations = {"ping: no"}});
    report.counts.reaped_dead = 4;
    const auto told = protocol_json(report);
    EXPECT_THAT(told, HasSubstr(R"({"verdict":"violates","violations":1,)"));
    EXPECT_THAT(told, HasSubstr(R"("violations":["ping: no"],"steps":[{"step":"ping",)"
                                R"("verdict":"violates","ms":2.5,"expected":"pong","came":"no"},)"
                                R"({"step":"tls_handshake","verdict":"not_tried","ms":null,)"));
    EXPECT_THAT(told, HasSubstr(R"("dead":4)"));
}

}  // namespace
}  // namespace adit::manager
