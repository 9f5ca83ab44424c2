// One wallet of one node as ledger::Wallet, over Bitcoin Core's wallet calls (24 to 28) at
// /wallet/NAME. docs/operations.md lists the calls. Nothing is believed that can be checked:
// amounts are read exactly, hashes and transactions are parsed and compared, and an answer that
// makes no sense is an error, never a guess.
//
// Used by one thread at a time; cancel() alone may be called from any thread.
#pragma once

#include "chain/network.h"
#include "ledger/wallet.h"
#include "node/rpc_client.h"
#include "node/wallet_errors.h"

#include <string>
#include <string_view>

namespace adit::node {

struct NodeWalletSettings {
    NodeSettings node;   // the one that has the wallet
    std::string wallet;  // its name; empty: the node's nameless one
    chain::Network network = chain::Network::main;
    int timeout_ms = 30'000;  // of each call of the node
};

class NodeWallet final : public ledger::Wallet {
 public:
    // metrics may be null; it outlives the wallet.
    explicit NodeWallet(NodeWalletSettings settings, RpcMetrics* metrics = nullptr);

    std::string name() const override { return place_.name(); }

    ledger::FromWallet<ledger::WalletTip> tip() override;
    ledger::FromWallet<std::vector<ledger::Coin>> coins(std::int32_t min_confirmations) override;
    ledger::FromWallet<std::optional<ledger::Coin>> coin(const chain::OutPoint& outpoint) override;
    ledger::FromWallet<void> lock(std::span<const chain::OutPoint> outpoints) override;
    ledger::FromWallet<void> unlock(std::span<const chain::OutPoint> outpoints) override;
    ledger::FromWallet<chain::Transaction> sign(const chain::Transaction& transaction,
                                                std::span<const ledger::Coin> coins) override;
    ledger::FromWallet<void> test(base::ByteSpan raw) override;
    ledger::FromWallet<void> broadcast(base::ByteSpan raw) override;
    ledger::FromWallet<std::optional<ledger::TransactionStatus>> status(
        const chain::Hash256& txid) override;
    // The spender is looked for among the wallet's own transactions since the output's block.
    ledger::FromWallet<ledger::OutputState> output_state(const chain::OutPoint& outpoint) override;
    // After a block that this node does not know: all there are.
    ledger::FromWallet<ledger::WalletSpends> spends_since(const chain::Hash256& block) override;
    ledger::FromWallet<std::optional<chain::Transaction>> transaction(
        const chain::Hash256& txid) override;
    // Of estimatesmartfee's economical mode: a payout that waits is replaced by one that pays more.
    ledger::FromWallet<std::optional<std::int64_t>> fee_rate(std::int32_t blocks) override;

    // ---- beyond what a payer needs
    // Whether the wallet's keys are locked, so that sign() wants a passphrase first. An error when
    // the wallet is not there, is another one, scans the chain or has no private keys.
    ledger::FromWallet<bool> keys_locked();
    // Whether the wallet can spend what is paid to this address.
    ledger::FromWallet<bool> owns(std::string_view address);
    // Ends the call under way and fails every later one, so that a stopping pool need not wait.
    void cancel() { client_.cancel(); }

 private:
    // A transaction as gettransaction tells it.
    struct Known {
        chain::Transaction transaction;
        std::int32_t confirmations = 0;
        chain::Hash256 block;  // with confirmations above 0
        std::int32_t height = 0;
    };

    std::expected<RpcReply, ledger::WalletError> ask(std::string_view method,
                                                     std::string_view params);
    std::unexpected<ledger::WalletError> failed(std::string_view method,
                                                const RpcError& error) const;
    std::unexpected<ledger::WalletError> malformed(std::string_view method,
                                                   std::string_view what) const;
    std::unexpected<ledger::WalletError> trouble(ledger::WalletFault fault,
                                                 std::string_view what) const;
    ledger::FromWallet<void> set_locks(std::span<const chain::OutPoint> outpoints, bool locked);
    ledger::FromWallet<std::vector<chain::OutPoint>> locked_outpoints();
    ledger::FromWallet<std::optional<Known>> ask_known(const chain::Hash256& txid);
    ledger::FromWallet<bool> in_mempool(const chain::Hash256& txid);
    ledger::FromWallet<chain::Hash256> best_block();
    ledger::FromWallet<ledger::OutputState> look_at(const chain::OutPoint& outpoint);
    ledger::FromWallet<void> find_spender(const chain::OutPoint& outpoint,
                                          const chain::Hash256& since, ledger::OutputState& state);

    WalletPlace place_;
    chain::Network network_;
    int timeout_ms_;
    RpcClient client_;
};

}  // namespace adit::node
