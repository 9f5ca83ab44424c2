#include "base/crc32c.h"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace adit::base {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0u);
        table[i] = value;
    }
    return table;
}
constexpr auto kTable = make_table();

std::uint32_t portable(ByteSpan bytes, std::uint32_t crc) {
    for (const auto byte : bytes)
        crc = crc >> 8 ^ kTable[(crc ^ byte) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t hardware(ByteSpan bytes, std::uint32_t crc) {
    std::uint64_t wide = crc;
    while (bytes.size() >= 8) {
        wide = _mm_crc32_u64(wide, load_le<std::uint64_t>(bytes.data()));
        bytes = bytes.subspan(8);
    }
    crc = static_cast<std::uint32_t>(wide);
    for (const auto byte : bytes)
        crc = _mm_crc32_u8(crc, byte);
    return crc;
}
#endif

}  // namespace

std::uint32_t crc32c(ByteSpan bytes, std::uint32_t before) {
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2");
    if (has_instruction) return ~hardware(bytes, ~before);
#endif
    return ~portable(bytes, ~before);
}

}  // namespace adit::base
