// Consensus rules of single transactions (Bitcoin Core's consensus/tx_check and tx_verify). Pure.
#pragma once

#include "sim/coins.h"
#include "sim/verdict.h"

#include <expected>
#include <functional>

namespace adit::sim {

inline constexpr std::int64_t kCoin = 100'000'000;
inline constexpr std::int64_t kMaxMoney = 21'000'000 * kCoin;
inline constexpr std::size_t kMaxBlockWeight = 4'000'000;
inline constexpr std::int64_t kMaxBlockSigopCost = 80'000;

// Rules that need nothing but the transaction.
Verdict check_transaction(const chain::Transaction& transaction);

// nLockTime: may be in a block of this height whose reference time is `time`.
bool is_final(const chain::Transaction& transaction, std::int32_t height, std::uint32_t time);

// The median time past of the main chain's block at a height.
using MedianTimeAt = std::function<std::uint32_t(std::int32_t height)>;

// BIP68: may be in a block of this height. All inputs' coins are in `coins`.
bool sequence_locks_met(const chain::Transaction& transaction, const CoinSource& coins,
                        std::int32_t height, const MedianTimeAt& median_time_at);

// Inputs exist, are mature and cover the outputs: the fee in satoshis, or the refusal.
std::expected<std::int64_t, Verdict> check_inputs(const chain::Transaction& transaction,
                                                  const CoinSource& coins, std::int32_t height,
                                                  std::int32_t coinbase_maturity);

// Below this value an output is not worth spending at 3 sat/vB, and no mempool takes it (Bitcoin
// Core's policy); 0 for outputs that cannot be spent.
std::int64_t dust_threshold_sat(base::ByteSpan script);

// The highest sequence number by which an input signals BIP125.
inline constexpr std::uint32_t kReplaceableSequence = 0xfffffffd;
bool signals_replacement(const chain::Transaction& transaction);

// All signatures; check_inputs() was passed.
bool check_scripts(const chain::Transaction& transaction, const CoinSource& coins, bool segwit);
std::int64_t sigop_cost_of(const chain::Transaction& transaction, const CoinSource& coins,
                           bool segwit);

}  // namespace adit::sim
