#include "sim/wallet_set.h"

namespace adit::sim {

WalletSet::WalletSet(SimChain& chain, std::string seed, const base::Clock& clock)
    : chain_(chain), seed_(std::move(seed)), clock_(clock) {
    chain_.add_observer(*this);
}

WalletSet::~WalletSet() {
    chain_.remove_observer(*this);
}

std::expected<SimWallet*, WalletProblem> WalletSet::create(const std::string& name,
                                                           bool on_startup) {
    if (files_.contains(name)) return std::unexpected(WalletProblem::exists);
    auto wallet = std::make_unique<SimWallet>(name, seed_ + "/" + name, clock_);
    if (wallet->catch_up(chain_) != CatchUp::done) {
        return std::unexpected(WalletProblem::pruned);
    }
    auto& file = files_[name];
    file = {std::move(wallet), true, on_startup};
    return file.wallet.get();
}

std::expected<SimWallet*, WalletProblem> WalletSet::load(const std::string& name,
                                                         std::optional<bool> on_startup) {
    const auto at = files_.find(name);
    if (at == files_.end()) return std::unexpected(WalletProblem::unknown);
    auto& file = at->second;
    if (file.loaded) return std::unexpected(WalletProblem::loaded);
    if (file.wallet->catch_up(chain_) != CatchUp::done) {
        return std::unexpected(WalletProblem::pruned);
    }
    file.loaded = true;
    file.on_startup = on_startup.value_or(file.on_startup);
    return file.wallet.get();
}

bool WalletSet::unload(const std::string& name, std::optional<bool> on_startup) {
    const auto at = files_.find(name);
    if (at == files_.end() || !at->second.loaded) return false;
    auto& file = at->second;
    file.loaded = false;
    file.on_startup = on_startup.value_or(file.on_startup);
    file.wallet->reload();
    return true;
}

SimWallet* WalletSet::find(std::string_view name) {
    const auto at = files_.find(name);
    return at == files_.end() || !at->second.loaded ? nullptr : at->second.wallet.get();
}

std::vector<SimWallet*> WalletSet::loaded() {
    std::vector<SimWallet*> all;
    for (auto& [name, file] : files_) {
        if (file.loaded) all.push_back(file.wallet.get());
    }
    return all;
}

std::vector<std::string> WalletSet::names() const {
    std::vector<std::string> all;
    for (const auto& [name, file] : files_)
        all.push_back(name);
    return all;
}

void WalletSet::restart() {
    for (auto& [name, file] : files_) {
        if (file.loaded) file.wallet->reload();
        file.loaded = file.on_startup && file.wallet->catch_up(chain_) == CatchUp::done;
    }
}

void WalletSet::transaction_accepted(const MempoolEntry& entry) {
    for (auto* wallet : loaded())
        wallet->transaction_accepted(entry.transaction);
}

void WalletSet::block_connected(const BlockEntry& entry) {
    for (auto* wallet : loaded())
        wallet->block_connected(entry);
}

void WalletSet::block_disconnected(const BlockEntry& entry) {
    for (auto* wallet : loaded())
        wallet->block_disconnected(entry);
}

}  // namespace adit::sim
