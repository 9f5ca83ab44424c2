// A chain with a wallet in memory, for tests of the payer: it keeps Bitcoin's rules as far as a
// payout can notice them (an output is spent once, a replacement pays more, blocks come and go).
// Nothing is really signed. Tests only; not thread-safe.
#pragma once

#include "ledger/payout_transaction.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace adit::ledger::testing {

inline base::Bytes segwit_script(std::uint8_t number) {
    base::Bytes script(22, number);
    script[0] = 0;
    script[1] = 20;
    return script;
}

class FakeWallet final : public Wallet, public SpendWitness {
 public:
    // Thrown at the call that `fail_at` counts down to: the process dies there.
    struct Death {};

    base::Bytes own = segwit_script(1);  // all of the wallet's coins have it

    // --- what the world does ---------------------------------------------------------------
    chain::OutPoint give(std::int64_t sat, const base::Bytes& script) {
        chain::Transaction transaction;
        transaction.lock_time = ++serial_;
        transaction.outputs.push_back({sat, script});
        const auto txid = transaction.txid();
        known_[txid] = {transaction, height};
        mine(10);
        return {txid, 0};
    }
    chain::OutPoint give(std::int64_t sat) { return give(sat, own); }
    // Takes the mempool into the first block, if `empty` is not asked for.
    void mine(int blocks, bool empty = false) {
        for (int i = 0; i < blocks; ++i) {
            ++height;
            if (empty) continue;
            for (auto& [txid, entry] : known_) {
                if (entry.in_mempool) entry = {entry.transaction, height};
            }
        }
    }
    // The last blocks leave the chain, others come in their place; what was in them waits again, or
    // is forgotten by everybody but the wallet.
    void reorganise(int blocks, bool forget = false) {
        for (auto& [txid, entry] : known_) {
            if (entry.height && *entry.height > height - blocks) {
                entry.height.reset();
                entry.in_mempool = !forget;
            }
        }
        ++branch_;
        branch_height_ = height - blocks;
    }
    // Somebody else who has the keys spends an output, in a block or the mempool.
    chain::Hash256 steal(const chain::OutPoint& outpoint, const base::Bytes& to, bool in_block) {
        chain::Transaction thief;
        thief.lock_time = ++serial_;
        chain::TxInput input;
        input.previous = outpoint;
        thief.inputs.push_back(input);
        thief.outputs.push_back({value_of(outpoint).sat() - 200, to});
        evict_rivals(thief);
        Known entry{thief, std::nullopt};
        if (in_block)
            entry.height = ++height;
        else
            entry.in_mempool = true;
        known_[thief.txid()] = entry;
        return thief.txid();
    }
    // Comes into the next block, whoever has signed it.
    void confirm(const chain::Transaction& transaction) {
        evict_rivals(transaction);
        known_[transaction.txid()] = {transaction, ++height};
    }
    void empty_mempool() {
        for (auto& [txid, entry] : known_)
            entry.in_mempool = false;
    }
    // What addresses of this script have received in blocks.
    std::int64_t received(const base::Bytes& script) const {
        std::int64_t sum = 0;
        for (const auto& [txid, entry] : known_) {
            if (!entry.height) continue;
            for (const auto& output : entry.transaction.outputs)
                if (output.script == script) sum += output.value_sat;
        }
        return sum;
    }
    std::size_t mempool_size() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            known_, [](const auto& entry) { return entry.second.in_mempool; }));
    }

    std::int32_t height = 1'000;
    std::optional<std::int64_t> estimate = 2'000;
    std::optional<WalletError> fault;       // of every call
    std::optional<WalletError> sign_fault;  // of sign() alone
    std::optional<WalletError> send_fault;  // of broadcast() alone
    std::string witness_objection;          // of all_have_seen()
    std::set<chain::OutPoint> locked;       // what is locked now
    std::function<void()> before_call;      // may throw Death

    // --- Wallet ----------------------------------------------------------------------------
    std::string name() const override { return "the test's wallet"; }
    FromWallet<WalletTip> tip() override {
        if (auto error = enter()) return std::unexpected(*error);
        return WalletTip{height, block_at(height)};
    }
    FromWallet<std::vector<Coin>> coins(std::int32_t min_confirmations) override {
        if (auto error = enter()) return std::unexpected(*error);
        std::vector<Coin> coins;
        for (const auto& [txid, entry] : known_) {
            if (!entry.height || height - *entry.height + 1 < min_confirmations) continue;
            for (std::uint32_t i = 0; i < entry.transaction.outputs.size(); ++i) {
                const chain::OutPoint outpoint{txid, i};
                const auto& output = entry.transaction.outputs[i];
                if (output.script != own || spender_of(outpoint, true) || locked.contains(outpoint))
                    continue;
                coins.push_back({outpoint, Amount::of(output.value_sat), output.script,
                                 height - *entry.height + 1});
            }
        }
        return coins;
    }
    FromWallet<std::optional<Coin>> coin(const chain::OutPoint& outpoint) override {
        if (auto error = enter()) return std::unexpected(*error);
        const auto found = known_.find(outpoint.txid);
        if (found == known_.end() || !found->second.height || spender_of(outpoint, false)) {
            return std::optional<Coin>();
        }
        const auto& output = found->second.transaction.outputs.at(outpoint.index);
        return Coin{outpoint, Amount::of(output.value_sat), output.script,
                    height - *found->second.height + 1};
    }
    FromWallet<void> lock(std::span<const chain::OutPoint> outpoints) override {
        if (auto error = enter()) return std::unexpected(*error);
        locked.insert(outpoints.begin(), outpoints.end());
        return {};
    }
    FromWallet<void> unlock(std::span<const chain::OutPoint> outpoints) override {
        if (auto error = enter()) return std::unexpected(*error);
        for (const auto& outpoint : outpoints)
            locked.erase(outpoint);
        return {};
    }
    FromWallet<chain::Transaction> sign(const chain::Transaction& transaction,
                                        std::span<const Coin> coins) override {
        if (auto error = enter()) return std::unexpected(*error);
        if (sign_fault) return std::unexpected(*sign_fault);
        auto copy = transaction;
        if (coins.size() != copy.inputs.size()) std::abort();
        for (auto& input : copy.inputs)
            input.witness = {base::Bytes(71, 7), base::Bytes(33, 2)};
        if (tamper) tamper(copy);
        return copy;
    }
    FromWallet<void> test(base::ByteSpan raw) override {
        if (auto error = enter()) return std::unexpected(*error);
        return judge(*chain::parse_transaction(raw));
    }
    FromWallet<void> broadcast(base::ByteSpan raw) override {
        if (auto error = enter()) return std::unexpected(*error);
        if (send_fault) return std::unexpected(*send_fault);
        const auto transaction = *chain::parse_transaction(raw);
        const auto txid = transaction.txid();
        sent.push_back(txid);
        const auto found = known_.find(txid);
        if (found != known_.end() && (found->second.height || found->second.in_mempool)) return {};
        if (auto judged = judge(transaction); !judged) return judged;
        evict_rivals(transaction);
        known_[txid] = {transaction, std::nullopt, true};
        return {};
    }
    FromWallet<std::optional<TransactionStatus>> status(const chain::Hash256& txid) override {
        if (auto error = enter()) return std::unexpected(*error);
        const auto found = known_.find(txid);
        if (found == known_.end()) return std::optional<TransactionStatus>();
        TransactionStatus status;
        status.in_mempool = found->second.in_mempool;
        status.confirmations = confirmations_of(found->second);
        if (found->second.height) {
            status.height = *found->second.height;
            status.block = block_at(status.height);
        }
        return status;
    }
    FromWallet<OutputState> output_state(const chain::OutPoint& outpoint) override {
        if (auto error = enter()) return std::unexpected(*error);
        OutputState state;
        const auto found = known_.find(outpoint.txid);
        state.created = found != known_.end() && found->second.height;
        state.spender = spender_of(outpoint, false);
        state.unspent = state.created && !state.spender;
        if (state.spender) {
            const auto& entry = known_.at(*state.spender);
            state.spender_confirmations = confirmations_of(entry);
            state.spender_block = block_at(*entry.height);
        }
        return state;
    }
    FromWallet<WalletSpends> spends_since(const chain::Hash256& block) override {
        if (auto error = enter()) return std::unexpected(*error);
        last_since = block;
        WalletSpends spends;
        for (const auto& [txid, entry] : known_) {
            if (!entry.transaction.inputs.empty())
                spends.spends.push_back({txid, confirmations_of(entry), false});
        }
        spends.upto = block_at(height);
        return spends;
    }
    FromWallet<std::optional<chain::Transaction>> transaction(const chain::Hash256& txid) override {
        if (auto error = enter()) return std::unexpected(*error);
        const auto found = known_.find(txid);
        if (found == known_.end()) return std::optional<chain::Transaction>();
        return found->second.transaction;
    }
    FromWallet<std::optional<std::int64_t>> fee_rate(std::int32_t) override {
        if (auto error = enter()) return std::unexpected(*error);
        return estimate;
    }
    std::expected<void, std::string> all_have_seen(const chain::OutPoint&, const chain::Hash256&,
                                                   const chain::Hash256&, std::int32_t) override {
        if (!witness_objection.empty()) return std::unexpected(witness_objection);
        return {};
    }

    std::function<void(chain::Transaction&)> tamper;  // what the wallet signs instead
    std::vector<chain::Hash256> sent;                 // handed to broadcast(), in order
    chain::Hash256 last_since;                        // of the last spends_since()

 private:
    struct Known {
        chain::Transaction transaction;
        std::optional<std::int32_t> height;
        bool in_mempool = false;
    };

    std::optional<WalletError> enter() {
        if (before_call) before_call();
        return fault;
    }
    chain::Hash256 block_at(std::int32_t at) const {
        chain::Hash256 hash;
        base::store_le(hash.bytes.data(), static_cast<std::uint32_t>(at));
        hash.bytes[8] = at > branch_height_ ? branch_ : 0;
        return hash;
    }
    Amount value_of(const chain::OutPoint& outpoint) const {
        return Amount::of(
            known_.at(outpoint.txid).transaction.outputs.at(outpoint.index).value_sat);
    }
    std::optional<chain::Hash256> spender_of(const chain::OutPoint& outpoint, bool mempool) const {
        for (const auto& [txid, entry] : known_) {
            if (!entry.height && !(mempool && entry.in_mempool)) continue;
            if (spends(entry.transaction, outpoint)) return txid;
        }
        return std::nullopt;
    }
    Amount fee_of(const chain::Transaction& transaction) const {
        Amount fee;
        for (const auto& input : transaction.inputs)
            fee += value_of(input.previous);
        for (const auto& output : transaction.outputs)
            fee -= Amount::of(output.value_sat);
        return fee;
    }
    // -1: a transaction in a block spends what it spends.
    std::int32_t confirmations_of(const Known& entry) const {
        if (entry.height) return height - *entry.height + 1;
        for (const auto& input : entry.transaction.inputs)
            if (spender_of(input.previous, false)) return -1;
        return 0;
    }
    FromWallet<void> judge(const chain::Transaction& transaction) const {
        for (const auto& input : transaction.inputs) {
            const auto found = known_.find(input.previous.txid);
            if (found == known_.end() || !found->second.height ||
                spender_of(input.previous, false)) {
                return std::unexpected(WalletError{WalletFault::refused, "missing inputs"});
            }
            const auto rival = spender_of(input.previous, true);
            if (rival && *rival != transaction.txid() &&
                fee_of(transaction) <= fee_of(known_.at(*rival).transaction)) {
                return std::unexpected(WalletError{WalletFault::refused, "insufficient fee"});
            }
        }
        return {};
    }
    void evict_rivals(const chain::Transaction& transaction) {
        for (auto& [txid, entry] : known_) {
            for (const auto& input : transaction.inputs)
                if (!entry.height && spends(entry.transaction, input.previous))
                    entry.in_mempool = false;
        }
    }

    std::map<chain::Hash256, Known> known_;
    std::uint32_t serial_ = 0;
    std::uint8_t branch_ = 0;
    std::int32_t branch_height_ = 0;
};

}  // namespace adit::ledger::testing
