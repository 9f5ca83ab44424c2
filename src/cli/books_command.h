// The commands that read the ledger: `adit balance`, `adit blocks`, `adit export`. They work beside
// a running pool and without one, and change nothing.
#pragma once

#include "manager/config.h"
#include "store/sql_ledger.h"

#include <cstdio>
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace adit::cli {

// Exit codes of the commands about the books.
inline constexpr int kBooksDone = 0;
inline constexpr int kBooksFailed = 1;    // the ledger or the pool cannot be asked, or refused
inline constexpr int kBooksBadUsage = 2;  // options or the configuration

// Says on stderr why a command about the books could not do it: kBooksFailed.
int failed(const std::string& why);

// The ledger that a configuration names, for reading only; null when the pool has made none yet.
// The error is a sentence.
ledger::Stored<std::unique_ptr<store::SqlLedger>> open_books(const manager::Config& config);

// Loads the configuration and opens its ledger; says what is wrong on stderr and returns the exit
// code then.
std::expected<std::unique_ptr<store::SqlLedger>, int> books_of(const std::string& config_file);

// One account (empty: all), as a table or JSON.
int show_balance(const std::string& config_file, const std::string& account, bool json,
                 std::FILE* out);
int show_blocks(const std::string& config_file, bool json, std::FILE* out);

struct ExportOptions {
    std::string config_file;
    std::string what;     // "earnings" or "payouts"
    std::string account;  // empty: all
    std::string from;     // UTC, inclusive; empty: the beginning
    std::string to;       // UTC, exclusive; empty: now
};
int export_csv(const ExportOptions& options, std::FILE* out);

void add_books_commands(CLI::App& app, int* exit_code);

}  // namespace adit::cli
