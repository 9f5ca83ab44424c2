#include "share/share_processor.h"

#include "base/check.h"

#include <bit>

namespace adit::share {

ShareProcessor::ShareProcessor(const chain::Sha256Kernel& kernel) : validator_(kernel) {
    for (auto& cached : targets_)
        cached.target = cached.difficulty.target();
}

const chain::Target& ShareProcessor::target_of(const chain::Difficulty& difficulty) {
    const auto mixed = std::bit_cast<std::uint64_t>(difficulty.value()) * 0x9e3779b97f4a7c15U;
    auto& cached = targets_[mixed >> (64 - std::countr_zero(kTargetSlots))];
    if (cached.difficulty != difficulty) cached = {difficulty, difficulty.target()};
    return cached.target;
}

void ShareProcessor::process(std::span<const PendingShare> shares, std::span<Verdict> verdicts) {
    ADIT_CHECK(shares.size() == verdicts.size(), "one verdict for each share");
    while (!shares.empty()) {
        const auto count = std::min(shares.size(), kChunk);
        process_chunk(shares.first(count), verdicts.first(count));
        shares = shares.subspan(count);
        verdicts = verdicts.subspan(count);
    }
}

void ShareProcessor::process_chunk(std::span<const PendingShare> shares,
                                   std::span<Verdict> verdicts) {
    std::size_t hashed = 0;
    for (const auto& share : shares) {
        if (share.job == nullptr) continue;
        requests_[hashed++] = {share.job.get(), share.choice, target_of(share.difficulty)};
    }
    validator_.check(std::span(requests_).first(hashed), std::span(results_).first(hashed));

    std::size_t next = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
        if (shares[i].job == nullptr) {
            verdicts[i] = {};
            verdicts[i].refusal = shares[i].policy.value_or(Refusal::job_not_found);
        } else {
            verdicts[i] = judge(shares[i], results_[next++]);
        }
    }
}

Verdict ShareProcessor::judge(const PendingShare& share, const CheckResult& result) {
    Verdict verdict;
    verdict.hash = result.hash;
    verdict.block = result.meets_network;
    if (share.policy) {
        verdict.refusal = share.policy;
        return verdict;
    }
    ADIT_CHECK(share.duplicates != nullptr, "a share that may be accepted has a duplicate filter");
    const bool meets_lowered = share.lowered && target_of(*share.lowered).met_by(result.hash);
    if (!result.meets_share && !result.meets_network && !meets_lowered) {
        verdict.refusal =
            share.duplicates->contains(result.hash) ? Refusal::duplicate : Refusal::low_difficulty;
        return verdict;
    }
    switch (share.duplicates->insert(share.job->id, result.hash)) {
        case DuplicateFilter::Verdict::fresh:
            verdict.uncredited = !result.meets_share;
            break;
        case DuplicateFilter::Verdict::duplicate:
            verdict.refusal = Refusal::duplicate;
            break;
        case DuplicateFilter::Verdict::full:
            verdict.refusal = Refusal::too_many_shares;
            break;
    }
    return verdict;
}

ShareRecord record_of(const PendingShare& share, const Verdict& verdict) {
    ShareRecord record;
    record.job = share.job == nullptr ? 0 : share.job->id;
    record.choice = share.choice;
    record.account = share.account;
    record.worker = share.worker;
    record.difficulty = share.difficulty;
    record.uncredited = verdict.uncredited;
    record.block = verdict.block;
    record.stale = verdict.refusal == Refusal::stale;
    return record;
}

}  // namespace adit::share
