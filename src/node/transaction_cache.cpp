#include "node/template_parser.h"

namespace adit::node {

TransactionCache::Ref TransactionCache::find(const chain::Hash256& txid) {
    const auto found = entries_.find(txid);
    if (found == entries_.end()) return nullptr;
    found->second.used = generation_;
    return found->second.transaction;
}

void TransactionCache::insert(Ref transaction) {
    const auto txid = transaction->txid;
    entries_.insert_or_assign(txid, Entry{std::move(transaction), generation_});
}

void TransactionCache::end_template() {
    std::erase_if(entries_, [this](const auto& item) {
        const Entry& entry = item.second;
        return entry.used + kKeepTemplates <= generation_ && entry.transaction.use_count() == 1;
    });
    ++generation_;
}

}  // namespace adit::node
