#include "sim/wallet_lock.h"

namespace adit::sim {
namespace {

chain::Hash256 digest_of(std::string_view passphrase) {
    return chain::sha256(base::as_bytes(passphrase));
}

}  // namespace

bool WalletLock::locked() const {
    return encrypted() && (!until_ms_ || clock_.steady_ms() >= *until_ms_);
}

void WalletLock::encrypt(std::string_view passphrase) {
    digest_ = digest_of(passphrase);
    lock();
}

bool WalletLock::unlock(std::string_view passphrase, std::int64_t seconds) {
    if (digest_ != digest_of(passphrase)) return false;
    until_ms_ = clock_.steady_ms() + seconds * 1'000;
    return true;
}

std::int64_t WalletLock::unlocked_until_s() const {
    if (locked() || !until_ms_) return 0;
    return (clock_.wall_ms() + *until_ms_ - clock_.steady_ms()) / 1'000;
}

}  // namespace adit::sim
