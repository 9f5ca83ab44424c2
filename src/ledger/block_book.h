// What a found block and the facts about it do to the ledger. Internal to the bookkeeper.
#pragma once

#include "ledger/journal.h"

namespace adit::ledger {

class BlockBook {
 public:
    explicit BlockBook(Journal& journal) : journal_(journal) {}

    std::optional<FactRefusal> on(const FoundBlock& found, const Fact& fact);
    std::optional<FactRefusal> on(const share::BlockFactRecord& record, const Fact& fact);

 private:
    std::optional<FactRefusal> confirm(BlockRow block, const share::BlockFactRecord& record,
                                       const Fact& fact);
    std::optional<FactRefusal> mature(BlockRow block, const share::BlockFactRecord& record,
                                      const Fact& fact);
    void orphan(BlockRow block, const share::BlockFactRecord& record, const Fact& fact);

    Journal& journal_;
};

}  // namespace adit::ledger
