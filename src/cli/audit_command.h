// `adit audit`: hashes every share of the log again, recomputes the ledger from the log alone, and
// compares it with the ledger's database and the chain. The pool may be running.
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
// Faults in the configuration, nothing to read, or something that could not be compared.
inline constexpr int kAuditImpossible = 2;

struct AuditOptions {
    std::string config_file;
    bool json = false;
    bool chain = true;  // compare with the nodes' chain as well
};

// Registers the subcommand; *exit_code receives its result.
void add_audit_command(CLI::App& app, int* exit_code);

int audit(const AuditOptions& options, std::FILE* out);

}  // namespace adit::cli
