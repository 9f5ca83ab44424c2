// What a shard keeps with one connection, and small functions on it. Internal to the shard.
#pragma once

#include "stratum/shard.h"

namespace adit::stratum {

struct Shard::Miner final : net::ConnectionState {
    Miner(SessionHost& host, Moment now, net::ConnectionId connection)
        : session(host, now), id(connection) {}

    Session session;
    net::ConnectionId id;
    // Lines that wait for another shard to give up this miner's old connection; usually null.
    std::unique_ptr<std::vector<std::string>> held;
    std::int64_t noted_good_ms = -1;  // when the ban list last heard of an accepted share
    std::uint32_t judging = 0;        // shares of this turn
    bool gave_up = false;             // the memory belongs to another session now
    bool closing = false;             // no more lines; closed when everything is answered
    bool condemned = false;           // reset at the end of this turn
    net::CloseReason close_reason = net::CloseReason::protocol_error;  // that will be told then
};

// What is known of a block while its share waits: `true` is told only when no crash can lose the
// block any more, so its share may have to wait beyond its commit. Touched on the shard's thread.
struct BlockFate {
    bool kept = false;
    // The share, once committed, and how it has to be answered.
    std::function<void()> answer;
};

// A share that was accepted and waits for the disk. `answer` false: it was refused, and is recorded
// only because it is a block.
struct AwaitingCommit {
    net::ConnectionId sender;
    SubmitTicket ticket;
    double difficulty = 0;
    bool answer = true;
    BlockFateRef block;  // of a share that is a block; usually null
};

struct Shard::InFlight {
    std::uint64_t ticket = 0;
    share::ShareBatch batch;  // empty once the recorder has it
    std::vector<AwaitingCommit> waiting;
    std::int64_t handed_ns = 0;
};

// The first text of exactly 32 hex digits in a line: the session token that a subscribe offers.
std::optional<SessionToken> find_token(std::string_view line);
// Appends this connection's workers until there are `limit`.
template <class Miner>
void append_workers(const Miner& miner, const net::Connection& connection, Moment now,
                    std::size_t limit, std::vector<WorkerSnapshot>& workers) {
    bool first = true;
    for (const auto& worker : miner.session.workers()) {
        if (workers.size() >= limit) return;
        auto& row = workers.emplace_back();
        row.account = worker.name.account;
        row.worker = worker.name.worker;
        row.agent = miner.session.agent();
        row.peer = connection.peer().text();
        row.difficulty = miner.session.difficulty().value();
        row.hashrate = first ? miner.session.hashrate(now) : 0;
        row.accepted = worker.accepted;
        row.refused = worker.refused;
        row.connected_ms = now.steady_ms - miner.session.connected_ms();
        row.last_share_ms = worker.last_share_ms == 0 ? -1 : now.steady_ms - worker.last_share_ms;
        first = false;
    }
}

}  // namespace adit::stratum
