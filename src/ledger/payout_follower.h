// Takes a payout from its intent to its burial: signs, logs, sends, sends again, raises the fee,
// and writes down what became of it. Decides by the ledger and the wallet alone, each time anew, so
// that it makes no difference who did the step before. Internal to the payer.
#pragma once

#include "ledger/payer_parts.h"
#include "ledger/payout_transaction.h"

#include <map>

namespace adit::ledger {

class PayoutFollower {
 public:
    explicit PayoutFollower(const PayerParts& parts) : parts_(parts) {}

    // As far as it goes now. True when it is another than it was. `taken`: what all open payouts
    // spend; what is signed here is added.
    OrHeld<bool> follow(OpenPayout payout, OutPoints& taken, const WalletTip& tip);

    // What a person should look at.
    std::vector<std::string> alerts() const;
    // Of a payout that is not open any more.
    void forget(share::PayoutId id);
    // Of all others than these.
    void keep_only(const std::set<share::PayoutId>& open);

 private:
    enum class AlertKind { anchor, transaction, fee };
    struct Alert {
        AlertKind kind = AlertKind::anchor;
        std::string text;
    };
    // When a transaction was first seen waiting.
    struct Waiting {
        std::uint32_t attempt = 0;
        std::int32_t since_height = 0;
    };

    OrHeld<void> reload(OpenPayout& payout, OutPoints& taken);
    // Each does one thing; true when the payout is in another state afterwards.
    OrHeld<bool> step(const OpenPayout& payout, const OutPoints& taken, const WalletTip& tip);
    OrHeld<bool> follow_unspent(const OpenPayout& payout, const OutPoints& taken,
                                const WalletTip& tip);
    OrHeld<bool> follow_confirmed(const OpenPayout& payout);
    // nullopt: none of its transactions is in a block.
    OrHeld<std::optional<bool>> note_confirmation(const OpenPayout& payout);
    // nullopt: nothing in the chain has spent the anchor.
    OrHeld<std::optional<bool>> note_conflict(const OpenPayout& payout);

    OrHeld<bool> send_after_conflict(const OpenPayout& payout);
    // Takes a signed transaction into the log and makes sure that the ledger has it.
    OrHeld<void> log_attempt(const share::PayoutSignedRecord& record);
    OrHeld<bool> sign_first(const OpenPayout& payout, const OutPoints& taken);
    OrHeld<bool> keep_waiting(const OpenPayout& payout, const OutPoints& taken,
                              const WalletTip& tip);
    OrHeld<bool> raise_fee(const OpenPayout& payout, const Attempt& last, const OutPoints& taken);
    // The last transaction again, with its coins as far as they are still there.
    OrHeld<bool> sign_again(const OpenPayout& payout, const Attempt& last, const OutPoints& taken,
                            const BumpedFee& fee);
    // An input of it was spent by something else, or is not there any more.
    OrHeld<bool> has_lost_coins(const Attempt& attempt);
    // Funds, signs, logs and sends the next transaction.
    OrHeld<bool> sign(const OpenPayout& payout, FundingRequest request);
    // False: the node does not take it.
    OrHeld<bool> send(const OpenPayout& payout, const Attempt& attempt);

    void alert(share::PayoutId id, AlertKind kind, std::string text);
    void clear_alert(share::PayoutId id, AlertKind kind);
    // A rival that pays the payees just so is a transaction of the payout, whoever made it: it is
    // logged as one. False: it is another payment.
    OrHeld<bool> adopt(const OpenPayout& payout, const chain::Hash256& rival);

    PayerParts parts_;
    std::map<share::PayoutId, Alert> alerts_;
    std::map<share::PayoutId, Waiting> waiting_;
};

}  // namespace adit::ledger
