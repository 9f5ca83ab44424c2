#include "manager/config_money.h"

#include "chain/address.h"

#include <algorithm>
#include <cmath>

namespace adit::manager {
namespace {

using share::PayoutMode;
using share::RewardScheme;

constexpr std::int64_t kMostSat = chain::Amount::kMaxSat;
constexpr std::size_t kPercentDecimals = 4;

// One of the enumerators by its name.
template <class Enum, std::size_t N>
void choose(TableReader& table, std::string_view key, Enum& value,
            const std::array<Enum, N>& choices) {
    std::string text(name_of(value));
    table.text(key, text, fmt::format("\"{}\"", text));
    std::string names;
    for (const auto choice : choices) {
        if (text == name_of(choice)) {
            value = choice;
            return;
        }
        names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", name_of(choice));
    }
    table.fault(key, fmt::format("{} = \"{}\" is not known", key, text), "one of " + names);
}

void read_rewards(TableReader table, const Config& config, RewardsConfig& rewards) {
    choose(table, "scheme", rewards.scheme,
           std::array{RewardScheme::pplns, RewardScheme::prop, RewardScheme::solo});
    double factor = rewards.pplns_factor_milli / 1'000.0;
    table.number("pplns_factor", factor, 0.001, 1'000);
    rewards.pplns_factor_milli = static_cast<std::uint32_t>(std::lround(factor * 1'000));
    auto fee = percent_text(rewards.fee_ppm);
    table.text("fee", fee, "\"1.0%\"");
    if (const auto ppm = parse_percent(fee)) {
        rewards.fee_ppm = *ppm;
    } else {
        table.fault("fee", fmt::format("fee = \"{}\" is no percentage", fee),
                    "a percentage from \"0%\" to \"100%\" with at most four decimals, such as "
                    "\"1.0%\"");
    }
    table.text("fee_account", rewards.fee_account, "an address, or \":fee\"");
    const auto address =
        chain::canonical_address(rewards.fee_account, chain::params(config.pool.chain));
    if (address) {
        rewards.fee_account = *address;
    } else if (rewards.fee_account != ":fee") {
        table.fault("fee_account",
                    fmt::format("\"{}\" is no address of this chain", rewards.fee_account),
                    "an address, or \":fee\" to let the fee gather in the ledger");
    }
    table.integer("maturity", rewards.maturity, 1, 10'000);
    table.finish();
}

void read_fee_payer(TableReader& table, PayoutConfig& payout) {
    std::string payer = payout.miners_bear_fee ? "miner" : "pool";
    table.text("fee_paid_by", payer, "\"pool\"");
    if (payer != "pool" && payer != "miner") {
        table.fault("fee_paid_by", fmt::format("fee_paid_by = \"{}\" is not known", payer),
                    "\"pool\" or \"miner\"");
    }
    payout.miners_bear_fee = payer == "miner";
}

void read_fee_rates(TableReader& table, PayoutConfig& payout) {
    constexpr double kMostRate = 10'000;
    table.number("min_fee_rate", payout.min_fee_rate, 0.1, kMostRate);
    table.number("max_fee_rate", payout.max_fee_rate, 0.1, kMostRate);
    table.number("fallback_fee_rate", payout.fallback_fee_rate, 0.1, kMostRate);
    if (payout.max_fee_rate < payout.min_fee_rate) {
        table.fault("max_fee_rate", "payout.max_fee_rate is below payout.min_fee_rate",
                    "a rate of at least min_fee_rate");
    }
    if (payout.fallback_fee_rate < payout.min_fee_rate ||
        payout.fallback_fee_rate > payout.max_fee_rate) {
        table.fault("fallback_fee_rate", "it lies outside of min_fee_rate and max_fee_rate",
                    "a rate between the two");
    }
}

void read_payout(TableReader table, const Config& config, PayoutConfig& payout) {
    payout.line = table.line();
    choose(table, "mode", payout.mode,
           std::array{PayoutMode::wallet, PayoutMode::coinbase, PayoutMode::none});
    if (payout.mode == PayoutMode::coinbase && config.rewards.scheme == RewardScheme::prop) {
        table.fault("mode",
                    fmt::format("coinbases cannot pay miners by rewards.scheme = \"{}\"",
                                name_of(config.rewards.scheme)),
                    "rewards.scheme = \"pplns\" or \"solo\", or another payout.mode");
    }
    table.text("wallet", payout.wallet, "\"pool\"");
    table.text("node", payout.node, "the name of a [[node]]");
    const bool known = std::ranges::any_of(
        config.nodes, [&](const NodeConfig& node) { return node.name == payout.node; });
    if (!payout.node.empty() && !known) {
        table.fault("node", fmt::format("no [[node]] is called \"{}\"", payout.node),
                    "the name of the node that has the wallet");
    }
    table.integer("confirmations", payout.confirmations, 1, 100);
    table.integer("threshold_sat", payout.threshold_sat, 1'000, kMostSat);
    table.integer("interval_s", payout.interval_s, 1, 31 * 86'400);
    table.integer("approve_above_sat", payout.approve_above_sat, 0, kMostSat);
    table.integer("daily_cap_sat", payout.daily_cap_sat, 0, kMostSat);
    table.integer("bump_after_blocks", payout.bump_after_blocks, 1, 1'000);
    table.integer("coinbase_outputs", payout.coinbase_outputs, 1, 2'000);
    table.integer("coinbase_dust_sat", payout.coinbase_dust_sat, 546, kMostSat);
    read_fee_payer(table, payout);
    read_fee_rates(table, payout);
    table.finish();
}

void read_store(TableReader table, StoreConfig& store) {
    table.text("ledger", store.ledger, "\"sqlite\"");
    if (store.ledger != "sqlite" && !store.ledger.starts_with("postgresql://")) {
        table.fault("ledger", fmt::format("ledger = \"{}\" is no ledger", store.ledger),
                    "\"sqlite\", or \"postgresql://user@host/database\"");
    }
    table.finish();
}

}  // namespace

std::optional<std::uint32_t> parse_percent(std::string_view text) {
    if (!text.ends_with('%')) return std::nullopt;
    text.remove_suffix(1);
    while (text.ends_with(' '))
        text.remove_suffix(1);
    const auto dot = text.find('.');
    const auto whole = text.substr(0, dot);
    const auto decimals = dot == std::string_view::npos ? std::string_view{} : text.substr(dot + 1);
    if (whole.empty() || whole.size() > 3 || decimals.size() > kPercentDecimals ||
        (dot != std::string_view::npos && decimals.empty())) {
        return std::nullopt;
    }
    std::uint32_t ppm = 0;
    for (std::size_t i = 0; i < whole.size() + kPercentDecimals; ++i) {
        const auto at = i - whole.size();
        char digit = '0';
        if (i < whole.size())
            digit = whole[i];
        else if (at < decimals.size())
            digit = decimals[at];
        if (digit < '0' || digit > '9') return std::nullopt;
        ppm = ppm * 10 + static_cast<std::uint32_t>(digit - '0');
    }
    if (ppm > share::kPpm) return std::nullopt;
    return ppm;
}

std::string percent_text(std::uint32_t ppm) {
    auto decimals = fmt::format("{:04}", ppm % 10'000);
    while (decimals.size() > 1 && decimals.ends_with('0'))
        decimals.pop_back();
    return fmt::format("{}.{}%", ppm / 10'000, decimals);
}

void read_money(TableReader& root, Config& config) {
    if (auto table = root.child("rewards")) read_rewards(*table, config, config.rewards);
    if (auto table = root.child("payout")) {
        read_payout(*table, config, config.payout);
    }
    if (auto table = root.child("store")) read_store(*table, config.store);
}

namespace {

void compare_payouts(const PayoutConfig& a, const PayoutConfig& b, ConfigChanges& changes) {
    const auto live = [&](bool differs, const char* key) {
        if (differs) changes.live.emplace_back(key);
    };
    const auto restart = [&](bool differs, const char* key) {
        if (differs) changes.needs_restart.emplace_back(key);
    };
    restart(a.mode != b.mode, "payout.mode");
    restart(a.wallet != b.wallet, "payout.wallet");
    restart(a.node != b.node, "payout.node");
    live(a.confirmations != b.confirmations, "payout.confirmations");
    live(a.threshold_sat != b.threshold_sat, "payout.threshold_sat");
    live(a.interval_s != b.interval_s, "payout.interval_s");
    live(a.approve_above_sat != b.approve_above_sat, "payout.approve_above_sat");
    live(a.daily_cap_sat != b.daily_cap_sat, "payout.daily_cap_sat");
    live(a.miners_bear_fee != b.miners_bear_fee, "payout.fee_paid_by");
    live(a.min_fee_rate != b.min_fee_rate, "payout.min_fee_rate");
    live(a.max_fee_rate != b.max_fee_rate, "payout.max_fee_rate");
    live(a.fallback_fee_rate != b.fallback_fee_rate, "payout.fallback_fee_rate");
    live(a.bump_after_blocks != b.bump_after_blocks, "payout.bump_after_blocks");
    restart(a.coinbase_outputs != b.coinbase_outputs, "payout.coinbase_outputs");
    restart(a.coinbase_dust_sat != b.coinbase_dust_sat, "payout.coinbase_dust_sat");
}

}  // namespace

void compare_money(const Config& a, const Config& b, ConfigChanges& changes) {
    const auto live = [&](bool differs, const char* key) {
        if (differs) changes.live.emplace_back(key);
    };
    const auto live_unless = [&](bool fixed, bool differs, const char* key) {
        if (differs) (fixed ? changes.needs_restart : changes.live).emplace_back(key);
    };
    const bool by_coinbase = a.payout.mode == PayoutMode::coinbase;
    live_unless(by_coinbase, a.rewards.scheme != b.rewards.scheme, "rewards.scheme");
    live(a.rewards.pplns_factor_milli != b.rewards.pplns_factor_milli, "rewards.pplns_factor");
    live_unless(by_coinbase && a.rewards.scheme == RewardScheme::solo,
                a.rewards.fee_ppm != b.rewards.fee_ppm, "rewards.fee");
    live(a.rewards.fee_account != b.rewards.fee_account, "rewards.fee_account");
    if (a.rewards.maturity != b.rewards.maturity) {
        changes.needs_restart.emplace_back("rewards.maturity");
    }
    compare_payouts(a.payout, b.payout, changes);
    if (a.store.ledger != b.store.ledger) changes.needs_restart.emplace_back("store.ledger");
}

}  // namespace adit::manager
