#include "base/random.h"

#include "base/check.h"

#include <openssl/rand.h>

namespace adit::base {

void fill_random(std::span<std::uint8_t> out) {
    ADIT_CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1, "no random bytes");
}

std::string random_hex(std::size_t n) {
    Bytes bytes(n);
    fill_random(bytes);
    return to_hex(bytes);
}

}  // namespace adit::base
