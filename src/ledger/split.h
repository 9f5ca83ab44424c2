// Divides the reward of a block: the pool's fee first, then the parts of the accounts whose work
// counts, exactly (job::allot), and from every part what its account donates. What a job's snapshot
// had fixed before the block was found is divided by that snapshot, since its coinbase has paid by
// it. Reads a journal; as safe as that is.
#pragma once

#include "ledger/journal.h"

#include <optional>
#include <vector>

namespace adit::ledger {

// Fee and parts sum exactly to the reward.
struct RewardSplit {
    Settlement settlement;
    std::vector<SplitRow> rows;  // by name
    friend bool operator==(const RewardSplit&, const RewardSplit&) = default;
};

// Divides the reward by the work in the journal and the settings of this moment; to be done once a
// block and kept. Without any work the finder gets the part, and without a known finder the fee's
// account. nullopt: the snapshot of the block's job is not in the journal, or the reward is not the
// value that its coinbase was made for.
std::optional<RewardSplit> split_reward(Journal& journal, const BlockRow& block, Amount reward);

}  // namespace adit::ledger
