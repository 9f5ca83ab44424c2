// CRC-32C (Castagnoli, RFC 3720 appendix B.4), as storage formats use it. Uses the SSE4.2
// instruction where the processor has it. Pure, safe from any thread.
#pragma once

#include "base/bytes.h"

namespace adit::base {

// The checksum of bytes, continuing from the checksum of what came before (0 at the beginning).
std::uint32_t crc32c(ByteSpan bytes, std::uint32_t before = 0);

}  // namespace adit::base
