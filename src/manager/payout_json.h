// What payouts, settings and the pool look like to machines: JSON as compact text in ASCII, the
// same over the control socket and with --json of the commands. Amounts are satoshis, times
// milliseconds since 1970, fee rates satoshis per 1,000 virtual bytes. Pure.
#pragma once

#include "manager/payout_desk.h"
#include "manager/pool_manager.h"

#include <string>

namespace adit::manager {

std::string payout_json(const ledger::PayoutRow& row);
std::string round_json(const ledger::PayoutRound& round);
std::string view_json(const PayoutView& view);
std::string explained_json(const std::vector<share::ExplainRecord>& explained);
// Settings in force; pool_threshold_sat is in force for an account that has chosen none.
std::string settings_json(const share::SettingsRecord& settings, std::int64_t pool_threshold_sat);
std::string summary_json(const PoolSummary& summary);

}  // namespace adit::manager
