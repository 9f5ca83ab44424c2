// The wallets of an embedded node: those that exist (as files would) and which of them are loaded.
// Hands the chain's events to the loaded ones. Owned by SimNode, or a test; used on the chain's
// thread.
#pragma once

#include "sim/sim_wallet.h"

#include <expected>
#include <memory>
#include <vector>

namespace adit::sim {

enum class WalletProblem { exists, unknown, loaded, pruned };

class WalletSet final : public ChainObserver {
 public:
    // Keys derive from `seed` and the wallet's name. Chain and clock must outlive it.
    WalletSet(SimChain& chain, std::string seed, const base::Clock& clock);
    ~WalletSet() override;
    WalletSet(const WalletSet&) = delete;
    WalletSet& operator=(const WalletSet&) = delete;

    // Makes a wallet and loads it; what the chain still has of its keys' transactions is found.
    std::expected<SimWallet*, WalletProblem> create(const std::string& name, bool on_startup);
    // nullopt: as it was.
    std::expected<SimWallet*, WalletProblem> load(const std::string& name,
                                                  std::optional<bool> on_startup);
    // False: not loaded.
    bool unload(const std::string& name, std::optional<bool> on_startup);
    // Null: not loaded.
    SimWallet* find(std::string_view name);
    // By name.
    std::vector<SimWallet*> loaded();
    std::vector<std::string> names() const;

    // What the wallets are after the node's process was restarted: unloaded and loaded again, those
    // that load on startup.
    void restart();

    void transaction_accepted(const MempoolEntry& entry) override;
    void block_connected(const BlockEntry& entry) override;
    void block_disconnected(const BlockEntry& entry) override;

 private:
    struct File {
        std::unique_ptr<SimWallet> wallet;
        bool loaded = false;
        bool on_startup = false;
    };

    SimChain& chain_;
    std::string seed_;
    const base::Clock& clock_;
    std::map<std::string, File, std::less<>> files_;
};

}  // namespace adit::sim
