#include "job/payout_snapshot.h"

#include "chain/address.h"
#include "chain/script.h"
#include "job/allotment.h"

#include <algorithm>

namespace adit::job {
namespace {

struct Claim {
    std::size_t entry = 0;
    std::int64_t sat = 0;  // a part and a due may be more than all coins together
};

std::vector<Claim> claims_of(const PayoutSnapshot& snapshot,
                             const std::vector<chain::Amount>& parts, bool pays_dues) {
    const auto least = std::max<std::int64_t>(1, snapshot.dust.sat());
    std::vector<Claim> claims;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto& entry = snapshot.entries[i];
        if (entry.script.empty()) continue;
        const auto due_sat = entry.due.sat();
        const auto sat =
            parts[i].sat() + (pays_dues ? due_sat : std::min<std::int64_t>(due_sat, 0));
        if (sat >= least) claims.push_back({i, sat});
    }
    std::ranges::sort(claims, [](const Claim& a, const Claim& b) {
        return a.sat != b.sat ? a.sat > b.sat : a.entry < b.entry;
    });
    return claims;
}

}  // namespace

bool has_weights(const PayoutSnapshot& snapshot) {
    return std::ranges::any_of(snapshot.entries,
                               [](const PayoutEntry& entry) { return entry.weight != 0; });
}

CoinbasePlan plan_coinbase(const PayoutSnapshot& snapshot, chain::Amount value, bool pays_dues) {
    CoinbasePlan plan;
    plan.fee = fraction_of(value, snapshot.fee_ppm);
    std::vector<chain::Work> weights;
    weights.reserve(snapshot.entries.size());
    for (const auto& entry : snapshot.entries)
        weights.push_back(entry.weight);
    plan.parts = allot(value - plan.fee, weights);

    const auto least = std::max<std::int64_t>(1, snapshot.dust.sat());
    std::size_t p2pkh = 0;
    plan.carried = value;
    for (const auto& claim : claims_of(snapshot, plan.parts, pays_dues)) {
        if (plan.outputs.size() == snapshot.max_outputs || plan.carried.sat() < least) break;
        if (chain::is_p2pkh(snapshot.entries[claim.entry].script) && p2pkh++ >= kMostP2pkhOutputs) {
            continue;
        }
        const auto amount = chain::Amount::of(std::min(claim.sat, plan.carried.sat()));
        plan.outputs.push_back({claim.entry, amount});
        plan.carried -= amount;
    }
    return plan;
}

base::Bytes script_of_account(std::string_view account) {
    for (const auto network : {chain::Network::main, chain::Network::testnet4,
                               chain::Network::signet, chain::Network::regtest}) {
        if (auto script = chain::script_of_address(account, chain::params(network))) {
            return std::move(*script);
        }
    }
    return {};
}

}  // namespace adit::job
