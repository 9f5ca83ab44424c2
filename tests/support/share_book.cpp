#include "tests/support/share_book.h"

namespace adit::tests {

void ShareBook::note(const miner::ShareReply& reply) {
    const std::lock_guard lock(mutex_);
    switch (reply.outcome) {
        case miner::ShareOutcome::accepted:
            ++counts_.accepted;
            ++true_[reply.share.hash];
            if (!reply.share.block) return;
            ++counts_.blocks;
            blocks_.push_back(reply.share.hash);
            return;
        case miner::ShareOutcome::rejected:
            ++counts_.rejected;
            ++reasons_[reply.reason];
            return;
        case miner::ShareOutcome::known:
            ++counts_.known;
            return;
        case miner::ShareOutcome::lost:
            ++counts_.lost;
            return;
    }
}

ShareBook::Counts ShareBook::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

std::unordered_map<chain::Hash256, int, chain::Hash256Hasher> ShareBook::answered_true() const {
    const std::lock_guard lock(mutex_);
    return true_;
}

std::vector<chain::Hash256> ShareBook::blocks() const {
    const std::lock_guard lock(mutex_);
    return blocks_;
}

std::map<std::string, std::uint64_t> ShareBook::reasons() const {
    const std::lock_guard lock(mutex_);
    return reasons_;
}

}  // namespace adit::tests
