// What a pool told a miner to work on, and what the miner found. Plain values; a published PoolJob
// is immutable and shared between the connection and the hashing threads.
#pragma once

#include "base/bytes.h"
#include "chain/hash.h"
#include "chain/target.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace adit::miner {

// One mining.notify together with the state of the connection that it is to be mined with.
struct PoolJob {
    std::string id;
    chain::Hash256 previous;  // internal order
    base::Bytes coinbase1;
    base::Bytes coinbase2;
    std::vector<chain::Hash256> branches;
    std::uint32_t version = 0;
    std::uint32_t bits = 0;
    std::uint32_t ntime = 0;
    bool clean = false;

    base::Bytes extranonce1;
    std::size_t extranonce2_size = 0;
    std::uint32_t version_mask = 0;  // bits that may be rolled, 0: none
    chain::Difficulty difficulty;    // of shares, as in force when the job came
    chain::Target share_target;
    chain::Target network_target;  // of `bits`
};
using PoolJobRef = std::shared_ptr<const PoolJob>;

// A header whose hash meets the job's share target.
struct Share {
    PoolJobRef job;
    base::Bytes extranonce2;
    std::uint32_t ntime = 0;
    std::uint32_t nonce = 0;
    std::uint32_t version = 0;  // the full version of the header
    chain::Hash256 hash;
    bool block = false;  // meets the network target too
};

enum class ShareOutcome : std::uint8_t {
    accepted,
    rejected,
    known,  // refused as a duplicate of itself: sent again after a lost connection
    lost,   // the connection ended before an answer and the share could not be sent again
};

// The pool's answer to one share.
struct ShareReply {
    Share share;
    ShareOutcome outcome = ShareOutcome::accepted;
    int code = 0;        // Stratum error code of a rejection, 0 when the pool gave none
    std::string reason;  // the pool's words, empty when accepted
};

}  // namespace adit::miner
