#include "share/validator.h"

#include "base/check.h"

namespace adit::share {

namespace {

using job::kExtranonce1Size;
using job::kExtranonce2Size;

constexpr std::size_t kLanes = chain::kSha256Lanes;
constexpr std::size_t kExtraSize = 1 + kExtranonce1Size + kExtranonce2Size;
constexpr std::size_t kBlock = 64;  // bytes of a SHA-256 block

// One share on its way through the kernel. The coinbase after the job's midstate is taken as one or
// two blocks assembled here (head's rest, variant, extranonces, the tail's front) and then the rest
// of the job's padded tail where it lies: a tail of any size costs no copy.
struct Lane {
    const CheckRequest* request;
    CheckResult* result;
    chain::Sha256State state;
    std::size_t front_blocks = 0;
    const std::uint8_t* back;
    std::size_t back_blocks = 0;
    std::array<std::uint8_t, 2 * kBlock> front;
    std::array<std::uint8_t, kBlock> node;  // merkle node, then reused; the root is its first half
    std::array<std::uint8_t, chain::kHeaderSize> header;
};

std::size_t blocks_of(const job::Job& job) {
    return (job.head_rest.size() + kExtraSize + job.padded_tail.size()) / kBlock;
}

// Lanes can be interleaved when their messages have equally many blocks in front and in total.
bool same_shape(const job::Job& a, const job::Job& b) {
    return &a == &b || (a.head_rest.size() == b.head_rest.size() && blocks_of(a) == blocks_of(b));
}

void load(Lane& lane) {
    const auto& job = *lane.request->job;
    const auto& choice = lane.request->choice;
    auto* out = lane.front.data();
    std::memcpy(out, job.head_rest.data(), job.head_rest.size());
    out += job.head_rest.size();
    *out++ = choice.variant;
    base::store_be32(out, choice.extranonce1);
    out += kExtranonce1Size;
    std::memcpy(out, choice.extranonce2.data(), kExtranonce2Size);
    out += kExtranonce2Size;

    const auto filled = static_cast<std::size_t>(out - lane.front.data());
    lane.front_blocks = (filled + kBlock - 1) / kBlock;
    // The padded message is whole blocks, so the padded tail always reaches that far.
    const auto taken = lane.front_blocks * kBlock - filled;
    std::memcpy(out, job.padded_tail.data(), taken);
    lane.back = job.padded_tail.data() + taken;
    lane.back_blocks = (job.padded_tail.size() - taken) / kBlock;
    lane.state = job.midstate.state;
}

// Folds equally many blocks into each state, as interleaved as the count allows.
void compress(const chain::Sha256Kernel& kernel, chain::Sha256State* const states[],
              const std::uint8_t* const data[], std::size_t count, std::size_t blocks) {
    if (blocks == 0) return;
    if (count == 4) return kernel.compress4(states, data, blocks);
    if (count >= 2) {
        kernel.compress2(states, data, blocks);
        states += 2;
        data += 2;
        count -= 2;
    }
    if (count == 1) kernel.compress(*states[0], data[0], blocks);
}

// The second SHA-256 of SHA-256d: 32 bytes and their padding are one block.
void store_second_block(std::uint8_t* out, const chain::Sha256State& first) {
    for (std::size_t i = 0; i < first.size(); ++i)
        base::store_be32(out + 4 * i, first[i]);
    std::memset(out + 32, 0, 32);
    out[32] = 0x80;
    out[62] = 0x01;  // 256 bits, big-endian
}

// Leaves each coinbase's txid in the first half of its lane's node.
void hash_coinbases(const chain::Sha256Kernel& kernel, std::span<Lane> lanes) {
    std::array<chain::Sha256State*, kLanes> states;
    std::array<const std::uint8_t*, kLanes> data;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        load(lanes[i]);
        states[i] = &lanes[i].state;
        data[i] = lanes[i].front.data();
    }
    compress(kernel, states.data(), data.data(), lanes.size(), lanes[0].front_blocks);
    for (std::size_t i = 0; i < lanes.size(); ++i)
        data[i] = lanes[i].back;
    compress(kernel, states.data(), data.data(), lanes.size(), lanes[0].back_blocks);

