#include "manager/preflight_wallet.h"

#include "chain/address.h"
#include "ledger/payout_transaction.h"
#include "manager/payout_side.h"
#include "manager/pool_parts.h"
#include "node/node_wallet.h"

#include <algorithm>

namespace adit::manager {
namespace {

using ledger::Coin;
using ledger::WalletError;
using ledger::WalletFault;

constexpr int kTimeoutMs = 5'000;

class WalletTrial {
 public:
    WalletTrial(const Config& config, bool may_lock)
        : config_(config),
          may_lock_(may_lock),
          wallet_({settings_of(config), config.payout.wallet, config.pool.chain, kTimeoutMs}) {}

    std::vector<Finding> run() {
        if (const auto tip = wallet_.tip(); !tip) {
            fault(wallet_.name(), config_.payout.line, tip.error());
            return std::move(findings_);
        }
        try_address();
        const auto coins = try_coins();
        const auto rate = try_fee_rate();
        if (coins && rate && !coins->empty()) {
            const auto& largest = *std::ranges::max_element(*coins, {}, &Coin::value);
            try_lock(largest);
            try_signature(largest, *rate);
        }
        return std::move(findings_);
    }

 private:
    static node::NodeSettings settings_of(const Config& config) {
        const auto at = &wallet_node(config) - config.nodes.data();
        return node_settings(config)[static_cast<std::size_t>(at)];
    }

    void ok(std::string_view what, std::string result) {
        findings_.push_back({subject(what), std::move(result), std::nullopt});
    }
    void found(std::string subject, std::uint32_t line, std::string what, std::string instead,
               bool warning) {
        findings_.push_back({std::move(subject), "",
                             ConfigFault{config_.file, line, std::move(what), std::move(instead)},
                             warning});
    }
    // Without a [payout] section nobody has asked for payouts: then nothing here is more than a
    // warning.
    void fault(std::string subject, std::uint32_t line, std::string what, std::string instead) {
        found(std::move(subject), line, std::move(what), std::move(instead),
              config_.payout.line == 0);
    }
    void fault(std::string subject, std::uint32_t line, const WalletError& error) {
        fault(std::move(subject), line, error.message, instead_of(error.fault));
    }
    std::string subject(std::string_view what) const {
        return fmt::format("{}: {}", wallet_.name(), what);
    }

    // What to write instead.
    static std::string instead_of(WalletFault fault) {
        switch (fault) {
            case WalletFault::no_wallet:
                return "the wallet's name as payout.wallet, or [payout] mode = \"none\" for a pool "
                       "that pays nothing out";
            case WalletFault::unreachable:
            case WalletFault::malformed:
                return "the name of another [[node]] as payout.node";
            case WalletFault::not_ready:
                return "nothing: wait until the node is ready";
            case WalletFault::locked:
            case WalletFault::refused:
                break;
        }
        return "nothing: the wallet itself must be put right";
    }

    void try_address() {
        const auto subject = this->subject("pool.address");
        const auto& address = config_.pool.address;
        const auto script = script_of_pool();
        const auto instead = fmt::format(
            "an address of this wallet: bitcoin-cli -rpcwallet=\"{}\" getnewaddress \"\" bech32",
            config_.payout.wallet);
        if (!ledger::is_payable_coin(script)) {
            return fault(subject, config_.pool.line,
                         fmt::format("{} is no native segwit address (P2WPKH or P2TR), and payouts "
                                     "spend no other coins",
                                     address),
                         instead);
        }
        const auto mine = wallet_.owns(address);
        if (!mine) return fault(subject, config_.pool.line, mine.error());
        if (!*mine) {
            return fault(subject, config_.pool.line,
                         fmt::format("{} does not belong to this wallet, so payouts could never "
                                     "spend what is mined",
                                     address),
                         instead);
        }
        ok("pool.address", "belongs to it, native segwit");
    }

    std::optional<std::vector<Coin>> try_coins() {
        auto coins = wallet_.coins(1);
        if (!coins) {
            fault(subject("coins"), config_.payout.line, coins.error());
            return std::nullopt;
        }
        chain::Amount sum;
        for (const auto& coin : *coins)
            sum += coin.value;
        ok("coins", coins->empty() ? "none yet; locking and signing were not tried"
                                   : fmt::format("{} confirmed, {} BTC", coins->size(), sum.btc()));
        return *std::move(coins);
    }

    // The rate that a payout would have now.
    std::optional<std::int64_t> try_fee_rate() {
        const auto estimate = wallet_.fee_rate(ledger::kFeeTarget);
        if (!estimate) {
            fault(subject("fee estimate"), config_.payout.line, estimate.error());
            return std::nullopt;
        }
        const auto rate = ledger::fee_rate_of(payer_settings(config_), *estimate);
        ok("fee estimate",
           *estimate ? fmt::format("{} satoshis per 1,000 virtual bytes, {} would be paid",
                                   **estimate, rate)
                     : fmt::format("none yet; {} satoshis per 1,000 virtual bytes would be paid "
                                   "(payout.fallback_fee_rate)",
                                   rate));
        return rate;
    }

    void try_lock(const Coin& coin) {
        if (!may_lock_) {
            return ok("lock", "not tried, since a pool may be running on this data directory");
        }
        const std::span<const chain::OutPoint> one(&coin.outpoint, 1);
        auto done = wallet_.lock(one);
        // Also after a failure: the node may have taken what it did not answer.
        const auto undone = wallet_.unlock(one);
        if (done) done = undone;
        if (!done) return fault(subject("lock"), config_.payout.line, done.error());
        ok("lock", fmt::format("{}:{} was locked and unlocked again", coin.outpoint.txid.rpc_hex(),
                               coin.outpoint.index));
    }

    // A transaction that would send the coin to pool.address. It is never sent.
    void try_signature(const Coin& coin, std::int64_t rate) {
        const auto subject = this->subject("signature");
        const auto locked = wallet_.keys_locked();
        if (!locked) return fault(subject, config_.payout.line, locked.error());
        if (*locked) {
            return found(subject, config_.payout.line,
                         "it is locked with a passphrase: payouts wait until it is unlocked",
                         fmt::format("nothing: unlock it with bitcoin-cli -rpcwallet=\"{}\" "
                                     "-stdinwalletpassphrase walletpassphrase SECONDS",
                                     config_.payout.wallet),
                         true);
        }
        ledger::FundingRequest request;
        request.first = {coin};
        request.change_script = script_of_pool();
        request.fee_rate = rate;
        const auto funding = ledger::fund(request);
        if (!funding || funding->change.is_zero()) {
            return ok("signature", "not tried, since its largest coin is too small");
        }
        const auto trial = ledger::build_payout(*funding, {}, request.change_script);
        const auto ready = wallet_.sign(trial, {&coin, 1});
        if (!ready) return fault(subject, config_.payout.line, ready.error());
        if (const auto taken = wallet_.test(ready->serialize()); !taken) {
            return fault(subject, config_.payout.line, taken.error().message,
                         "a higher payout.min_fee_rate and payout.fallback_fee_rate, if the fee is "
                         "too low");
        }
        ok("signature", "a transaction to pool.address was signed and would be taken; not sent");
    }

    base::Bytes script_of_pool() const {
        return chain::script_of_address(config_.pool.address, chain::params(config_.pool.chain))
            .value_or(base::Bytes{});
    }

    const Config& config_;
    const bool may_lock_;
    node::NodeWallet wallet_;
    std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> try_wallet(const Config& config, bool may_lock) {
    return WalletTrial(config, may_lock).run();
}

}  // namespace adit::manager
