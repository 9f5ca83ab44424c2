// The keys of an embedded wallet: derived one after the other from a seed, in two branches
// (receiving, change), so that the same seed gives the same addresses. The scripts of some keys
// beyond the last one given out are known too, so that a wallet made from a seed finds its coins.
// Not thread-safe: owned by SimWallet.
#pragma once

#include "sim/signer.h"

#include <map>
#include <string>
#include <vector>

namespace adit::sim {

enum class ScriptKind { p2wpkh, p2pkh };
enum class KeyBranch { receiving, change };

class WalletKeys {
 public:
    explicit WalletKeys(std::string seed);

    // The next unused script of this branch.
    base::Bytes next_script(KeyBranch branch, ScriptKind kind);
    // Null: not of this wallet. Valid as long as the object.
    const SimKey* find(base::ByteSpan script) const;
    bool owns(base::ByteSpan script) const { return find(script) != nullptr; }
    // Seen in a transaction: this key and those before it are not given out any more.
    void mark_used(base::ByteSpan script);

    // Keys beyond the last used one whose scripts are known, in each branch.
    static constexpr std::size_t kLookahead = 20;

 private:
    struct Branch {
        std::vector<std::unique_ptr<SimKey>> keys;
        std::size_t next = 0;
    };
    struct Place {
        KeyBranch branch;
        std::size_t index;
    };
    Branch& of(KeyBranch branch) { return branches_[branch == KeyBranch::change ? 1 : 0]; }
    void top_up(KeyBranch branch);

    std::string seed_;
    std::array<Branch, 2> branches_;
    std::map<base::Bytes, Place, std::less<>> places_;  // by script
};

}  // namespace adit::sim
