// A response's head as it goes over the wire. Pure functions, safe from any thread.
#pragma once

#include "http/message.h"

#include <string>

namespace adit::http {

struct HeadOptions {
    bool keep_alive = true;
    std::int64_t wall_ms = 0;  // for the Date header
};

// Status line and headers with the empty line. What a handler set in `headers` replaces the
// server's own security and caching headers of that name; a header with a line end or another
// control character in it is left out, for it could only be an injection.
std::string head_text(const Response& response, const HeadOptions& options);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(std::int64_t wall_ms);

}  // namespace adit::http
