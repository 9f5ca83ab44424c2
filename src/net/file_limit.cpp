#include "net/file_limit.h"

#include <algorithm>
#include <sys/resource.h>

namespace adit::net {

FileLimit raise_file_limit(std::uint64_t wanted) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
    FileLimit out{limit.rlim_cur, limit.rlim_cur, limit.rlim_max};
    if (limit.rlim_cur >= wanted) return out;
    // Root may raise the hard limit too; for everybody else that fails and changes nothing.
    const rlimit both{wanted, std::max<rlim_t>(wanted, limit.rlim_max)};
    if (wanted <= limit.rlim_max || setrlimit(RLIMIT_NOFILE, &both) != 0) {
        const rlimit soft{std::min<rlim_t>(wanted, limit.rlim_max), limit.rlim_max};
        setrlimit(RLIMIT_NOFILE, &soft);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        out.now = limit.rlim_cur;
        out.hard = limit.rlim_max;
    }
    return out;
}

}  // namespace adit::net
