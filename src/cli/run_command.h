// `adit run` and `adit check`: the two that read a configuration file to serve miners, or to say
// whether it could.
#pragma once

#include "manager/config.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace adit::cli {

// Registers the subcommands; *exit_code receives their result (see serve.h for run; check: 0 when
// everything is fine, 1 when something that was tried failed, 2 when the file has faults).
void add_run_command(CLI::App& app, int* exit_code);
void add_check_command(CLI::App& app, int* exit_code);

int run(const std::string& config_file);
int check(const std::string& config_file, std::FILE* out);

// One line per fault, to stderr.
void print_faults(const std::vector<manager::ConfigFault>& faults);

}  // namespace adit::cli
