// `adit manager miners`: is there room for so many, hold it, give it up. One thread.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace adit::cli {

// Under `adit manager`.
void add_miners(CLI::App* group, int* exit_code);

// The answer (JSON) as the tables that people read.
std::string miners_text(const std::string& json);

}  // namespace adit::cli
