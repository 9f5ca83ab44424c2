#include "manager/payout_side.h"

#include "chain/address.h"
#include "manager/pool_parts.h"
#include "node/node_wallet.h"
#include "node/spend_witness.h"

#include <cmath>

namespace adit::manager {
namespace {

constexpr int kWitnessTimeoutMs = 5'000;  // of each call; the end of the pool may wait for it

// A rate in satoshis per virtual byte as whole satoshis per 1,000 of them.
std::int64_t per_kvb(double rate) {
    return std::llround(rate * 1'000);
}

class WalletPayouts final : public StoppablePayouts {
 public:
    WalletPayouts(const Config& config, const node::NodeSettings& node,
                  ledger::LedgerReader& reader, ledger::FactSink& sink, metrics::Registry& registry,
                  const base::Clock& clock, base::Logger& logger)
        : rpc_metrics_(registry, node.label()),
          wallet_({.node = node, .wallet = config.payout.wallet, .network = config.pool.chain},
                  &rpc_metrics_),
          witness_(node_settings(config), config.pool.chain, kWitnessTimeoutMs),
          payer_(payer_settings(config), reader, sink, wallet_, witness_, registry, clock, logger) {
    }

    ledger::PayoutStatus step() override { return payer_.step(); }
    ledger::Stored<ledger::PayoutRound> run(bool dry) override { return payer_.run(dry); }
    ledger::Stored<ledger::PayoutRow> approve(share::PayoutId id, std::string_view note) override {
        return payer_.approve(id, note);
    }
    ledger::Stored<ledger::PayoutRow> cancel(share::PayoutId id, std::string_view note) override {
        return payer_.cancel(id, note);
    }
    ledger::Stored<ledger::PayoutRow> replace(share::PayoutId id, std::string_view note) override {
        return payer_.replace(id, note);
    }
    ledger::Stored<std::vector<share::ExplainRecord>> explain(
        const ledger::SpendExplanation& explanation) override {
        return payer_.explain(explanation);
    }
    ledger::PayoutStatus status() const override { return payer_.status(); }
    void cut_short() override { wallet_.cancel(); }

 private:
    node::RpcMetrics rpc_metrics_;
    node::NodeWallet wallet_;
    node::ChainWitness witness_;
    ledger::Payer payer_;
};

}  // namespace

std::optional<std::string> payout_address_fault(const Config& config) {
    if (config.payout.mode != share::PayoutMode::wallet) return std::nullopt;
    const auto script =
        chain::script_of_address(config.pool.address, chain::params(config.pool.chain));
    if (script && ledger::is_payable_coin(*script)) return std::nullopt;
    return fmt::format(
        "pool.address {} is no native segwit address (P2WPKH or P2TR), and payouts spend no other "
        "coins: nothing is paid out",
        config.pool.address);
}

std::string why_no_payouts(const Config& config) {
    switch (config.payout.mode) {
        case share::PayoutMode::wallet:
            return payout_address_fault(config).value_or("");
        case share::PayoutMode::coinbase:
            return "payout.mode is \"coinbase\": the blocks themselves pay, no wallet does";
        case share::PayoutMode::none:
            return "payout.mode is \"none\": this pool pays nothing out";
    }
    return {};
}

const NodeConfig& wallet_node(const Config& config) {
    const auto named = std::ranges::find(config.nodes, config.payout.node, &NodeConfig::name);
    return named == config.nodes.end() ? config.nodes.front() : *named;
}

ledger::PayerSettings payer_settings(const Config& config) {
    const auto& payout = config.payout;
    ledger::PayerSettings settings;
    settings.network = config.pool.chain;
    settings.change_script =
        chain::script_of_address(config.pool.address, chain::params(config.pool.chain)).value();
    settings.threshold = chain::Amount::of(payout.threshold_sat);
    settings.interval_ms = payout.interval_s * 1'000;
    settings.approve_above = chain::Amount::of(payout.approve_above_sat);
    settings.daily_cap = chain::Amount::of(payout.daily_cap_sat);
    settings.confirmations = static_cast<std::int32_t>(payout.confirmations);
    settings.miners_bear_fee = payout.miners_bear_fee;
    settings.min_fee_rate = per_kvb(payout.min_fee_rate);
    settings.max_fee_rate = per_kvb(payout.max_fee_rate);
    settings.fallback_fee_rate = per_kvb(payout.fallback_fee_rate);
    settings.bump_after_blocks = static_cast<std::int32_t>(payout.bump_after_blocks);
    return settings;
}

PayoutConfig payout_of(const PayoutConfig& running, const PayoutConfig& wanted) {
    auto payout = wanted;
    payout.mode = running.mode;
    payout.wallet = running.wallet;
    payout.node = running.node;
    payout.coinbase_outputs = running.coinbase_outputs;
    payout.coinbase_dust_sat = running.coinbase_dust_sat;
    payout.line = running.line;
    return payout;
}

std::expected<std::unique_ptr<StoppablePayouts>, std::string> wallet_payouts(
    const Config& config, const std::string& node, ledger::LedgerReader& reader,
    ledger::FactSink& sink, metrics::Registry& registry, const base::Clock& clock,
    base::Logger& logger) {
    for (const auto& settings : node_settings(config)) {
        if (settings.name != node) continue;
        return std::make_unique<WalletPayouts>(config, settings, reader, sink, registry, clock,
                                               logger);
    }
    return std::unexpected(
        fmt::format("no [[node]] is called \"{}\", which has the wallet that pays", node));
}

}  // namespace adit::manager
