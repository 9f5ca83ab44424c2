#include "manager/payout_json.h"

#include <nlohmann/json.hpp>

namespace adit::manager {
namespace {

using Json = nlohmann::ordered_json;

std::string compact(const Json& json) {
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Json txid_or_null(const chain::Hash256& txid) {
    return txid.is_zero() ? Json(nullptr) : Json(txid.rpc_hex());
}

}  // namespace

std::string payout_json(const ledger::PayoutRow& row) {
    return compact({{"id", row.id},
                    {"state", ledger::name_of(row.state)},
                    {"debits_sat", row.debits.sat()},
                    {"outputs_sat", row.outputs.sat()},
                    {"payees", row.payees},
                    {"attempts", row.attempts},
                    {"txid", txid_or_null(row.txid)},
                    {"height", row.height},
                    {"anchor", fmt::format("{}:{}", row.anchor.txid.rpc_hex(), row.anchor.index)},
                    {"created_ms", row.created_ms},
                    {"changed_ms", row.changed_ms},
                    {"evidence", row.evidence}});
}

std::string round_json(const ledger::PayoutRound& round) {
    auto payees = Json::array();
    for (const auto& payee : round.payees) {
        payees.push_back({{"account", payee.account},
                          {"debit_sat", payee.debit.sat()},
                          {"output_sat", payee.output.sat()},
                          {"needs_approval", payee.needs_approval}});
    }
    return compact({{"dry", round.dry},
                    {"started", round.started},
                    {"payees", payees},
                    {"fee_rate_sat_per_kvb", round.fee_rate},
                    {"hold", ledger::name_of(round.hold)},
                    {"hold_text", round.hold_text},
                    {"notes", round.notes}});
}

std::string view_json(const PayoutView& view) {
    auto spends = Json::array();
    for (const auto& txid : view.status.unknown_spends)
        spends.push_back(txid.rpc_hex());
    return compact({{"hold", ledger::name_of(view.status.hold)},
                    {"hold_text", view.status.hold_text},
                    {"last_round_ms", view.status.last_round_ms},
                    {"next_round_ms", view.status.next_round_ms},
                    {"unknown_spends", spends},
                    {"alerts", view.status.alerts},
                    {"paid_sat", view.paid.sat()},
                    {"under_way_sat", view.under_way.sat()}});
}

std::string explained_json(const std::vector<share::ExplainRecord>& explained) {
    auto list = Json::array();
    for (const auto& record : explained) {
        list.push_back({{"txid", record.txid.rpc_hex()},
                        {"account", record.account},
                        {"amount_sat", record.amount_sat},
                        {"note", record.note}});
    }
    return compact(list);
}

std::string settings_json(const share::SettingsRecord& settings, std::int64_t pool_threshold_sat) {
    return compact({{"account", settings.account},
                    {"threshold_sat", std::max(settings.threshold_sat, pool_threshold_sat)},
                    {"own_threshold_sat", settings.threshold_sat},
                    {"donation_ppm", settings.donation_ppm},
                    {"changed_ms", settings.at_wall_ms}});
}

std::string summary_json(const PoolSummary& summary) {
    Json json{{"uptime_ms", summary.uptime_ms},
              {"height", summary.height},
              {"network_difficulty", summary.network_difficulty},
              {"connections", summary.connections},
              {"miners", summary.miners},
              {"hashrate_1m", summary.hashrate_1m},
              {"hashrate_10m", summary.hashrate_10m},
              {"accepted", summary.accepted},
              {"refused", summary.refused},
              {"blocks_found", summary.blocks_found},
              {"blocks_accepted", summary.blocks_accepted},
              {"node", summary.node},
              {"nodes_up", summary.nodes_up},
              {"nodes", summary.nodes},
              {"templates_stale", summary.templates_stale},
              {"log_available", summary.log_available},
              {"tally_error", summary.tally_error},
              {"shares_in_log", summary.shares_in_log}};
    json["payouts"] = summary.payouts ? Json::parse(view_json(*summary.payouts)) : Json(nullptr);
    return compact(json);
}

}  // namespace adit::manager
