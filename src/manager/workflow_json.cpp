#include "manager/workflow_json.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace adit::manager {
namespace {

using Json = nlohmann::ordered_json;

Json value_of(const EvidenceValue& value) {
    return std::visit(
        [](const auto& one) -> Json {
            using Value = std::decay_t<decltype(one)>;
            if constexpr (std::same_as<Value, double>) {
                if (!std::isfinite(one)) return nullptr;  // JSON has no NaN
            }
            return one;
        },
        value);
}

}  // namespace

std::string workflow_json(const WorkflowReport& report) {
    auto stages = Json::array();
    for (const auto& stage : report.stages) {
        auto evidence = Json::object();
        for (const auto& [key, value] : stage.evidence)
            evidence[key] = value_of(value);
        stages.push_back({{"stage", stage.name},
                          {"state", name_of(stage.state)},
                          {"asked", stage.asked},
                          {"reason", stage.reason},
                          {"ms", stage.ms},
                          {"evidence", std::move(evidence)}});
    }
    const Json json{{"run", report.run},
                    {"finished", report.finished},
                    {"failed", report.has_failed()},
                    {"complete", report.is_complete()},
                    {"listener", report.listener},
                    {"account", report.account},
                    {"worker", report.worker},
                    {"at_ms", report.at_ms},
                    {"ms", report.ms},
                    {"stages", std::move(stages)}};
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

WorkflowRequest workflow_request(base::JsonFields& fields) {
    WorkflowRequest request;
    request.user = fields.text("user", share::kNameLimit);
    request.shares = static_cast<std::uint32_t>(
        fields.integer("shares", 1, WorkflowRequest::kMostShares).value_or(request.shares));
    request.block = fields.flag("block");
    return request;
}

}  // namespace adit::manager
