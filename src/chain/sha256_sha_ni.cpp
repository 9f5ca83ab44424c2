// The kernel for processors with the SHA extensions (Intel since Ice Lake and Goldmont, AMD since
// Zen). One SHA256RNDS2 waits for the one before it; messages are interleaved to fill that wait.
//
// The instructions keep the state as two vectors, {A,B,E,F} and {C,D,G,H} from the top word down.
#include "chain/sha256_kernels.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define ADIT_SHA_NI __attribute__((target("sha,sse4.1"), always_inline)) inline
#define ADIT_SHA_NI_ENTRY __attribute__((target("sha,sse4.1")))

namespace adit::chain {
namespace {

struct Halves {
    __m128i abef, cdgh;
};
// The ring of sixteen schedule words, four a vector, the first word lowest.
struct Words {
    __m128i ring[4];
};

ADIT_SHA_NI __m128i load(const void* at) {
    return _mm_loadu_si128(static_cast<const __m128i*>(at));
}
ADIT_SHA_NI void store(void* at, __m128i value) {
    _mm_storeu_si128(static_cast<__m128i*>(at), value);
}
ADIT_SHA_NI __m128i swap_words(__m128i bytes) {
    return _mm_shuffle_epi8(bytes, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

// {A,B,C,D} and {E,F,G,H}, first word lowest, into halves and back.
ADIT_SHA_NI Halves halves_of(__m128i abcd, __m128i efgh) {
    const __m128i badc = _mm_shuffle_epi32(abcd, 0xb1);
    const __m128i hgfe = _mm_shuffle_epi32(efgh, 0x1b);
    return {_mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xf0)};
}
ADIT_SHA_NI __m128i first_words(const Halves& state) {
    return _mm_blend_epi16(_mm_shuffle_epi32(state.abef, 0x1b), _mm_shuffle_epi32(state.cdgh, 0xb1),
                           0xf0);
}
ADIT_SHA_NI __m128i last_words(const Halves& state) {
    return _mm_alignr_epi8(_mm_shuffle_epi32(state.cdgh, 0xb1), _mm_shuffle_epi32(state.abef, 0x1b),
                           8);
}
ADIT_SHA_NI Halves start() {
    return halves_of(load(kSha256Start.data()), load(kSha256Start.data() + 4));
}

ADIT_SHA_NI void four_rounds(Halves& state, __m128i constants_and_words) {
    state.cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, constants_and_words);
    state.abef =
        _mm_sha256rnds2_epu32(state.abef, state.cdgh, _mm_shuffle_epi32(constants_and_words, 0x0e));
}

// Replaces the oldest four words of the ring, ring[oldest], by the four that follow the newest.
// The last of them needs the first of the newest, but nothing else in this step needs the last:
// with `Late` that word is added behind SHA256MSG2 instead of before, which is an instruction more
// but takes two off the chain from one step to the next, the longest where one message is alone.
template <bool Late>
ADIT_SHA_NI void extend(Words& words, std::size_t oldest) {
    __m128i& old = words.ring[oldest % 4];
    const __m128i second = words.ring[(oldest + 1) % 4];
    const __m128i third = words.ring[(oldest + 2) % 4];
    const __m128i newest = words.ring[(oldest + 3) % 4];
    old = _mm_sha256msg1_epu32(old, second);
    if constexpr (Late) {
        old = _mm_add_epi32(old, _mm_srli_si128(third, 4));
        old = _mm_sha256msg2_epu32(old, newest);
        old = _mm_add_epi32(old, _mm_slli_si128(newest, 12));
    } else {
        old = _mm_add_epi32(old, _mm_alignr_epi8(newest, third, 4));
        old = _mm_sha256msg2_epu32(old, newest);
    }
}

// Folds one block of each message into its state. Uses up the words.
template <std::size_t N>
ADIT_SHA_NI void fold(Halves (&state)[N], Words (&words)[N]) {
    Halves before[N];
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane)
        before[lane] = state[lane];
#pragma GCC unroll 16
    for (std::size_t group = 0; group < 16; ++group) {
        const __m128i constants = load(kSha256Rounds.data() + 4 * group);
#pragma GCC unroll 4
        for (std::size_t lane = 0; lane < N; ++lane) {
            four_rounds(state[lane], _mm_add_epi32(words[lane].ring[group % 4], constants));
            // Three groups before these words are needed.
            if (group < 12) extend<(N <= 2)>(words[lane], group);
        }
    }
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
        state[lane].abef = _mm_add_epi32(state[lane].abef, before[lane].abef);
        state[lane].cdgh = _mm_add_epi32(state[lane].cdgh, before[lane].cdgh);
    }
}

// Folds the padding block behind a 64-byte message, which needs no schedule.
template <std::size_t N>
ADIT_SHA_NI void fold_padding_64(Halves (&state)[N]) {
    Halves before[N];
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane)
        before[lane] = state[lane];
#pragma GCC unroll 16
    for (std::size_t group = 0; group < 16; ++group) {
        const __m128i both = load(kSha256Padding64.data() + 4 * group);
#pragma GCC unroll 4
        for (std::size_t lane = 0; lane < N; ++lane)
            four_rounds(state[lane], both);
    }
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
        state[lane].abef = _mm_add_epi32(state[lane].abef, before[lane].abef);
        state[lane].cdgh = _mm_add_epi32(state[lane].cdgh, before[lane].cdgh);
    }
}

template <std::size_t N>
ADIT_SHA_NI void load_block(Words (&words)[N], const std::uint8_t* const data[],
                            std::size_t offset) {
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 4; ++i) {
            words[lane].ring[i] = swap_words(load(data[lane] + offset + 16 * i));
        }
    }
}

