// The parameters of a control request, read one by one; the first fault is kept as a sentence, and
// a member that nobody asked for is one. Values; used by one thread.
#pragma once

#include "chain/hash.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace adit::manager {

class ControlParams {
 public:
    // A JSON object as text.
    explicit ControlParams(std::string_view json);
    ~ControlParams();
    ControlParams(const ControlParams&) = delete;
    ControlParams& operator=(const ControlParams&) = delete;

    // nullopt, false or empty: not there, or no good; finish() tells. Without control characters.
    std::optional<std::int64_t> integer(std::string_view key, std::int64_t least,
                                        std::int64_t most);
    bool flag(std::string_view key);
    std::string text(std::string_view key, std::size_t most_bytes);
    std::optional<chain::Hash256> hash(std::string_view key);
    // The key must be there.
    void require(std::string_view key);
    // The caller's own objection.
    void refuse(std::string sentence);

    // The first fault; nullopt: there is none.
    std::optional<std::string> finish();

 private:
    struct Members;
    std::unique_ptr<Members> members_;
};

}  // namespace adit::manager
