// The kernel that runs everywhere: plain 32-bit words for one message, vectors of four words (SSE2
// or NEON by the compiler's vector extension) for several.
#include "chain/sha256_kernels.h"

#include <bit>
#include <type_traits>

namespace adit::chain {
namespace {

typedef std::uint32_t Vector __attribute__((vector_size(16)));

constexpr std::size_t kLaneBytes = 4;
template <class T>
constexpr std::size_t kWidth = sizeof(T) / kLaneBytes;

template <class T>
T splat(std::uint32_t value) {
    if constexpr (kWidth<T> == 1)
        return value;
    else
        return T{value, value, value, value};
}
template <class T>
T rotr(T value, int by) {
    return value >> by | value << (32 - by);
}

// One lane's word in a T, which holds one word or four.
template <class T>
void set_lane(T& word, std::size_t lane, std::uint32_t value) {
    if constexpr (kWidth<T> == 1)
        word = value;
    else
        word[lane] = value;
}
template <class T>
std::uint32_t lane_of(const T& word, std::size_t lane) {
    if constexpr (kWidth<T> == 1)
        return word;
    else
        return word[lane];
}

template <class T>
struct Working {
    T a, b, c, d, e, f, g, h;
};

// One round; the caller rotates the names instead of the values.
template <class T>
inline void round(T a, T b, T c, T& d, T e, T f, T g, T& h, T constant_and_word) {
    const T one =
        h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (g ^ (e & (f ^ g))) + constant_and_word;
    const T two = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) | (c & (a | b)));
    d += one;
    h = one + two;
}

// Eight rounds whose constant-plus-word values come from next(i).
template <class T, class Next>
inline void eight_rounds(Working<T>& w, std::size_t first, Next&& next) {
    round(w.a, w.b, w.c, w.d, w.e, w.f, w.g, w.h, next(first));
    round(w.h, w.a, w.b, w.c, w.d, w.e, w.f, w.g, next(first + 1));
    round(w.g, w.h, w.a, w.b, w.c, w.d, w.e, w.f, next(first + 2));
    round(w.f, w.g, w.h, w.a, w.b, w.c, w.d, w.e, next(first + 3));
    round(w.e, w.f, w.g, w.h, w.a, w.b, w.c, w.d, next(first + 4));
    round(w.d, w.e, w.f, w.g, w.h, w.a, w.b, w.c, next(first + 5));
    round(w.c, w.d, w.e, w.f, w.g, w.h, w.a, w.b, next(first + 6));
    round(w.b, w.c, w.d, w.e, w.f, w.g, w.h, w.a, next(first + 7));
}

template <class T, class Next>
inline void all_rounds(std::array<T, 8>& state, Next&& next) {
    Working<T> w{state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]};
    for (std::size_t i = 0; i < 64; i += 8)
        eight_rounds(w, i, next);
    state[0] += w.a;
    state[1] += w.b;
    state[2] += w.c;
    state[3] += w.d;
    state[4] += w.e;
    state[5] += w.f;
    state[6] += w.g;
    state[7] += w.h;
}

template <class T>
using Block = std::array<T, 16>;

// Folds one block, which is used up as the schedule's ring.
template <class T>
void fold(std::array<T, 8>& state, Block<T>& ring) {
    all_rounds(state, [&ring](std::size_t i) -> T {
        T& word = ring[i % 16];
        if (i >= 16) {
            const T near = ring[(i - 2) % 16];
            const T far = ring[(i - 15) % 16];
            word += (rotr(near, 17) ^ rotr(near, 19) ^ near >> 10) + ring[(i - 7) % 16] +
                    (rotr(far, 7) ^ rotr(far, 18) ^ far >> 3);
        }
        return word + splat<T>(kSha256Rounds[i]);
    });
}

template <class T>
std::array<T, 8> start() {
    std::array<T, 8> state;
    for (std::size_t i = 0; i < 8; ++i)
        state[i] = splat<T>(kSha256Start[i]);
    return state;
}

template <class T, std::size_t N>
Block<T> load(const std::uint8_t* const data[], std::size_t offset, std::size_t words) {
    Block<T> block{};
    for (std::size_t lane = 0; lane < N; ++lane) {
        for (std::size_t i = 0; i < words; ++i) {
            set_lane(block[i], lane, base::load_be32(data[lane] + offset + 4 * i));
        }
    }
    return block;
}

