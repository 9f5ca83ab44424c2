// What an operator may set about the protocol. Immutable once published: a shard swaps the whole
// object on reload and its sessions take the new values at their next retarget, without dropping.
#pragma once

#include "chain/network.h"
#include "job/job.h"

#include <cstdint>

namespace adit::stratum {

struct SessionSettings {
    chain::Network network = chain::Network::main;  // whose addresses may be paid

    // Difficulties are wire values: rounded down to an integer from 1 up.
    double difficulty_start = 1024;
    double difficulty_min = 1;
    double difficulty_max = 0;  // 0: the network difficulty, which bounds it in any case
    double share_interval_s = 10;

    std::uint32_t version_mask = job::kVersionRollingMask;  // offered to miners; a subset of BIP320
    bool transactions = false;  // whether mining.get_transactions is answered

    std::size_t line_limit_bytes = 16 * 1024;
    // The longest reply to mining.get_transactions; a longer one is refused.
    std::size_t output_limit_bytes = 1024 * 1024;
    std::size_t workers_per_connection = 64;
    // Only names of the address that was authorized first: the connection's coinbases pay that.
    bool one_address = false;
    std::uint32_t shares_in_flight = 4096;  // of one connection, accepted but not yet committed

    std::int64_t notify_interval_ms = 30'000;    // of silence, after which the job is sent again
    std::int64_t handshake_timeout_ms = 60'000;  // to be subscribed and authorized
    std::int64_t idle_timeout_ms = 3'600'000;    // without any line from the miner

    // A connection is banned for sustained garbage: this many bad requests within the window, and
    // ten times as many as accepted shares. Duplicates and stale shares never count.
    std::uint32_t garbage_limit = 200;
    std::int64_t garbage_window_ms = 60'000;
};

}  // namespace adit::stratum
