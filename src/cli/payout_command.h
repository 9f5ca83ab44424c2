// `adit payout ...`: looks at payouts in the ledger, and asks the running pool to begin, approve,
// cancel, replace or explain them.
#pragma once

#include <cstdio>
#include <string>

namespace CLI {
class App;
}

namespace adit::cli {

// Straight from the ledger, with or without a running pool; `all`: final ones too.
int list_payouts(const std::string& config_file, bool all, bool json, std::FILE* out);
int show_payout(const std::string& config_file, std::uint64_t id, bool json, std::FILE* out);

void add_payout_command(CLI::App& app, int* exit_code);

}  // namespace adit::cli
