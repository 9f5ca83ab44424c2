#include "sim/wallet_keys.h"

#include <algorithm>

namespace adit::sim {

WalletKeys::WalletKeys(std::string seed) : seed_(std::move(seed)) {
    top_up(KeyBranch::receiving);
    top_up(KeyBranch::change);
}

void WalletKeys::top_up(KeyBranch branch) {
    auto& keys = of(branch).keys;
    while (keys.size() < of(branch).next + kLookahead) {
        const auto index = keys.size();
        const int number = branch == KeyBranch::change ? 1 : 0;
        keys.push_back(std::make_unique<SimKey>(
            SimKey::from_seed(fmt::format("{}/{}/{}", seed_, number, index))));
        places_.emplace(keys.back()->p2wpkh_script(), Place{branch, index});
        places_.emplace(keys.back()->p2pkh_script(), Place{branch, index});
    }
}

base::Bytes WalletKeys::next_script(KeyBranch branch, ScriptKind kind) {
    auto& place = of(branch);
    const auto& key = *place.keys[place.next];
    ++place.next;
    top_up(branch);
    return kind == ScriptKind::p2wpkh ? key.p2wpkh_script() : key.p2pkh_script();
}

const SimKey* WalletKeys::find(base::ByteSpan script) const {
    const auto at = places_.find(base::Bytes(script.begin(), script.end()));
    if (at == places_.end()) return nullptr;
    const auto& place = at->second;
    return branches_[place.branch == KeyBranch::change ? 1 : 0].keys[place.index].get();
}

void WalletKeys::mark_used(base::ByteSpan script) {
    const auto at = places_.find(base::Bytes(script.begin(), script.end()));
    if (at == places_.end()) return;
    auto& branch = of(at->second.branch);
    branch.next = std::max(branch.next, at->second.index + 1);
    top_up(at->second.branch);
}

}  // namespace adit::sim
