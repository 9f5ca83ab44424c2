// Any bytes at all before a connection is trusted with an address.
#include "net/proxy_header.h"

#include "base/check.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace adit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto parsed = net::parse_proxy_header(bytes);
    if (!parsed) {
        ADIT_CHECK(!net::describe(parsed.error()).empty(), "every refusal has words");
        // More bytes never heal a refused header.
        const std::string longer = std::string(bytes) + "\r\n";
        ADIT_CHECK(!net::parse_proxy_header(longer), "a refusal is final");
        return 0;
    }
    if (!*parsed) {
        ADIT_CHECK(size < net::kMaxProxyV2, "asking for more is bounded");
        return 0;
    }
    const auto& header = **parsed;
    ADIT_CHECK(header.size <= size && header.size <= net::kMaxProxyV2, "the header is bounded");
    if (header.source) ADIT_CHECK(!header.source->text().empty(), "an address has a text");
    // The header alone reads the same, and every part of it asks for more.
    const auto alone = net::parse_proxy_header(bytes.substr(0, header.size));
    ADIT_CHECK(alone && *alone && (*alone)->source == header.source,
               "bytes after it do not matter");
    const auto part = net::parse_proxy_header(bytes.substr(0, header.size - 1));
    ADIT_CHECK(part && !*part, "a shorter header is incomplete");
    return 0;
}
