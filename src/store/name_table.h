// The ids of accounts and workers in a share log, both ways bounded. Not thread-safe: its owner
// locks.
#pragma once

#include "share/record.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace adit::store {

class NameTable {
 public:
    NameTable(std::size_t max_accounts, std::size_t max_workers,
              const std::vector<share::AccountRecord>& accounts,
              const std::vector<share::WorkerRecord>& workers);

    // 0: unknown.
    share::AccountId find_account(std::string_view name) const;
    share::WorkerId find_worker(share::AccountId account, std::string_view name) const;
    // The next id, or 0 when the table is full, the name cannot be recorded (empty account name,
    // more than share::kNameLimit bytes) or the account does not exist. The name must not be there
    // yet.
    share::AccountId add_account(std::string_view name);
    share::WorkerId add_worker(share::AccountId account, std::string_view name);

 private:
    struct Hasher {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    using Names = std::unordered_map<std::string, std::uint32_t, Hasher, std::equal_to<>>;

    std::size_t max_accounts_;
    std::size_t max_workers_;
    Names accounts_;
    Names workers_;  // by the account's id (four bytes) and the name
};

}  // namespace adit::store
