// The probes of a running pool's parts (health.h): each does a small real piece of its part's work.
//
//   log       an empty batch goes the way of shares: queue, write, fdatasync, answer
//   ledger    that batch is folded and written by the tally, then all accounts are summed
//   nodes     every configured node answers a call of its own
//   stratum   every listener takes a connection and answers mining.subscribe
//   payouts   one step of the payer, wallet and ledger included
//   auth      a token is made and checked, and the accounts are read
//
// What is handed in outlives the probes.
#pragma once

#include "auth/auth_service.h"
#include "ledger/journal.h"
#include "manager/health.h"
#include "manager/own_listener.h"
#include "manager/payout_desk.h"
#include "node/node_pool.h"
#include "store/file_share_log.h"
#include "store/tally_thread.h"

#include <filesystem>
#include <functional>

namespace adit::manager {

// The probe lives until the log is closed.
std::unique_ptr<Probe> log_probe(share::Recorder& log, std::filesystem::path log_dir,
                                 const base::Clock& clock);
std::unique_ptr<Probe> ledger_probe(const store::FileShareLog& log, store::TallyThread& tally,
                                    ledger::LedgerReader& reader, const base::Clock& clock);

// Nodes may change while the pool runs: both are asked anew each time.
struct NodeProbeSources {
    std::function<std::vector<node::NodeSettings>()> nodes;
    std::function<node::PoolStatus()> status;
};
std::unique_ptr<Probe> node_probe(NodeProbeSources sources, const base::Clock& clock);

// places_left: how many more connections the limit allows. The last place is a miner's: then the
// listeners are not tried.
std::unique_ptr<Probe> stratum_probe(std::vector<ProbedListener> listeners,
                                     std::function<std::uint64_t()> places_left,
                                     const base::Clock& clock);
std::unique_ptr<Probe> payout_probe(PayoutDesk& payouts, const base::Clock& clock);
std::unique_ptr<Probe> auth_probe(auth::AuthService& accounts);

}  // namespace adit::manager
