// Unpredictable bytes from the operating system (through OpenSSL), for tokens and ids.
#pragma once

#include "base/bytes.h"

#include <span>

namespace adit::base {

// Fills out; aborts the process when the system has no randomness to give.
void fill_random(std::span<std::uint8_t> out);

// n random bytes as hex.
std::string random_hex(std::size_t n);

}  // namespace adit::base
