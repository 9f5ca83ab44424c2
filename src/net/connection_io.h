// Shared by loop.cpp and connection.cpp only: the sizes of one turn and the pending output.
#pragma once

#include <cstddef>
#include <string>

namespace adit::net {

inline constexpr std::size_t kMaxLineLimit = 64 * 1024;  // bytes, upper bound of max_line
inline constexpr std::size_t kReadPerTurn = 32 * 1024;   // bytes read from one connection
inline constexpr std::size_t kLinesPerTurn = 256;        // lines served of one connection
// An incomplete line, its "\r", and one read.
inline constexpr std::size_t kBufferSize = kMaxLineLimit + 1 + kReadPerTurn;

struct Output {
    std::string bytes;
    std::size_t sent = 0;  // of bytes
    std::size_t left() const { return bytes.size() - sent; }
};

}  // namespace adit::net
