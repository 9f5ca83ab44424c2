// `adit selftest` and `adit manager workflow`: the complete mining workflow on a running pool, its
// stages printed as they end.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace adit::cli {

void add_selftest_command(CLI::App& app, int* exit_code);
// The same as a command of this group.
void add_workflow_command(CLI::App* group, int* exit_code);

// One stage of the report (JSON), for people. Throws nlohmann's exceptions when it is none.
std::string stage_text(const std::string& json);

}  // namespace adit::cli
