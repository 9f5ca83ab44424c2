// The job of a block that only the chain knows, with whom its coinbase pays. Internal to the
// manager.
#pragma once

#include "base/log.h"
#include "manager/block_desk.h"
#include "store/sql_ledger.h"

namespace adit::manager {

// Whether a coinbase pays the script of an account that one of the ledger's snapshots pays.
ledger::Stored<bool> pays_by_snapshot(const chain::Transaction& coinbase, store::SqlLedger& ledger);

// As job_of_chain(), and when the coinbase pays others than the pool, with the snapshot that says
// so, looked for among those that the ledger keeps. Null, with a word to the operator, when none
// does: nobody could tell then what is still owed of it.
job::JobRef recovered_job(const node::OwnBlock& block, job::JobId id, chain::Network network,
                          std::string_view signature, store::SqlLedger& ledger,
                          base::Logger& logger);

}  // namespace adit::manager
