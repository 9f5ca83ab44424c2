// Remembers in a small file how far the chain was searched for own blocks, so that after a long
// stop the search goes back far enough. Losing it costs depth only: the search then covers what it
// covers at a first start. Not thread-safe.
#pragma once

#include "base/log.h"
#include "store/file_system.h"

namespace adit::manager {

class ScanPosition {
 public:
    // Reads the file; one that cannot be understood is logged and counts as none.
    ScanPosition(store::FileSystem& files, std::filesystem::path file, base::Logger& logger);

    std::int32_t height() const { return height_; }  // -1: unknown
    // Durable on return; failures are logged once. Nothing happens for -1 and the height it has.
    void save(std::int32_t height);

 private:
    store::FileSystem& files_;
    std::filesystem::path file_;
    base::Logger& logger_;
    std::int32_t height_ = -1;
    bool failed_ = false;
};

}  // namespace adit::manager
