// `adit audit`: hashes every share of the log again and recomputes all totals.
#pragma once

#include <cstdio>
#include <string>

namespace CLI {
class App;
}

namespace adit::cli {

// Exit codes of audit.
inline constexpr int kAuditClean = 0;
inline constexpr int kAuditDiffers = 1;
inline constexpr int kAuditImpossible = 2;  // faults in the configuration, or nothing to read

// Registers the subcommand; *exit_code receives its result.
void add_audit_command(CLI::App& app, int* exit_code);

int audit(const std::string& config_file, bool json, std::FILE* out);

}  // namespace adit::cli
