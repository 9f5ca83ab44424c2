// The passphrase of an embedded wallet: whether it may sign now. Only a gate: the keys themselves
// stay in memory as they are. Not thread-safe: owned by SimWallet.
#pragma once

#include "base/clock.h"
#include "chain/hash.h"

#include <optional>
#include <string_view>

namespace adit::sim {

class WalletLock {
 public:
    // The clock must outlive it.
    explicit WalletLock(const base::Clock& clock) : clock_(clock) {}

    bool encrypted() const { return digest_.has_value(); }
    // True when it is encrypted and not unlocked at this moment.
    bool locked() const;
    // From now on a passphrase is needed; locked at once. Not empty; not encrypted yet.
    void encrypt(std::string_view passphrase);
    // Unlocks for so many seconds from now, whatever was before. False: the wrong passphrase.
    bool unlock(std::string_view passphrase, std::int64_t seconds);
    void lock() { until_ms_.reset(); }
    // When it locks itself, as wall clock seconds; 0: it is locked.
    std::int64_t unlocked_until_s() const;

 private:
    const base::Clock& clock_;
    std::optional<chain::Hash256> digest_;  // of the passphrase
    std::optional<std::int64_t> until_ms_;  // on the steady clock
};

}  // namespace adit::sim
