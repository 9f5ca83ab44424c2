// Blocks with one property each, and the verdict they deserve: the table by which the embedded
// chain is tested, and compared with another full node. Each is made on the current tip of a chain
// whose early coinbases pay to `key`. Not thread-safe: used by one test.
#pragma once

#include "sim/signer.h"
#include "sim/sim_chain.h"

#include <functional>
#include <string_view>
#include <vector>

namespace adit::sim {

// Builds blocks and spends on a chain.
class CaseBuilder {
 public:
    explicit CaseBuilder(const SimChain& chain);

    const SimChain& chain() const { return chain_; }
    const SimKey& key() const { return key_; }

    // A good block without transactions, not yet mined.
    chain::Block base() const;
    // The same with these transactions and their fees claimed.
    chain::Block with(std::vector<chain::Transaction> transactions, std::int64_t fees_sat) const;
    // Recomputes commitments and mines.
    chain::Block finish(chain::Block block) const;
    // Mines the header as it stands.
    chain::Block mine(chain::Block block) const;

    // The oldest mature coinbase output that pays the key and is unspent.
    struct Spendable {
        chain::OutPoint outpoint;
        chain::TxOutput output;
    };
    Spendable mature_coin() const;
    // An immature one.
    Spendable immature_coin() const;
    // Unsigned; one input, one output to the key's P2WPKH script.
    chain::Transaction unsigned_spend(const Spendable& coin, std::int64_t fee_sat) const;
    // Signed.
    chain::Transaction spend(const Spendable& coin, std::int64_t fee_sat = kFee) const;
    // Signed; spends output 0 of a transaction made by spend().
    chain::Transaction spend_again(const chain::Transaction& parent,
                                   std::int64_t fee_sat = kFee) const;

    static constexpr std::int64_t kFee = 10'000;

 private:
    const SimChain& chain_;
    SimKey key_;
};

// Mines blocks that pay the builder's key until the chain has this height; each is handed to
// `also`, which may be empty.
void grow_to(SimChain& chain, std::int32_t height,
             const std::function<void(const chain::Block&)>& also = {});

// Under which rules a case has the verdict it is listed with.
enum class CaseNeeds { nothing, segwit, no_segwit, bip34, no_bip34, csv };

struct BlockCase {
    std::string_view name;
    CaseNeeds needs = CaseNeeds::nothing;
    Verdict verdict = Verdict::accepted;
    // What bcoin answers: its reason, "" for accepted. nullopt: the words of `verdict`.
    std::optional<std::string_view> bcoin;
    // The block is the last of these; those before are judged first (their verdicts do not matter).
    std::function<std::vector<chain::Block>(const CaseBuilder&)> make;
};

// Those refused first, so that the tip stays; then those that move it.
std::vector<BlockCase> block_cases();

// True when the rules for the next block of this chain are those that the case needs.
bool applies(const BlockCase& row, const SimChain& chain);

}  // namespace adit::sim
