// Payout snapshots between log and ledger: from what the ledger says at one moment to the record in
// the log, and from that record to what coinbases are divided by. Whether an own block belongs to
// the branch that a snapshot is for is said by the caller, who asks the chain. Pure but for the
// ledger that is read; as safe as that is.
#pragma once

#include "job/payout_snapshot.h"
#include "ledger/pplns.h"

#include <set>

namespace adit::ledger {

// A recorded snapshot with what its account ids stand for.
struct NamedSnapshot {
    job::PayoutSnapshot payout;
    std::vector<std::string> accounts;  // names of payout.entries
};
using AccountNames = std::function<std::optional<std::string>(share::AccountId)>;
// Ids without a name (there are none in a snapshot that the ledger took) keep their weight, unpaid.
NamedSnapshot named_snapshot(const share::SnapshotRecord& record, const AccountNames& names);

// What is wrong with a job's coinbase if it is to pay by this snapshot: its outputs must be those
// of the plan, then one with exactly what is carried, then nothing of value. Empty: nothing.
std::string coinbase_fault(const job::Job& job, const NamedSnapshot& snapshot);

// An own block as the branch of a snapshot sees it.
enum class Standing {
    on_branch,   // the snapshot's previous block is it, or was built on it
    off_branch,  // it was not
};

// What the credited blocks outside of a branch have moved: to be taken from the balances to see
// what they would be had only the branch happened.
class OffBranch {
 public:
    void add(const BlockRow& block, std::span<const SplitRow> split, std::string_view fee_account);
    Amount of(std::string_view account) const;

 private:
    std::map<std::string, Amount, std::less<>> moved_;
};

// Whether dues can be told for a branch: every own block on it has to be credited, since only then
// what it paid is debited. An error names the one that is not. Otherwise the credited blocks that
// are off the branch.
Stored<OffBranch> off_branch(LedgerReader& reader, std::span<const BlockRow> blocks,
                             const std::function<Standing(const BlockRow&)>& standing);

struct SnapshotWish {
    std::uint64_t id = 0;
    chain::Hash256 previous;
    std::uint32_t max_outputs = 0;
    Amount dust;
    std::int64_t at_wall_ms = 0;
};
// Weights are the window's, dues all that is owed on the branch, pending or posted, to accounts
// that a coinbase can pay. Everybody in the window and everybody who is owed must have an id in
// `accounts`; an owed account without one is left out, one in the window is an error. Of more
// accounts than a record can hold those that are only owed are left out, the smallest dues first.
Stored<share::SnapshotRecord> build_snapshot(const SnapshotWish& wish, std::uint32_t fee_ppm,
                                             const Window& window,
                                             std::span<const BalanceRow> balances,
                                             const OffBranch& off,
                                             std::span<const share::AccountRecord> accounts);

}  // namespace adit::ledger
