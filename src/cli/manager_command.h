// `adit manager ...`: the pool manager's operations on a running pool.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace adit::cli {

void add_manager_command(CLI::App& app, int* exit_code);

// What the operations answer (JSON), for people. Throws nlohmann's exceptions when it is not that.
std::string health_text(const std::string& json);
std::string metrics_text(const std::string& json);
std::string protocol_text(const std::string& json);

}  // namespace adit::cli
