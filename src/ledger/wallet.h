// The wallet that pays miners, as the payer sees it: one wallet of one named node, asked and told
// through this and nothing else, so that the payer decides by values alone. Implemented by
// node::NodeWallet on Bitcoin Core's wallet calls. Amounts are exact satoshis.
//
// Every call may be repeated harmlessly. Used by one thread; a call may block for as long as the
// node takes, up to the implementation's time-out.
#pragma once

#include "chain/amount.h"
#include "chain/transaction.h"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace adit::ledger {

enum class WalletFault {
    unreachable,  // the node does not answer, or not in time
    not_ready,    // it is starting, synchronising, or on another chain
    no_wallet,    // it has no wallet of this name loaded
    locked,       // the wallet wants its passphrase
    refused,      // the node said no to this very call
    malformed,    // an answer that makes no sense
};
std::string_view name_of(WalletFault fault);  // as in metrics

struct WalletError {
    WalletFault fault = WalletFault::unreachable;
    std::string message;  // a sentence for the operator: what happened and what to do
};
template <class T>
using FromWallet = std::expected<T, WalletError>;

// Whether payouts spend coins of this script: P2WPKH and P2TR by key, whose spends nobody can
// malleate and whose size is known.
bool is_payable_coin(base::ByteSpan script);

// An output that the wallet can spend.
struct Coin {
    chain::OutPoint outpoint;
    chain::Amount value;
    base::Bytes script;
    std::int32_t confirmations = 0;
    friend bool operator==(const Coin&, const Coin&) = default;
};

// Where the node stands.
struct WalletTip {
    std::int32_t height = 0;
    chain::Hash256 block;
};

// What became of a transaction that the wallet knows.
struct TransactionStatus {
    std::int32_t confirmations = 0;  // below 0: a conflicting one is that deep
    chain::Hash256 block;            // with confirmations above 0
    std::int32_t height = 0;         // the same
    bool in_mempool = false;
};

// A transaction with which the wallet has spent something.
struct WalletSpend {
    chain::Hash256 txid;
    std::int32_t confirmations = 0;  // below 0: a conflicting one is that deep
    bool abandoned = false;          // given up, not in any block
};

struct WalletSpends {
    std::vector<WalletSpend> spends;  // each transaction once
    chain::Hash256 upto;              // ask from this block on the next time
};

// The state of an output on the node's best chain, without its mempool.
struct OutputState {
    bool unspent = false;
    bool created = false;                   // its own transaction is in the chain
    std::optional<chain::Hash256> spender;  // of a spent one, when the wallet knows it
    std::int32_t spender_confirmations = 0;
    chain::Hash256 spender_block;
};

class Wallet {
 public:
    virtual ~Wallet() = default;

    // "wallet pool on node main", for messages.
    virtual std::string name() const = 0;

    // An error unless node and wallet can be used for payouts now (except for a passphrase).
    virtual FromWallet<WalletTip> tip() = 0;
    // Confirmed, spendable outputs with a native segwit script (P2WPKH, P2TR) of at least so many
    // confirmations, without the locked ones, in no particular order.
    virtual FromWallet<std::vector<Coin>> coins(std::int32_t min_confirmations) = 0;
    // A confirmed output, locked or not; nullopt: spent in a block, or not there.
    virtual FromWallet<std::optional<Coin>> coin(const chain::OutPoint& outpoint) = 0;

    // So that the wallet spends them for nothing else, also after the node was restarted. Locking
    // what is locked, or spent by the wallet's own transactions, and unlocking what is not locked
    // are no errors.
    virtual FromWallet<void> lock(std::span<const chain::OutPoint> outpoints) = 0;
    virtual FromWallet<void> unlock(std::span<const chain::OutPoint> outpoints) = 0;

    // The transaction with a valid signature for every input; the coins are those it spends.
    virtual FromWallet<chain::Transaction> sign(const chain::Transaction& transaction,
                                                std::span<const Coin> coins) = 0;
    // Whether the node's mempool would take it (refused: it would not; the message says why).
    virtual FromWallet<void> test(base::ByteSpan raw) = 0;
    // To the network. Success also when it is in the mempool or the chain already.
    virtual FromWallet<void> broadcast(base::ByteSpan raw) = 0;

    // nullopt: the wallet does not know it.
    virtual FromWallet<std::optional<TransactionStatus>> status(const chain::Hash256& txid) = 0;
    virtual FromWallet<OutputState> output_state(const chain::OutPoint& outpoint) = 0;
    // All spends in blocks after this one (zero: all there are) and those not in a block.
    virtual FromWallet<WalletSpends> spends_since(const chain::Hash256& block) = 0;
    // A transaction the wallet knows, by its id; nullopt: it does not.
    virtual FromWallet<std::optional<chain::Transaction>> transaction(
        const chain::Hash256& txid) = 0;

    // What the node thinks it takes to be mined within so many blocks, in satoshis per 1,000
    // virtual bytes; nullopt: it cannot tell.
    virtual FromWallet<std::optional<std::int64_t>> fee_rate(std::int32_t blocks) = 0;
};

// What any configured node says about a transaction that spends an outpoint in one of its blocks,
// for decisions that one node alone may not make.
class SpendWitness {
 public:
    virtual ~SpendWitness() = default;
    // On success every configured node has this block in its best chain, at least so deep, and in
    // it a transaction with this id that spends the outpoint. The error is a sentence that names
    // the node which does not agree or does not answer.
    virtual std::expected<void, std::string> all_have_seen(const chain::OutPoint& outpoint,
                                                           const chain::Hash256& txid,
                                                           const chain::Hash256& block,
                                                           std::int32_t min_confirmations) = 0;
};

}  // namespace adit::ledger