// The words of the digest that each state is, where a block's first half belongs. Between hashes
// that feed each other no byte needs to be swapped.
template <std::size_t N>
ADIT_SHA_NI void take_digests(Words (&words)[N], const Halves (&state)[N]) {
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
        words[lane].ring[0] = first_words(state[lane]);
        words[lane].ring[1] = last_words(state[lane]);
    }
}

template <std::size_t N>
ADIT_SHA_NI void fold_from_start(Halves (&state)[N], Words (&words)[N]) {
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane)
        state[lane] = start();
    fold<N>(state, words);
}

// Replaces each state by the hash of the digest that it is.
template <std::size_t N>
ADIT_SHA_NI void second_hash(Halves (&state)[N]) {
    Words words[N];
    take_digests<N>(words, state);
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
        words[lane].ring[2] = _mm_set_epi32(0, 0, 0, static_cast<int>(0x80000000));
        words[lane].ring[3] = _mm_set_epi32(32 * 8, 0, 0, 0);
    }
    fold_from_start<N>(state, words);
}

// Writes the digests that are the first halves of these words.
template <std::size_t N>
ADIT_SHA_NI void store_digests(Sha256Digest* const out[], const Words (&words)[N]) {
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
        store(out[lane]->data(), swap_words(words[lane].ring[0]));
        store(out[lane]->data() + 16, swap_words(words[lane].ring[1]));
    }
}

template <std::size_t N>
ADIT_SHA_NI void load_states(Halves (&state)[N], const auto* states) {
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
        state[lane] = halves_of(load(states[lane]->data()), load(states[lane]->data() + 4));
    }
}

template <std::size_t N>
ADIT_SHA_NI_ENTRY void compress(Sha256State* const states[], const std::uint8_t* const data[],
                                std::size_t blocks) {
    Halves state[N];
    load_states<N>(state, states);
    for (std::size_t i = 0; i < blocks; ++i) {
        Words words[N];
        load_block<N>(words, data, 64 * i);
        fold<N>(state, words);
    }
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
        store(states[lane]->data(), first_words(state[lane]));
        store(states[lane]->data() + 4, last_words(state[lane]));
    }
}

template <std::size_t N>
ADIT_SHA_NI_ENTRY void finish(const Sha256State* const states[], Sha256Digest* const out[]) {
    Halves state[N];
    load_states<N>(state, states);
    second_hash<N>(state);
    Words words[N];
    take_digests<N>(words, state);
    store_digests<N>(out, words);
}

template <std::size_t N>
ADIT_SHA_NI_ENTRY void double_64(const std::uint8_t* const data[], Sha256Digest* const out[]) {
    Halves state[N];
    Words words[N];
    load_block<N>(words, data, 0);
    fold_from_start<N>(state, words);
    fold_padding_64<N>(state);
    second_hash<N>(state);
    take_digests<N>(words, state);
    store_digests<N>(out, words);
}

template <std::size_t N>
ADIT_SHA_NI_ENTRY void double_80(const std::uint8_t* const data[], Sha256Digest* const out[]) {
    Halves state[N];
    Words words[N];
    load_block<N>(words, data, 0);
    fold_from_start<N>(state, words);
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
        words[lane].ring[0] = swap_words(load(data[lane] + 64));
        words[lane].ring[1] = _mm_set_epi32(0, 0, 0, static_cast<int>(0x80000000));
        words[lane].ring[2] = _mm_setzero_si128();
        words[lane].ring[3] = _mm_set_epi32(80 * 8, 0, 0, 0);
    }
    fold<N>(state, words);
    second_hash<N>(state);
    take_digests<N>(words, state);
    store_digests<N>(out, words);
}

template <std::size_t N>
ADIT_SHA_NI_ENTRY void climb(Sha256Digest* const nodes[], const Sha256Digest* const branches[],
                             std::size_t depth) {
    Words words[N];
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < N; ++lane) {
        words[lane].ring[0] = swap_words(load(nodes[lane]->data()));
        words[lane].ring[1] = swap_words(load(nodes[lane]->data() + 16));
    }
    for (std::size_t level = 0; level < depth; ++level) {
#pragma GCC unroll 4
        for (std::size_t lane = 0; lane < N; ++lane) {
            words[lane].ring[2] = swap_words(load(branches[lane][level].data()));
            words[lane].ring[3] = swap_words(load(branches[lane][level].data() + 16));
        }
        Halves state[N];
        fold_from_start<N>(state, words);
        fold_padding_64<N>(state);
        second_hash<N>(state);
        take_digests<N>(words, state);
    }
    store_digests<N>(nodes, words);
}

constexpr Sha256Kernel kShaNi{
    "sha-ni",
    {compress<1>, compress<2>, compress<3>, compress<4>},
    {finish<1>, finish<2>, finish<3>, finish<4>},
    {double_64<1>, double_64<2>, double_64<3>, double_64<4>},
    {double_80<1>, double_80<2>, double_80<3>, double_80<4>},
    {climb<1>, climb<2>, climb<3>, climb<4>},
};

bool processor_has_sha() {
    constexpr unsigned kLeaf1Ssse3AndSse41 = 1U << 9 | 1U << 19;
    constexpr unsigned kLeaf7Sha = 1U << 29;
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0) return false;
    if ((c & kLeaf1Ssse3AndSse41) != kLeaf1Ssse3AndSse41) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & kLeaf7Sha) != 0;
}

}  // namespace

const Sha256Kernel* sha256_sha_ni() {
    return processor_has_sha() ? &kShaNi : nullptr;
}

}  // namespace adit::chain

#else

namespace adit::chain {

const Sha256Kernel* sha256_sha_ni() {
    return nullptr;
}

}  // namespace adit::chain

#endif