    for (std::size_t i = 0; i < lanes.size(); ++i) {
        store_second_block(lanes[i].front.data(), lanes[i].state);
        lanes[i].state = chain::kSha256Start;
        data[i] = lanes[i].front.data();
    }
    compress(kernel, states.data(), data.data(), lanes.size(), 1);
    for (auto& lane : lanes) {
        for (std::size_t i = 0; i < lane.state.size(); ++i) {
            base::store_be32(lane.node.data() + 4 * i, lane.state[i]);
        }
    }
}

// Folds every lane's branches onto its node. Lanes of different jobs may have different numbers of
// branches; those that are done drop out.
void fold_branches(const chain::Sha256Kernel& kernel, std::span<Lane> lanes) {
    for (std::size_t level = 0;; ++level) {
        std::array<const std::uint8_t*, kLanes> data;
        std::array<std::array<std::uint8_t, 32>, kLanes> hashes;
        std::array<std::array<std::uint8_t, 32>*, kLanes> out;
        std::array<Lane*, kLanes> going;
        std::size_t count = 0;
        for (auto& lane : lanes) {
            const auto& branches = lane.request->job->branches;
            if (level >= branches.size()) continue;
            std::memcpy(lane.node.data() + 32, branches[level].bytes.data(), 32);
            data[count] = lane.node.data();
            out[count] = &hashes[count];
            going[count++] = &lane;
        }
        if (count == 0) return;
        chain::sha256d_64(kernel, data.data(), count, out.data());
        for (std::size_t i = 0; i < count; ++i) {
            std::memcpy(going[i]->node.data(), hashes[i].data(), 32);
        }
    }
}

void hash_headers(const chain::Sha256Kernel& kernel, std::span<Lane> lanes) {
    std::array<const std::uint8_t*, kLanes> data;
    std::array<std::array<std::uint8_t, 32>*, kLanes> out;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        auto& lane = lanes[i];
        const auto& job = *lane.request->job;
        const auto& choice = lane.request->choice;
        auto* at = lane.header.data();
        base::store_le(at, choice.version);
        std::memcpy(at + 4, job.source->previous.bytes.data(), 32);
        std::memcpy(at + 36, lane.node.data(), 32);
        base::store_le(at + 68, choice.ntime);
        base::store_le(at + 72, job.bits);
        base::store_le(at + 76, choice.nonce);
        data[i] = at;
        out[i] = &lane.result->hash.bytes;
    }
    chain::sha256d_80(kernel, data.data(), lanes.size(), out.data());
}

void check_lanes(const chain::Sha256Kernel& kernel, std::span<Lane> lanes) {
    hash_coinbases(kernel, lanes);
    fold_branches(kernel, lanes);
    hash_headers(kernel, lanes);
    for (auto& lane : lanes) {
        lane.result->meets_share = lane.request->share_target.met_by(lane.result->hash);
        lane.result->meets_network = lane.request->job->network_target.met_by(lane.result->hash);
    }
}

}  // namespace

void Validator::check(std::span<const CheckRequest> requests,
                      std::span<CheckResult> results) const {
    ADIT_CHECK(requests.size() == results.size(), "one result for each request");
    constexpr std::size_t kWindow = 64;
    while (!requests.empty()) {
        const auto window = std::min(requests.size(), kWindow);
        std::uint64_t done = 0;
        for (std::size_t first = 0; first < window; ++first) {
            if (done >> first & 1) continue;
            // This request and up to three more of the window that fit beside it.
            std::array<Lane, kLanes> lanes;
            std::size_t count = 0;
            for (std::size_t i = first; i < window && count < kLanes; ++i) {
                if (done >> i & 1) continue;
                if (!same_shape(*requests[first].job, *requests[i].job)) continue;
                lanes[count].request = &requests[i];
                lanes[count++].result = &results[i];
                done |= std::uint64_t{1} << i;
            }
            check_lanes(*kernel_, std::span(lanes).first(count));
        }
        requests = requests.subspan(window);
        results = results.subspan(window);
    }
}

std::optional<std::uint32_t> roll_version(std::uint32_t job_version, std::uint32_t mask,
                                          std::uint32_t version_bits) {
    if ((version_bits & ~mask) != 0) return std::nullopt;
    return (job_version & ~mask) | version_bits;
}

std::optional<Refusal> check_time(const job::Job& job, std::uint32_t ntime,
                                  std::int64_t wall_seconds) {
    constexpr std::int64_t kPastJob = 7'000;
    constexpr std::int64_t kPastClock = 7'200;
    if (ntime < job.min_time) return Refusal::time_too_old;
    if (ntime > job.ntime + kPastJob || ntime > wall_seconds + kPastClock) {
        return Refusal::time_too_new;
    }
    return std::nullopt;
}

}  // namespace adit::share