// The hash of the digest that `first` is.
template <class T>
std::array<T, 8> second_hash(const std::array<T, 8>& first) {
    Block<T> block{};
    for (std::size_t i = 0; i < 8; ++i)
        block[i] = first[i];
    block[8] = splat<T>(0x80000000);
    block[15] = splat<T>(32 * 8);
    auto state = start<T>();
    fold(state, block);
    return state;
}

template <class T, std::size_t N>
void store_digests(Sha256Digest* const out[], const std::array<T, 8>& state) {
    for (std::size_t lane = 0; lane < N; ++lane) {
        for (std::size_t i = 0; i < 8; ++i) {
            base::store_be32(out[lane]->data() + 4 * i, lane_of(state[i], lane));
        }
    }
}

template <std::size_t N>
using Word = std::conditional_t<N == 1, std::uint32_t, Vector>;

template <std::size_t N>
std::array<Word<N>, 8> gather(const auto* states) {
    std::array<Word<N>, 8> state{};
    for (std::size_t lane = 0; lane < N; ++lane) {
        for (std::size_t i = 0; i < 8; ++i)
            set_lane(state[i], lane, (*states[lane])[i]);
    }
    return state;
}

template <std::size_t N>
void compress(Sha256State* const states[], const std::uint8_t* const data[], std::size_t blocks) {
    auto state = gather<N>(states);
    for (std::size_t i = 0; i < blocks; ++i) {
        auto block = load<Word<N>, N>(data, 64 * i, 16);
        fold(state, block);
    }
    for (std::size_t lane = 0; lane < N; ++lane) {
        for (std::size_t i = 0; i < 8; ++i)
            (*states[lane])[i] = lane_of(state[i], lane);
    }
}

template <std::size_t N>
void finish(const Sha256State* const states[], Sha256Digest* const out[]) {
    store_digests<Word<N>, N>(out, second_hash(gather<N>(states)));
}

// SHA-256d of one whole block.
template <class T>
std::array<T, 8> double_of_64(Block<T>& block) {
    auto state = start<T>();
    fold(state, block);
    all_rounds(state, [](std::size_t i) -> T { return splat<T>(kSha256Padding64[i]); });
    return second_hash(state);
}

template <std::size_t N>
void double_64(const std::uint8_t* const data[], Sha256Digest* const out[]) {
    using T = Word<N>;
    auto block = load<T, N>(data, 0, 16);
    store_digests<T, N>(out, double_of_64(block));
}

template <std::size_t N>
void double_80(const std::uint8_t* const data[], Sha256Digest* const out[]) {
    using T = Word<N>;
    auto state = start<T>();
    auto block = load<T, N>(data, 0, 16);
    fold(state, block);
    block = load<T, N>(data, 64, 4);
    block[4] = splat<T>(0x80000000);
    block[15] = splat<T>(80 * 8);
    fold(state, block);
    store_digests<T, N>(out, second_hash(state));
}

template <std::size_t N>
void climb(Sha256Digest* const nodes[], const Sha256Digest* const branches[], std::size_t depth) {
    std::array<std::array<std::uint8_t, 64>, N> pairs;
    std::array<const std::uint8_t*, N> data{};
    for (std::size_t lane = 0; lane < N; ++lane)
        data[lane] = pairs[lane].data();
    for (std::size_t level = 0; level < depth; ++level) {
        for (std::size_t lane = 0; lane < N; ++lane) {
            std::copy(nodes[lane]->begin(), nodes[lane]->end(), pairs[lane].begin());
            const auto& branch = branches[lane][level];
            std::copy(branch.begin(), branch.end(), pairs[lane].begin() + 32);
        }
        double_64<N>(data.data(), nodes);
    }
}

}  // namespace

constinit const Sha256Kernel kSha256Portable{
    "portable",
    {compress<1>, compress<2>, compress<3>, compress<4>},
    {finish<1>, finish<2>, finish<3>, finish<4>},
    {double_64<1>, double_64<2>, double_64<3>, double_64<4>},
    {double_80<1>, double_80<2>, double_80<3>, double_80<4>},
    {climb<1>, climb<2>, climb<3>, climb<4>},
};

}  // namespace adit::chain
