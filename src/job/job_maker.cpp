#include "job/job_maker.h"

#include "job/allotment.h"

namespace adit::job {

namespace {

constexpr std::int64_t kMaxMoneySat = 2'100'000'000'000'000;
constexpr std::size_t kMaxHeightPush = 5;
constexpr std::size_t kExtraSize = 1 + kExtranonce1Size + kExtranonce2Size;
static_assert(kMaxHeightPush + kSignatureLimit + kExtraSize <= 100, "consensus bounds scriptSig");
constexpr std::size_t kWitnessScale = 4;           // BIP141: weight of a byte outside the witness
constexpr std::size_t kLongestAddressScript = 42;  // BIP141: a witness program of 40 bytes
constexpr std::size_t kCoinbaseWitnessSize = 36;   // marker, flag, count, size, reserved value

// version, one input with the null outpoint, and the script up to where the variant follows.
base::Bytes coinbase_head(std::int32_t height, std::string_view signature) {
    auto script = chain::height_push(height);
    base::append(script, base::as_bytes(signature));
    const auto script_size = script.size() + kExtraSize;

    base::Bytes out;
    base::append_le<std::uint32_t>(out, 2);
    out.push_back(1);
    out.resize(out.size() + 32);
    base::append_le<std::uint32_t>(out, 0xffffffff);
    out.push_back(static_cast<std::uint8_t>(script_size));
    base::append(out, script);
    return out;
}

void append_output(base::Bytes& out, std::int64_t value_sat, base::ByteSpan script) {
    base::append_le(out, value_sat);
    chain::append_compact_size(out, script.size());
    base::append(out, script);
}

// The commitment covers our own reckoning of the wtxids: what the node says of it is not needed.
base::Bytes commitment_script(const BlockTemplate& source) {
    std::vector<chain::Hash256> leaves;
    leaves.reserve(source.transactions.size() + 1);
    leaves.emplace_back();  // the coinbase counts as zero
    for (const auto& transaction : source.transactions)
        leaves.push_back(transaction->wtxid);
    return chain::witness_commitment_script(chain::merkle_root(std::move(leaves)), {});
}

// sequence, outputs and lock time. `snapshot` may be null.
base::Bytes coinbase_tail(const BlockTemplate& source, base::ByteSpan payout_script,
                          const PayoutSnapshot* snapshot) {
    CoinbasePlan plan;
    plan.carried = chain::Amount::of(source.coinbase_value_sat);
    if (snapshot != nullptr) {
        plan = plan_coinbase(*snapshot, plan.carried, snapshot->previous == source.previous);
    }
    const bool carries = plan.outputs.empty() || !plan.carried.is_zero();
    base::Bytes out;
    base::append_le<std::uint32_t>(out, 0xffffffff);
    chain::append_compact_size(
        out, plan.outputs.size() + (carries ? 1U : 0U) + (source.segwit ? 1U : 0U));
    for (const auto& output : plan.outputs)
        append_output(out, output.amount.sat(), snapshot->entries[output.entry].script);
    if (carries) append_output(out, plan.carried.sat(), payout_script);
    if (source.segwit) append_output(out, 0, commitment_script(source));
    base::append_le<std::uint32_t>(out, 0);
    return out;
}

std::vector<chain::Hash256> branches_of(const BlockTemplate& source) {
    std::vector<chain::Hash256> txids;
    txids.reserve(source.transactions.size());
    for (const auto& transaction : source.transactions)
        txids.push_back(transaction->txid);
    return chain::merkle_branches(std::move(txids));
}

// The same when whoever finds the block is paid: the first output has the payout script in place of
// theirs.
base::Bytes finder_coinbase_tail(const BlockTemplate& source, base::ByteSpan payout_script,
                                 std::uint32_t fee_ppm) {
    const auto value = chain::Amount::of(source.coinbase_value_sat);
    const auto fee = fraction_of(value, fee_ppm);
    base::Bytes out;
    base::append_le<std::uint32_t>(out, 0xffffffff);
    chain::append_compact_size(out, 1U + (fee.is_zero() ? 0U : 1U) + (source.segwit ? 1U : 0U));
    append_output(out, (value - fee).sat(), payout_script);
    if (!fee.is_zero()) append_output(out, fee.sat(), payout_script);
    if (source.segwit) append_output(out, 0, commitment_script(source));
    base::append_le<std::uint32_t>(out, 0);
    return out;
}

// The template without so many of its last transactions that the others and this coinbase fit. What
// depends on a transaction stands behind it, so the others are still a block. Null when even
// without transactions it is too heavy.
TemplateRef lightened(const BlockTemplate& source, std::size_t weight) {
    auto lighter = std::make_shared<BlockTemplate>(source);
    while (weight > lighter->weight_limit && !lighter->transactions.empty()) {
        const auto& last = *lighter->transactions.back();
        weight -= last.weight;
        lighter->coinbase_value_sat -= last.fee_sat;
        lighter->transactions.pop_back();
    }
    if (weight > lighter->weight_limit || lighter->coinbase_value_sat < 0) return nullptr;
    return lighter;
}

std::size_t block_weight(const Job& job) {
    const auto& source = *job.source;
    base::Bytes count;
    chain::append_compact_size(count, 1 + source.transactions.size());
    const auto coinbase = job.coinbase_head.size() + kExtraSize + job.coinbase_tail.size();
    std::size_t weight = kWitnessScale * (chain::kHeaderSize + count.size() + coinbase);
    if (source.segwit) weight += kCoinbaseWitnessSize;
    for (const auto& transaction : source.transactions)
        weight += transaction->weight;
    return weight;
}

}  // namespace

std::string_view describe(JobError error) {
    switch (error) {
        case JobError::signature_too_long:
            return "the pool's signature does not fit into the coinbase";
        case JobError::no_payout_script:
            return "there is no script that receives the reward";
        case JobError::bad_height:
            return "the template's height is below 1";
        case JobError::bad_bits:
            return "the template's bits encode no target";
        case JobError::bad_value:
            return "the template's coinbase value is negative or more than all coins";
        case JobError::template_too_heavy:
            return "the template with our coinbase exceeds the weight limit";
    }
    return "unknown";
}

JobMaker::JobMaker(JobMakerSettings settings, JobId next_id)
    : settings_(std::move(settings)), next_id_(next_id) {}

void JobMaker::set_snapshot(PayoutSnapshotRef snapshot) {
    snapshot_ = snapshot != nullptr && has_weights(*snapshot) ? std::move(snapshot) : nullptr;
}

std::expected<JobRef, JobError> JobMaker::make(TemplateRef source, std::int64_t now_ms) {
    if (settings_.signature.size() > kSignatureLimit) {
        return std::unexpected(JobError::signature_too_long);
    }
    if (settings_.payout_script.empty()) return std::unexpected(JobError::no_payout_script);
    if (source->height < 1) return std::unexpected(JobError::bad_height);
    if (source->coinbase_value_sat < 0 || source->coinbase_value_sat > kMaxMoneySat) {
        return std::unexpected(JobError::bad_value);
    }
    if (!chain::target_from_compact(source->bits)) return std::unexpected(JobError::bad_bits);

    auto job = std::make_shared<Job>();
    job->coinbase_head = coinbase_head(source->height, settings_.signature);
    const auto fill_in = [&] {
        job->source = source;
        if (settings_.finder_fee_ppm) {
            job->coinbase_tail =
                finder_coinbase_tail(*source, settings_.payout_script, *settings_.finder_fee_ppm);
            return block_weight(*job) + kWitnessScale * kLongestAddressScript;
        }
        job->coinbase_tail = coinbase_tail(*source, settings_.payout_script, snapshot_.get());
        return block_weight(*job);
    };
    auto weight = fill_in();
    // A smaller value can be paid out in full where the larger one was not, by one output more or
    // less; so it is weighed again.
    while ((snapshot_ || settings_.finder_fee_ppm) && weight > source->weight_limit) {
        auto lighter = lightened(*source, weight);
        if (!lighter) break;
        source = std::move(lighter);
        weight = fill_in();
    }
    if (weight > source->weight_limit) return std::unexpected(JobError::template_too_heavy);
    job->pays_finder = settings_.finder_fee_ppm.has_value();
    const auto* snapshot = job->pays_finder ? nullptr : snapshot_.get();
    job->snapshot = snapshot != nullptr ? snapshot->id : 0;
    job->pays_dues = snapshot != nullptr && snapshot->previous == source->previous;
    job->branches = branches_of(*source);
    job->version = source->version & ~kVersionRollingMask;
    job->bits = source->bits;
    job->min_time = source->min_time;
    job->ntime = std::max(source->current_time, source->min_time);
    job->created_ms = now_ms;

    // Another height on the same block: a node was wrong, and blocks of its jobs are none.
    job->clean = tip_ == 0 || source->previous != previous_ || source->height != height_;
    if (job->clean) {
        ++tip_;
        previous_ = source->previous;
        height_ = source->height;
    }
    job->tip = tip_;
    job->id = next_id_++;
    derive(*job);
    return job;
}

}  // namespace adit::job
