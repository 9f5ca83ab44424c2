#include "chain/sha256.h"

#include "base/check.h"
#include "chain/sha256_kernels.h"

namespace adit::chain {
namespace {

// The end of a message with its padding: one or two blocks.
struct LastBlocks {
    alignas(16) std::array<std::uint8_t, 128> bytes;

    // Returns the number of blocks. rest.size() < 64.
    std::size_t fill(base::ByteSpan rest, std::uint64_t message_size) {
        const std::size_t blocks = rest.size() < 56 ? 1 : 2;
        std::copy(rest.begin(), rest.end(), bytes.begin());
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(rest.size()), bytes.end(),
                  std::uint8_t{0});
        bytes[rest.size()] = 0x80;
        base::store_be64(bytes.data() + 64 * blocks - 8, message_size * 8);
        return blocks;
    }
};

struct Kernels {
    std::array<const Sha256Kernel*, 2> all{};
    std::size_t count = 0;

    Kernels() {
        if (const auto* sha_ni = sha256_sha_ni()) all[count++] = sha_ni;
        all[count++] = &kSha256Portable;
    }
};

const Kernels& kernels() {
    static const Kernels chosen;
    return chosen;
}

}  // namespace

const Sha256Kernel& sha256_kernel() {
    return *kernels().all[0];
}

std::span<const Sha256Kernel* const> sha256_kernels() {
    return std::span{kernels().all}.first(kernels().count);
}

Sha256Midstate sha256_midstate(const Sha256Kernel& kernel, base::ByteSpan prefix) {
    Sha256Midstate midstate;
    Sha256State* const state = &midstate.state;
    const std::uint8_t* const data = prefix.data();
    kernel.compress[0](&state, &data, prefix.size() / 64);
    midstate.length = prefix.size() / 64 * 64;
    return midstate;
}

Sha256Digest sha256_digest(const Sha256Kernel& kernel, base::ByteSpan bytes) {
    auto midstate = sha256_midstate(kernel, bytes);
    LastBlocks last;
    const auto blocks = last.fill(bytes.subspan(midstate.length), bytes.size());
    Sha256State* const state = &midstate.state;
    const std::uint8_t* const data = last.bytes.data();
    kernel.compress[0](&state, &data, blocks);
    Sha256Digest digest;
    for (std::size_t i = 0; i < 8; ++i)
        base::store_be32(digest.data() + 4 * i, (*state)[i]);
    return digest;
}

void sha256d_tails(const Sha256Kernel& kernel, const Sha256Midstate* const midstates[],
                   const std::uint8_t* const tails[], std::size_t tail_size, std::size_t count,
                   Sha256Digest* const out[]) {
    ADIT_CHECK(count >= 1 && count <= kSha256Lanes, "the kernel has no such lane count");
    const std::size_t whole = tail_size / 64 * 64;
    std::array<Sha256State, kSha256Lanes> states;
    std::array<Sha256State*, kSha256Lanes> state{};
    std::array<LastBlocks, kSha256Lanes> last;
    std::array<const std::uint8_t*, kSha256Lanes> end{};
    std::size_t last_blocks = 0;
    for (std::size_t i = 0; i < count; ++i) {
        states[i] = midstates[i]->state;
        state[i] = &states[i];
        last_blocks =
            last[i].fill({tails[i] + whole, tail_size - whole}, midstates[i]->length + tail_size);
        end[i] = last[i].bytes.data();
    }
    const auto compress = kernel.compress[count - 1];
    if (whole != 0) compress(state.data(), tails, whole / 64);
    compress(state.data(), end.data(), last_blocks);
    kernel.finish[count - 1](state.data(), out);
}

}  // namespace adit::chain
