// What a miner says about itself in mining.authorize: ADDRESS[.worker], and options in the
// password. Pure, safe from any thread.
#pragma once

#include "chain/network.h"

#include <expected>
#include <string>
#include <string_view>

namespace adit::stratum {

inline constexpr std::size_t kMaxNameBytes = 255;  // address, dot and worker together

struct WorkerName {
    std::string account;  // the canonical address
    std::string worker;   // may be empty; control characters replaced by '_'
    friend bool operator==(const WorkerName&, const WorkerName&) = default;
};

// Resolves %2e-style escapes (a percent sign that begins none stays), then splits at the first dot.
// Otherwise a sentence that says what is wrong.
std::expected<WorkerName, std::string_view> parse_worker_name(std::string_view name,
                                                              const chain::NetworkParams& network);

// Options in a password such as "d=4096,md=512"; separated by commas, semicolons or spaces. What is
// not understood is ignored, as "x" is the password of most miners. 0: not given.
struct PasswordOptions {
    double fixed = 0;    // d=N: difficulty from the start, without vardiff
    double minimum = 0;  // md=N
};
PasswordOptions parse_password(std::string_view password);

}  // namespace adit::stratum
