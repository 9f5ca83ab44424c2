#include "store/name_table.h"

namespace adit::store {
namespace {

// On the stack: looking up a name must not allocate.
class WorkerKey {
 public:
    WorkerKey(share::AccountId account, std::string_view name)
        : size_(sizeof account + name.size()) {
        std::memcpy(text_.data(), &account, sizeof account);
        std::memcpy(text_.data() + sizeof account, name.data(), name.size());
    }
    std::string_view view() const { return {text_.data(), size_}; }

 private:
    std::array<char, sizeof(share::AccountId) + share::kNameLimit> text_;
    std::size_t size_;
};

}  // namespace

NameTable::NameTable(std::size_t max_accounts, std::size_t max_workers,
                     const std::vector<share::AccountRecord>& accounts,
                     const std::vector<share::WorkerRecord>& workers)
    : max_accounts_(max_accounts), max_workers_(max_workers) {
    accounts_.reserve(accounts.size());
    workers_.reserve(workers.size());
    for (const auto& account : accounts)
        accounts_.emplace(account.name, account.id);
    for (const auto& worker : workers) {
        workers_.emplace(WorkerKey(worker.account, worker.name).view(), worker.id);
    }
}

share::AccountId NameTable::find_account(std::string_view name) const {
    const auto found = accounts_.find(name);
    return found == accounts_.end() ? 0 : found->second;
}

share::WorkerId NameTable::find_worker(share::AccountId account, std::string_view name) const {
    if (name.size() > share::kNameLimit) return 0;
    const auto found = workers_.find(WorkerKey(account, name).view());
    return found == workers_.end() ? 0 : found->second;
}

share::AccountId NameTable::add_account(std::string_view name) {
    if (name.empty() || name.size() > share::kNameLimit || accounts_.size() >= max_accounts_) {
        return 0;
    }
    const auto id = static_cast<share::AccountId>(accounts_.size() + 1);
    accounts_.emplace(name, id);
    return id;
}

share::WorkerId NameTable::add_worker(share::AccountId account, std::string_view name) {
    if (account == 0 || account > accounts_.size() || name.size() > share::kNameLimit ||
        workers_.size() >= max_workers_) {
        return 0;
    }
    const auto id = static_cast<share::WorkerId>(workers_.size() + 1);
    workers_.emplace(WorkerKey(account, name).view(), id);
    return id;
}

}  // namespace adit::store
