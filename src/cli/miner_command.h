// `adit miner`: mines for any Stratum V1 pool and shows what really came of it.
#pragma once

#include "miner/pool_miner.h"

#include <cstdint>
#include <cstdio>
#include <string>

namespace CLI {
class App;
}

namespace adit::cli {

struct MinerOptions {
    std::string url;
    std::string user;
    std::string password = "x";
    unsigned threads = 0;           // 0: one per processor
    double hashes_per_s = 0;        // 0: no limit
    std::uint64_t shares = 0;       // end after so many accepted shares; 0: never
    std::uint64_t seconds = 0;      // end after so long; 0: never
    double suggest_difficulty = 0;  // 0: leave it to the pool
    bool json = false;              // one JSON object a line instead of text
    bool insecure = false;          // TLS without looking at the certificate
    std::string ca_file;            // TLS authorities other than the system's
    bool no_version_rolling = false;
};

// Exit codes of the command; wrong options end with CLI11's own codes.
inline constexpr int kMinerDone = 0;          // Ctrl-C, --shares or --seconds reached
inline constexpr int kMinerNothing = 1;       // --seconds ran out without one accepted share
inline constexpr int kMinerBadUsage = 2;      // the URL or the CA file cannot be used
inline constexpr int kMinerUnauthorized = 3;  // the pool refuses the name

// Mines until told to stop and returns the exit code. Blocks signals (see signals.h), so it is
// called before other threads exist. Reports go to `out`, problems with the options to stderr.
int run_miner(const MinerOptions& options, std::FILE* out);

// Registers the subcommand; *exit_code receives run_miner()'s result when it was chosen.
void add_miner_command(CLI::App& app, int* exit_code);

// What is known at one moment, for the status line and the last line.
struct MinerProgress {
    miner::PoolMinerStats stats;
    double hashes_per_s = 0;  // measured over the last seconds
    std::int64_t elapsed_s = 0;
};
std::string progress_text(const MinerProgress& progress);
// One JSON object; `event` is "status" or "summary".
std::string progress_json(const MinerProgress& progress, std::string_view event);

}  // namespace adit::cli
