#include "cli/books_text.h"

#include "ledger/posting.h"
#include "manager/payout_json.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <map>

namespace adit::cli {
namespace {

using Json = nlohmann::ordered_json;
using ledger::Phase;
using ledger::Purpose;

std::string dump(const Json& json) {
    return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string txid_text(const chain::Hash256& txid) {
    return txid.is_zero() ? "-" : txid.rpc_hex();
}

std::string padded(const std::string& cell, std::size_t width, TextTable::Align align) {
    return align == TextTable::Align::left ? fmt::format("{:<{}}", cell, width)
                                           : fmt::format("{:>{}}", cell, width);
}

Json block_object(const ledger::BlockRow& row) {
    const auto& block = row.found.block;
    return {{"height", block.height},
            {"hash", block.hash.rpc_hex()},
            {"state", ledger::name_of(row.state)},
            {"credited", row.credited},
            {"posted", row.posted},
            {"confirmations", row.confirmations},
            {"reward_sat", row.reward.sat()},
            {"fee_sat", row.settlement.fee.sat()},
            {"finder", row.finder},
            {"found_ms", block.found_wall_ms},
            {"changed_ms", row.changed_ms},
            {"evidence", row.evidence}};
}

// RFC 4180: quoted when a comma, a quote or a line end is in it.
std::string csv_cell(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out += '"';
}

// Whether a transfer moves what is posted, and in which direction: credits are earned when posted.
int posted_sign(Phase phase) {
    switch (phase) {
        case Phase::post:
        case Phase::direct:
        case Phase::settle:
            return 1;
        case Phase::reverse:
        case Phase::unsettle:
            return -1;
        case Phase::pend:
        case Phase::void_:
        case Phase::reserve:
        case Phase::release:
            return 0;
    }
    return 0;
}

std::string signed_btc(chain::Amount amount, int sign) {
    return (sign < 0 ? -amount : amount).btc();
}

}  // namespace

std::string TextTable::text() const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < head_.size(); ++i) {
        auto width = head_[i].first.size();
        for (const auto& row : rows_)
            width = std::max(width, row[i].size());
        widths.push_back(width);
    }
    const auto line = [&](auto cell_of) {
        std::string out;
        for (std::size_t i = 0; i < head_.size(); ++i) {
            if (i > 0) out += "  ";
            out += padded(cell_of(i), widths[i], head_[i].second);
        }
        return out.erase(out.find_last_not_of(' ') + 1) + "\n";
    };
    auto out = line([&](std::size_t i) { return head_[i].first; });
    for (const auto& row : rows_)
        out += line([&](std::size_t i) { return row[i]; });
    return out;
}

