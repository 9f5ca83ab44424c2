// A job: everything a miner is sent and everything the pool needs to judge a share of it and to
// build the block. Immutable once published; shared by all shards.
#pragma once

#include "chain/sha256.h"
#include "job/template.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::job {

using JobId = std::uint64_t;  // counts up, never reused in one data directory

// BIP320: the version bits that miners may roll.
inline constexpr std::uint32_t kVersionRollingMask = 0x1fffe000;
inline constexpr std::size_t kExtranonce1Size = 4;
inline constexpr std::size_t kExtranonce2Size = 8;
inline constexpr std::size_t kSignatureLimit = 60;  // bytes of the operator's tag in the coinbase

struct Job {
    JobId id = 0;
    TemplateRef source;

    // The coinbase without witness is head ++ variant (1) ++ extranonce1 (4) ++ extranonce2 (8) ++
    // tail. Stratum's coinb1 is head ++ variant, its coinb2 is tail.
    base::Bytes coinbase_head;
    base::Bytes coinbase_tail;
    // Whom the outputs pay: 0, the pool's own script alone; otherwise as this snapshot's weights
    // say, and its dues where `pays_dues`. With `pays_finder` the first output's script is that of
    // the account which submits the share, and coinbase_tail has the pool's own in its place.
    std::uint64_t snapshot = 0;
    bool pays_dues = false;
    bool pays_finder = false;
    std::vector<chain::Hash256> branches;

    std::uint32_t version = 0;  // with the rolling mask cleared
    std::uint32_t bits = 0;
    std::uint32_t ntime = 0;
    std::uint32_t min_time = 0;
    chain::Target network_target;
    chain::Difficulty network_difficulty;  // never asks more than network_target
    bool clean = false;                    // a new previous block: miners drop all other work
    std::uint64_t tip = 0;                 // counts changes of the previous block; equal = same tip
    std::int64_t created_ms = 0;           // steady clock

    // Derived once: hash state of the whole 64-byte blocks of coinbase_head, and the head's rest.
    chain::Sha256Midstate midstate;
    base::Bytes head_rest;
    // coinbase_tail with SHA-256's padding and length, so that midstate, head_rest, variant,
    // extranonces and this are the coinbase's message in whole blocks.
    base::Bytes padded_tail;

    // mining.notify in three pieces; a line is
    //   notify_a ++ hex(job id) "." hex(variant) ++ notify_b ++ hex(variant) ++ notify_c
    // where notify_b ends inside coinb1 and notify_c begins with its closing quote. notify_c has
    // the clean flag of `clean`; notify_c_clean the same with true (first job of a connection).
    std::string notify_a, notify_b, notify_c, notify_c_clean;
    // The finished line with variant 0, as broadcast to everybody.
    std::string broadcast_line;
};
using JobRef = std::shared_ptr<const Job>;

// Fills in everything that follows from the other fields: network_target and network_difficulty
// from bits, the hash state and the notify pieces. False when bits encode no target. For JobMaker,
// and for whoever rebuilds a job from its record.
bool derive(Job& job);

// Lower-case hex without leading zeroes, as in "1f.0".
std::string job_id_text(JobId id, std::uint8_t variant);
struct ParsedJobId {
    JobId id;
    std::uint8_t variant;
};
// "JOB.VARIANT" in hex of either case; nullopt for anything else.
std::optional<ParsedJobId> parse_job_id(std::string_view text);

// The mining.notify line (with line feed) of a job for one connection.
std::string notify_line(const Job& job, std::uint8_t variant, bool clean);

// What a miner chose for one share.
struct HeaderChoice {
    std::uint8_t variant = 0;
    std::uint32_t extranonce1 = 0;                             // big-endian on the wire
    std::array<std::uint8_t, kExtranonce2Size> extranonce2{};  // wire order
    std::uint32_t ntime = 0;
    std::uint32_t nonce = 0;
    std::uint32_t version = 0;  // the full version of the header
};

// The coinbase without witness for this choice, the header, and the whole serialised block (with
// the coinbase witness when the template is segwit). Slow paths: blocks and audits only.
base::Bytes coinbase_of(const Job& job, const HeaderChoice& choice);
chain::BlockHeader header_of(const Job& job, const HeaderChoice& choice);
base::Bytes block_of(const Job& job, const HeaderChoice& choice);

}  // namespace adit::job
