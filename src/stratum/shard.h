// One shard: an event loop on its own thread with the sessions that live on it. Gathers the shares
// of one turn, judges them together, hands the accepted ones to the recorder together, and answers
// them when they are durable. Everything but the functions marked otherwise runs on the loop's
// thread; shards talk to each other only by posting.
#pragma once

#include "base/log.h"
#include "net/listener.h"
#include "net/loop.h"
#include "share/share_processor.h"
#include "stratum/ban_list.h"
#include "stratum/session.h"
#include "stratum/session_registry.h"
#include "stratum/stratum_server.h"

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace adit::stratum {

class Shard;

struct BlockFate;
using BlockFateRef = std::shared_ptr<BlockFate>;
struct AwaitingCommit;

// Counters that all shards add to.
struct ServerMetrics {
    explicit ServerMetrics(metrics::Registry& registry);
    metrics::Counter& accepted;
    std::array<metrics::Counter*, share::kRefusalCount> refused{};
    metrics::Counter& blocks;
    metrics::Counter& bans;
    metrics::Gauge& banned;
    metrics::Counter& resumed;
    metrics::Counter& reaped_half_open;  // not subscribed and authorized in time
    metrics::Counter& reaped_idle;
    metrics::Histogram& ack_ms;  // from a share's arrival to its reply
    metrics::Gauge& work;        // sum of the difficulties of accepted shares
};

// What every shard uses and none owns. Outlives the shards.
struct ShardParts {
    share::Recorder& recorder;
    job::BlockSink& blocks;
    SessionRegistry& sessions;
    BanList& bans;
    const base::Clock& clock;
    base::Logger& log;
    net::Metrics& net_metrics;
    ServerMetrics& metrics;
    std::atomic<std::int64_t>& ban_ms;
    const std::vector<std::unique_ptr<Shard>>& shards;
};

// What a shard last counted, once a second.
struct ShardCounts {
    std::size_t connections = 0;
    std::size_t subscribed = 0;
    std::size_t authorized = 0;
    double hashrate = 0;
};

class Shard final : public net::ConnectionHandler, public share::CommitListener, SessionHost {
 public:
    Shard(std::size_t index, ShardParts parts, std::shared_ptr<const SessionSettings> settings);
    ~Shard() override;

    // Before start(): adds a listening socket.
    std::expected<net::Address, std::string> listen(const net::Address& address,
                                                    net::ConnectionSettings settings,
                                                    net::ListenerOptions options);
    void start();

    // From any thread:
    void set_job(job::JobRef job);
    void reload(std::shared_ptr<const SessionSettings> settings);
    void stop_accepting();
    // Takes no more shares (20, but blocks go out); when those under way are answered, closes every
    // connection, and drained() becomes true.
    void drain();
    bool drained() const { return drained_ || !thread_.joinable(); }
    // Stops the loop; closes in an orderly way for up to linger_ms, in which last replies arrive.
    void begin_stop(std::int64_t linger_ms);
    void join();
    ShardCounts counts() const;
    // Looks at every connection now instead of within a second: ends what is over, counts the rest.
    void sweep(std::function<void()> done);
    void visit_workers(std::size_t limit, std::function<void(std::vector<WorkerSnapshot>)> done);
    // Closes the connection that holds this token, if it still does, then runs `done` on `asker`.
    void release(SessionToken token, net::ConnectionId connection, Shard& asker, net::Task done);

 private:
    struct Miner;     // the state of one connection
    struct InFlight;  // shares handed to the recorder together

    // net::ConnectionHandler
    bool on_open(net::Connection& connection) override;
    void on_line(net::Connection& connection, std::string_view line) override;
    void on_late_line(net::Connection& connection, std::string_view line) override;
    void on_input_end(net::Connection& connection) override;
    void on_protocol_error(net::Connection& connection, net::ProtocolError error) override;
    void on_deadline(net::Connection& connection) override;
    void on_closed(net::Connection& connection, net::CloseReason reason) override;

    // share::CommitListener, on the recorder's thread
    void on_commit(std::uint64_t ticket, share::CommitResult result) override;

    // SessionHost
    const SessionSettings& settings() const override { return *settings_; }
    const job::JobBook& jobs() const override { return book_; }
    Subscription subscribe(Session& session, std::optional<SessionToken> token) override;
    bool banned(Session& session, const WorkerName& name) override;
    void submit(Session& session, PendingSubmit&& pending) override;
    void on_refused(Session& session, share::Refusal reason) override;
    void on_accepted(Session& session) override;
    void on_working(Session& session) override;

    void serve(net::Connection& connection, Miner& miner, std::string_view line);
    bool wait_for_other_shard(net::Connection& connection, Miner& miner, std::string_view line);
    void go_on(net::ConnectionId id);
    void act(net::Connection& connection, Miner& miner, Action action);
    void ban(net::Connection& connection, Miner& miner);
    void condemn(Miner& miner, net::CloseReason reason);
    void end_condemned();
    void close_when_answered(net::Connection& connection, Miner& miner, net::CloseReason reason);
    void close_if_answered(net::Connection& connection, Miner& miner);
    void let_go(net::Connection& connection, Miner& miner);

    void judge();
    void settle(std::size_t index, bool recorded, Moment now);
    // Null when this block was reported a moment ago already.
    BlockFateRef report_block(const PendingSubmit& pending, const Miner& miner,
                              const share::Verdict& verdict);
    // Fills in whose share this is. False when the log cannot take a new name.
    bool identify(Miner& miner, const SubmitTicket& ticket, share::PendingShare& share);
    void record();
    void answer(std::uint64_t ticket, share::CommitResult result);
    void answer(InFlight& batch, share::CommitResult result);
    void answer(const AwaitingCommit& share, share::CommitResult result);
    void on_kept(BlockFate& fate);
    void tick();
    void broadcast(const job::JobRef& job);
    void finish_drain();
    Miner* miner_at(net::ConnectionId id, net::Connection** connection);
    Moment moment() const { return {loop_.now_ms(), parts_.clock.wall_ms()}; }
    SessionPlace place_of(net::ConnectionId id) const { return {index_, id}; }

    const std::size_t index_;
    ShardParts parts_;
    net::Loop loop_;
    std::shared_ptr<const SessionSettings> settings_;
    job::JobBook book_;
    job::JobId oldest_current_ = 0;  // shares of older jobs are refused, so duplicates may go
    share::ShareProcessor processor_;
    std::vector<std::unique_ptr<net::Listener>> listeners_;

    // The shares of this turn, with the miner of each; three arrays of one length. A miner outlives
    // the turn that its connection ends in.
    std::vector<share::PendingShare> shares_;
    std::vector<PendingSubmit> pending_;
    std::vector<Miner*> senders_;
    std::vector<share::Verdict> verdicts_;
    std::vector<bool> recorded_;
    std::vector<BlockFateRef> fates_;  // of this turn's blocks; null for all other shares

    std::unique_ptr<InFlight> gathering_;
    std::deque<std::unique_ptr<InFlight>> in_flight_;
    std::vector<std::unique_ptr<InFlight>> spare_;
    std::uint64_t next_ticket_ = 1;
    std::size_t unkept_ = 0;  // committed shares whose block is not kept yet

    // The last blocks reported, so that a share sent again does not build its block again.
    std::array<chain::Hash256, 16> reported_{};
    std::size_t next_reported_ = 0;

    std::string out_;      // replies to the line being served
    std::string replies_;  // to shares; they may be judged while a line is being served
    Miner* serving_ = nullptr;
    // To be reset at the end of the turn, after a last look at what they have sent.
    std::vector<std::pair<net::ConnectionId, net::CloseReason>> condemned_;
    bool draining_ = false;
    std::atomic<bool> drained_{false};
    mutable std::mutex counts_mutex_;
    ShardCounts counts_;
    std::jthread thread_;
};

}  // namespace adit::stratum