std::string utc_text(std::int64_t wall_ms) {
    if (wall_ms == 0) return "-";
    using namespace std::chrono;
    const sys_seconds time{seconds(wall_ms / 1000)};
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(time - day);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<std::int64_t> parse_utc(std::string_view text) {
    using namespace std::chrono;
    const auto number = [&](std::size_t at, std::size_t size) -> std::optional<int> {
        if (at + size > text.size()) return std::nullopt;
        int value = 0;
        for (const char c : text.substr(at, size)) {
            if (c < '0' || c > '9') return std::nullopt;
            value = value * 10 + (c - '0');
        }
        return value;
    };
    const bool with_time = text.size() == 19;
    if ((text.size() != 10 && !with_time) || text[4] != '-' || text[7] != '-') return std::nullopt;
    const auto y = number(0, 4), m = number(5, 2), d = number(8, 2);
    if (!y || !m || !d) return std::nullopt;
    const year_month_day date{year(*y), month(static_cast<unsigned>(*m)),
                              day(static_cast<unsigned>(*d))};
    if (!date.ok()) return std::nullopt;
    auto time = seconds(sys_days(date).time_since_epoch());
    if (with_time) {
        const auto h = number(11, 2), minute = number(14, 2), s = number(17, 2);
        const bool separated = (text[10] == 'T' || text[10] == ' ') && text[13] == ':';
        if (!h || !minute || !s || !separated || text[16] != ':') return std::nullopt;
        if (*h > 23 || *minute > 59 || *s > 59) return std::nullopt;
        time += hours(*h) + minutes(*minute) + seconds(*s);
    }
    return milliseconds(time).count();
}

std::string balances_text(const std::vector<ledger::BalanceRow>& rows) {
    using enum TextTable::Align;
    TextTable table({{"account", left},
                     {"available", right},
                     {"under way", right},
                     {"pending", right},
                     {"posted", right}});
    for (const auto& [account, balance] : rows) {
        table.add({account, balance.available().btc(), (-balance.reserved).btc(),
                   balance.pending.btc(), balance.posted.btc()});
    }
    return table.text();
}

std::string custody_text(const std::vector<ledger::BalanceRow>& rows) {
    chain::Amount owed;
    for (const auto& [account, balance] : rows) {
        if (ledger::is_counter_account(account)) continue;
        owed += balance.posted + balance.pending + balance.reserved;
    }
    return fmt::format("owed in all: {} (posted and pending; what pool.address has to hold)\n",
                       owed.btc());
}

std::string balances_json(const std::vector<ledger::BalanceRow>& rows) {
    auto list = Json::array();
    for (const auto& [account, balance] : rows) {
        list.push_back({{"account", account},
                        {"available_sat", balance.available().sat()},
                        {"reserved_sat", balance.reserved.sat()},
                        {"pending_sat", balance.pending.sat()},
                        {"posted_sat", balance.posted.sat()}});
    }
    return dump(list);
}

std::string blocks_text(const std::vector<ledger::BlockRow>& rows) {
    using enum TextTable::Align;
    TextTable table({{"height", right},
                     {"found (UTC)", left},
                     {"state", left},
                     {"confirmations", right},
                     {"reward", right},
                     {"hash", left},
                     {"finder", left}});
    for (const auto& row : rows) {
        const auto& block = row.found.block;
        table.add({std::to_string(block.height), utc_text(block.found_wall_ms),
                   std::string(ledger::name_of(row.state)), std::to_string(row.confirmations),
                   row.reward.btc(), block.hash.rpc_hex(), row.finder.empty() ? "-" : row.finder});
    }
    return table.text();
}

std::string blocks_json(const std::vector<ledger::BlockRow>& rows) {
    auto list = Json::array();
    for (const auto& row : rows)
        list.push_back(block_object(row));
    return dump(list);
}

std::string payouts_text(const std::vector<ledger::PayoutRow>& rows) {
    using enum TextTable::Align;
    TextTable table({{"id", right},
                     {"created (UTC)", left},
                     {"state", left},
                     {"payees", right},
                     {"paid", right},
                     {"txid", left}});
    for (const auto& row : rows) {
        table.add({std::to_string(row.id), utc_text(row.created_ms),
                   std::string(ledger::name_of(row.state)), std::to_string(row.payees),
                   row.outputs.btc(), txid_text(row.txid)});
    }
    return table.text();
}

std::string payouts_json(const std::vector<ledger::PayoutRow>& rows) {
    auto list = Json::array();
    for (const auto& row : rows)
        list.push_back(Json::parse(manager::payout_json(row)));
    return dump(list);
}

std::string payout_text(const PayoutDetail& detail) {
    using enum TextTable::Align;
    const auto& row = detail.payout;
    auto out = fmt::format("payout {}: {}\ncreated {} UTC, last change {} UTC\nanchor {}:{} ({})\n",
                           row.id, ledger::name_of(row.state), utc_text(row.created_ms),
                           utc_text(row.changed_ms), row.anchor.txid.rpc_hex(), row.anchor.index,
                           row.anchor_value.btc());
    if (!row.evidence.empty()) out += row.evidence + "\n";
    TextTable payees({{"account", left}, {"debit", right}, {"paid", right}});
    for (const auto& payee : detail.payees) {
        payees.add({payee.account, chain::Amount::of(payee.debit_sat).btc(),
                    chain::Amount::of(payee.output_sat).btc()});
    }
    out += "\n" + payees.text();
    if (detail.attempts.empty()) return out + "\nnothing is signed yet\n";
    TextTable attempts(
        {{"attempt", right}, {"signed (UTC)", left}, {"fee", right}, {"txid", left}});
    for (const auto& attempt : detail.attempts) {
        attempts.add({std::to_string(attempt.attempt), utc_text(attempt.at_wall_ms),
                      chain::Amount::of(attempt.fee_sat).btc(), attempt.txid.rpc_hex()});
    }
    return out + "\n" + attempts.text();
}

std::string payout_json(const PayoutDetail& detail) {
    auto json = Json::parse(manager::payout_json(detail.payout));
    auto& payees = json["to"] = Json::array();
    for (const auto& payee : detail.payees) {
        payees.push_back({{"account", payee.account},
                          {"script", base::to_hex(payee.script)},
                          {"debit_sat", payee.debit_sat},
                          {"output_sat", payee.output_sat}});
    }
    auto& attempts = json["transactions"] = Json::array();
    for (const auto& attempt : detail.attempts) {
        attempts.push_back({{"attempt", attempt.attempt},
                            {"txid", attempt.txid.rpc_hex()},
                            {"fee_sat", attempt.fee_sat},
                            {"signed_ms", attempt.at_wall_ms}});
    }
    return dump(json);
}

std::string earnings_csv(const std::vector<ledger::Transfer>& transfers) {
    std::string out = "time_utc,account,kind,block,amount_btc\r\n";
    for (const auto& transfer : transfers) {
        const auto sign = posted_sign(transfer.phase);
        if (sign == 0) continue;
        const auto purpose = transfer.id.purpose;
        const bool part = purpose == Purpose::block_part || purpose == Purpose::block_fee;
        if (!part && purpose != Purpose::donation) continue;
        // A donation is what the account gives; a part is what it takes.
        const bool gives = purpose == Purpose::donation;
        out += fmt::format("{},{},{},{},{}\r\n", utc_text(transfer.time_ms),
                           csv_cell(gives ? transfer.debit : transfer.credit),
                           ledger::name_of(purpose), transfer.id.reference.rpc_hex(),
                           signed_btc(transfer.amount, gives ? -sign : sign));
    }
    return out;
}

std::string payouts_csv(const std::vector<ledger::Transfer>& transfers,
                        const std::vector<ledger::PayoutRow>& payouts) {
    std::map<share::PayoutId, const ledger::PayoutRow*> by_id;
    for (const auto& row : payouts)
        by_id.emplace(row.id, &row);
    std::string out = "time_utc,account,kind,payout,txid,amount_btc\r\n";
    for (const auto& transfer : transfers) {
        const auto sign = posted_sign(transfer.phase);
        const auto purpose = transfer.id.purpose;
        const bool sent = purpose == Purpose::payout || purpose == Purpose::payout_fee;
        if (sign == 0 || (!sent && purpose != Purpose::coinbase_paid)) continue;
        std::string payout, txid;
        if (sent) {
            const auto id = base::load_be64(transfer.id.reference.bytes.data());
            payout = std::to_string(id);
            if (const auto row = by_id.find(id); row != by_id.end()) {
                txid = row->second->txid.rpc_hex();
            }
        } else {
            txid = transfer.id.reference.rpc_hex();  // the block whose coinbase paid
        }
        out += fmt::format("{},{},{},{},{},{}\r\n", utc_text(transfer.time_ms),
                           csv_cell(transfer.debit), ledger::name_of(purpose), payout, txid,
                           signed_btc(transfer.amount, sign));
    }
    return out;
}

}  // namespace adit::cli
