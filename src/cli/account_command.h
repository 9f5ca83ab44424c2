// `adit account ...`: what an account has chosen about its payouts.
#pragma once

#include <cstdio>
#include <string>

namespace CLI {
class App;
}

namespace adit::cli {

// Balance and settings of one account, straight from the ledger.
int show_account(const std::string& config_file, const std::string& account, bool json,
                 std::FILE* out);

void add_account_command(CLI::App& app, int* exit_code);

}  // namespace adit::cli
