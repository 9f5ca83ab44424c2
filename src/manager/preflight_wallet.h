// Tries the calls that payouts make of the node's wallet, with nothing left changed and nothing
// sent. Internal to the manager; see preflight.h.
#pragma once

#include "manager/preflight.h"

namespace adit::manager {

// For payout.mode = "wallet". may_lock: no pool runs on this data, so that an output may be locked
// and unlocked again. Takes a few seconds at most.
std::vector<Finding> try_wallet(const Config& config, bool may_lock);

}  // namespace adit::manager
