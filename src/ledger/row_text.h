// Rows of the ledger in words, with every field that an audit compares. Pure.
#pragma once

#include "ledger/journal.h"

#include <string>

namespace adit::ledger {

std::string text_of(const Sum& sum);
std::string text_of(const SliceRow& row);
std::string text_of(const TotalRow& row);
std::string text_of(const FoundBlock& found);
std::string text_of(const share::AccountRecord& account);
std::string text_of(const share::WorkerRecord& worker);
std::string text_of(const RulesRow& row);
std::string text_of(const share::SettingsRecord& settings);
std::string text_of(const BlockRow& row);
std::string text_of(const SplitRow& row);
std::string text_of(const Transfer& transfer);
std::string text_of(const BalanceRow& row);
std::string text_of(const PayoutRow& row);
std::string text_of(const share::Payee& payee);
std::string text_of(const share::PayoutSignedRecord& attempt);
std::string text_of(const share::ExplainRecord& explained);
std::string text_of(const RefusedFact& refused);
std::string text_of(const share::SnapshotRecord& snapshot);

}  // namespace adit::ledger
