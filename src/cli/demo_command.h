// `adit demo`: a whole pool on an embedded chain with virtual miners that truly hash, in one
// process. Everything the pool does there is real but the chain's other participants.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace adit::cli {

struct DemoOptions {
    std::string listen;             // empty: 0.0.0.0:3333, or any free port when that is taken
    std::string data_dir;           // empty: a temporary one, removed at the end
    unsigned miners = 8;            // virtual miners
    double hashes_per_s = 600'000;  // of all virtual miners together, at most half a core
    std::int32_t block_s = 20;      // the chain's time between blocks
    std::int64_t seconds = 0;       // 0: until Ctrl-C
    std::string log_level = "info";
    std::string log_format = "text";
};

// Registers the subcommand; *exit_code receives its result (see serve.h).
void add_demo_command(CLI::App& app, int* exit_code);

int demo(const DemoOptions& options);

}  // namespace adit::cli
