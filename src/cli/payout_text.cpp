#include "cli/payout_text.h"

#include "cli/books_text.h"
#include "manager/config.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace adit::cli {
namespace {

using Json = nlohmann::json;

std::string btc(const Json& sat) {
    return chain::Amount::of(sat.get<std::int64_t>()).btc();
}

// "3, 4"; "-" for none.
std::string joined(const Json& numbers) {
    std::string text;
    for (const auto& number : numbers)
        text += (text.empty() ? "" : ", ") + std::to_string(number.get<std::uint64_t>());
    return text.empty() ? "-" : text;
}

std::string hold_text(const Json& json) {
    const auto& sentence = json.at("hold_text").get_ref<const std::string&>();
    return fmt::format("held: {}{}{}\n", json.at("hold").get<std::string>(),
                       sentence.empty() ? "" : ": ", sentence);
}

}  // namespace

std::string round_text(const std::string& text) {
    const auto json = Json::parse(text);
    const bool dry = json.at("dry");
    std::string out;
    if (json.at("payees").empty()) {
        out = dry ? "nobody would be paid now\n" : "nobody is paid by this round\n";
    } else {
        using enum TextTable::Align;
        TextTable table({{"account", left}, {"debit", right}, {"paid", right}, {"", left}});
        for (const auto& payee : json.at("payees")) {
            table.add({payee.at("account"), btc(payee.at("debit_sat")), btc(payee.at("output_sat")),
                       payee.at("needs_approval").get<bool>() ? "needs approval" : ""});
        }
        out = table.text();
        const auto rate = json.at("fee_rate_sat_per_kvb").get<std::int64_t>();
        out += fmt::format("fee rate {}.{:03} satoshis per virtual byte\n", rate / 1'000,
                           rate % 1'000);
    }
    if (!dry) out += fmt::format("payouts begun: {}\n", joined(json.at("started")));
    if (json.at("hold") != "none") out += hold_text(json);
    for (const auto& note : json.at("notes"))
        out += fmt::format("note: {}\n", note.get<std::string>());
    return out;
}

std::string payout_status_text(const std::string& text) {
    const auto json = Json::parse(text);
    auto out =
        json.at("hold") == "none" ? std::string("nothing holds payouts up\n") : hold_text(json);
    out += fmt::format("last round {} UTC, next round {} UTC\n",
                       utc_text(json.at("last_round_ms").get<std::int64_t>()),
                       utc_text(json.at("next_round_ms").get<std::int64_t>()));
    out += fmt::format("paid so far {}, under way {}\n", btc(json.at("paid_sat")),
                       btc(json.at("under_way_sat")));
    for (const auto& txid : json.at("unknown_spends")) {
        out += fmt::format("unknown spend: {} (adit payout explain says what it was)\n",
                           txid.get<std::string>());
    }
    for (const auto& alert : json.at("alerts"))
        out += fmt::format("look at: {}\n", alert.get<std::string>());
    return out;
}

std::string decided_text(const std::string& text) {
    const auto json = Json::parse(text);
    return fmt::format("payout {} is {} now: {} to {} payee(s)\n",
                       json.at("id").get<std::uint64_t>(), json.at("state").get<std::string>(),
                       btc(json.at("outputs_sat")), json.at("payees").get<std::uint64_t>());
}

std::string explained_text(const std::string& text) {
    std::string out;
    for (const auto& record : Json::parse(text)) {
        const auto& account = record.at("account").get_ref<const std::string&>();
        out += fmt::format("explained {}: {}\n", record.at("txid").get<std::string>(),
                           account.empty()
                               ? "it is accounted for"
                               : fmt::format("{} from {}", btc(record.at("amount_sat")), account));
    }
    return out.empty() ? "nothing was taken from anybody\n" : out;
}

std::string settings_text(const std::string& text) {
    const auto json = Json::parse(text);
    return fmt::format("{}\npaid from {} on ({})\ndonates {} of what it earns\n",
                       json.at("account").get<std::string>(), btc(json.at("threshold_sat")),
                       json.at("own_threshold_sat") == 0 ? "the pool's threshold" : "its own",
                       manager::percent_text(json.at("donation_ppm").get<std::uint32_t>()));
}

std::optional<std::int64_t> parse_threshold(std::string_view text) {
    if (text == "pool") return 0;
    if (text.ends_with("sat")) {
        text.remove_suffix(3);
        std::int64_t sat = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sat);
        if (error != std::errc() || end != text.data() + text.size() || sat < 0)
            return std::nullopt;
        const auto amount = chain::Amount::from_sat(sat);
        return amount ? std::optional(sat) : std::nullopt;
    }
    const bool unit = text.ends_with("BTC");
    if (unit) text.remove_suffix(3);
    if (!unit && text.find('.') == std::string_view::npos) return std::nullopt;
    const auto amount = chain::Amount::from_btc(text);
    if (!amount || *amount < chain::Amount()) return std::nullopt;
    return amount->sat();
}

std::optional<std::uint32_t> parse_donation(std::string_view text) {
    return manager::parse_percent(text.ends_with('%') ? std::string(text)
                                                      : std::string(text) + "%");
}

}  // namespace adit::cli
