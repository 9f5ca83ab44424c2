// Tries everything that a configuration names, without starting the pool: nodes, ports, TLS files,
// the data directory, the limit on open files, the wallet that pays. Leaves nothing behind but the
// data directory, if that was missing, and sends nothing. Takes a few seconds at most per node.
#pragma once

#include "manager/config.h"

#include <optional>
#include <string>
#include <vector>

namespace adit::manager {

// One thing that was tried. `fault` is set when it failed.
struct Finding {
    std::string subject;  // "node http://127.0.0.1:8332", "listen 0.0.0.0:3333", ...
    std::string result;   // what was seen, when it is fine
    std::optional<ConfigFault> fault;
    bool warning = false;  // the fault does not keep the pool from starting
};

std::vector<Finding> preflight(const Config& config);

}  // namespace adit::manager
