#include "stratum/shard.h"

#include "stratum/miner_state.h"

#include <pthread.h>

namespace adit::stratum {
namespace {

constexpr std::size_t kHeldLines = 64;  // of a connection that waits for its old one to be closed
constexpr std::uint64_t kLastWordsMs = 5'000;  // for shares under way when a connection is closed

}  // namespace

ServerMetrics::ServerMetrics(metrics::Registry& registry)
    : accepted(registry.counter("adit_stratum_shares_accepted_total",
                                "Shares that are durable and were answered true")),
      blocks(registry.counter("adit_stratum_blocks_found_total",
                              "Shares that met the network target")),
      bans(registry.counter("adit_stratum_bans_total", "Connections banned for sustained garbage")),
      banned(registry.gauge("adit_stratum_banned", "Bans in force")),
      resumed(registry.counter("adit_stratum_sessions_resumed_total",
                               "Sessions that got their extranonce1 back")),
      reaped_half_open(registry.counter("adit_stratum_reaped_total",
                                        "Connections reset because they were due, by kind",
                                        {{"kind", "half_open"}})),
      reaped_idle(registry.counter("adit_stratum_reaped_total",
                                   "Connections reset because they were due, by kind",
                                   {{"kind", "idle"}})),
      ack_ms(registry.histogram("adit_stratum_share_ack_ms",
                                "From a share's arrival to its reply, in milliseconds",
                                metrics::latency_bounds_ms())),
      work(registry.gauge("adit_stratum_accepted_difficulty",
                          "Sum of the difficulties of accepted shares since start")) {
    for (std::size_t i = 0; i < refused.size(); ++i) {
        const auto reason = share::label(static_cast<share::Refusal>(i));
        refused[i] = &registry.counter("adit_stratum_shares_refused_total",
                                       "Shares that were refused, by reason",
                                       {{"reason", std::string(reason)}});
    }
}

Shard::Shard(std::size_t index, ShardParts parts, std::shared_ptr<const SessionSettings> settings)
    : index_(index),
      parts_(parts),
      loop_(parts.clock, parts.net_metrics),
      settings_(std::move(settings)) {
    loop_.on_turn_end([this] {
        judge();
        end_condemned();
        record();
        if (draining_) finish_drain();
    });
    loop_.every(1000, [this] { tick(); });
}

Shard::~Shard() {
    begin_stop(0);
    join();
}

std::expected<net::Address, std::string> Shard::listen(const net::Address& address,
                                                       net::ConnectionSettings settings,
                                                       net::ListenerOptions options) {
    settings.handler = this;
    settings.admit = [this](const net::Address& peer) {
        return !draining_ && !parts_.bans.address_banned(peer.ip_text(), loop_.now_ms());
    };
    auto listener = net::Listener::open(loop_, address, std::move(settings), options);
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(std::move(*listener));
    return listeners_.back()->address();
}

void Shard::start() {
    thread_ = std::jthread([this] {
        pthread_setname_np(pthread_self(), fmt::format("shard-{}", index_).c_str());
        loop_.run();
    });
}

void Shard::begin_stop(std::int64_t linger_ms) {
    if (thread_.joinable()) loop_.stop(linger_ms);
}

void Shard::join() {
    if (thread_.joinable()) thread_.join();
}

// ---- connections

bool Shard::on_open(net::Connection& connection) {
    connection.set_state(
        std::make_unique<Miner>(static_cast<SessionHost&>(*this), moment(), connection.id()));
    return true;
}

void Shard::on_line(net::Connection& connection, std::string_view line) {
    auto& miner = *connection.state<Miner>();
    if (miner.closing) return on_late_line(connection, line);
    if (miner.held) {
        // The answer to this connection's subscribe waits for another shard.
        if (miner.held->size() >= kHeldLines) {
            return connection.abort(net::CloseReason::protocol_error);
        }
        miner.held->emplace_back(line);
        return;
    }
    if (wait_for_other_shard(connection, miner, line)) return;
    serve(connection, miner, line);
}

void Shard::serve(net::Connection& connection, Miner& miner, std::string_view line) {
    out_.clear();
    serving_ = &miner;
    const auto action = miner.session.on_line(line, moment(), out_);
    serving_ = nullptr;
    if (!out_.empty()) connection.send(out_);
    act(connection, miner, action);
}

// It may still be a block.
void Shard::on_late_line(net::Connection& connection, std::string_view line) {
    auto* const miner = connection.state<Miner>();
    if (miner == nullptr) return;
    serving_ = miner;
    miner->session.on_late_line(line, moment());
    serving_ = nullptr;
}

// A miner that ended its side may still wait for the replies to its last shares.
void Shard::on_input_end(net::Connection& connection) {
    auto& miner = *connection.state<Miner>();
    if (!miner.closing) close_when_answered(connection, miner, net::CloseReason::peer);
}

void Shard::on_protocol_error(net::Connection& connection, net::ProtocolError) {
    auto& miner = *connection.state<Miner>();
    if (miner.closing) return;
    out_.clear();
    const auto action = miner.session.on_line_too_long(out_);
    connection.send(out_);
    act(connection, miner, action == Action::none ? Action::close : action);
}

void Shard::on_deadline(net::Connection& connection) {
    connection.abort(net::CloseReason::timeout);
}

void Shard::on_closed(net::Connection& connection, net::CloseReason reason) {
    auto& miner = *connection.state<Miner>();
    if (const auto& memory = miner.session.memory(); memory && !miner.gave_up) {
        miner.session.park();
        parts_.sessions.release(memory, place_of(connection.id()), miner.session.working(),
                                loop_.now_ms());
    }
    if (parts_.log.enabled(base::LogLevel::debug)) {
        parts_.log.debug("stratum", "connection closed",
                         {{"peer", connection.peer().text()}, {"reason", net::name_of(reason)}});
    }
}

void Shard::act(net::Connection& connection, Miner& miner, Action action) {
    switch (action) {
        case Action::none:
            return;
        case Action::close:
            return close_when_answered(connection, miner, net::CloseReason::protocol_error);
        case Action::reset: {
            const bool opened = miner.session.subscribed() && miner.session.authorized();
            (opened ? parts_.metrics.reaped_idle : parts_.metrics.reaped_half_open).add();
            return connection.abort(net::CloseReason::timeout);
        }
        case Action::ban:
            return ban(connection, miner);
    }
}

void Shard::ban(net::Connection& connection, Miner& miner) {
    if (miner.condemned) return;
    std::vector<WorkerName> names;
    for (const auto& worker : miner.session.workers())
        names.push_back(worker.name);
    parts_.bans.ban(connection.peer().ip_text(), names, loop_.now_ms(), parts_.ban_ms);
    parts_.metrics.bans.add();
    parts_.log.warning("stratum", "banned for sustained garbage",
                       {{"peer", connection.peer().text()}, {"agent", miner.session.agent()}});
    condemn(miner, net::CloseReason::banned);
}

void Shard::condemn(Miner& miner, net::CloseReason reason) {
    if (miner.condemned) return;
    miner.closing = true;
    miner.condemned = true;
    condemned_.emplace_back(miner.id, reason);
}

// Blocks that have arrived behind what a connection is reset for are not lost with it.
void Shard::end_condemned() {
    const auto condemned = std::exchange(condemned_, {});
    if (condemned.empty()) return;
    for (const auto& [id, reason] : condemned) {
        if (auto* connection = loop_.find(id)) connection->take_arrived();
    }
    judge();
    for (const auto& [id, reason] : condemned) {
        if (auto* connection = loop_.find(id)) connection->abort(reason);
    }
}

void Shard::close_when_answered(net::Connection& connection, Miner& miner,
                                net::CloseReason reason) {
    miner.closing = true;
    miner.close_reason = reason;
    connection.expire_in(kLastWordsMs);
    close_if_answered(connection, miner);
}

void Shard::close_if_answered(net::Connection& connection, Miner& miner) {
    if (!miner.closing || miner.condemned) return;
    if (miner.session.in_flight() != 0 || miner.judging != 0) return;
    connection.close_gracefully(miner.close_reason);
}

Shard::Miner* Shard::miner_at(net::ConnectionId id, net::Connection** connection) {
    *connection = loop_.find(id);
    return *connection == nullptr ? nullptr : (*connection)->state<Miner>();
}

// ---- subscribe and resume

// A subscribe that offers the token of a session on another shard waits until that shard has closed
// the old connection. True: the line was kept and will be served then.
bool Shard::wait_for_other_shard(net::Connection& connection, Miner& miner, std::string_view line) {
    if (parts_.shards.size() == 1 || miner.session.subscribed() || line.size() > 512 ||
        line.find("subscribe") == std::string_view::npos) {
        return false;
    }
    const auto token = find_token(line);
    const auto place = token ? parts_.sessions.find_live(*token) : std::nullopt;
    if (!place || place->shard == index_) return false;
    miner.held = std::make_unique<std::vector<std::string>>();
    miner.held->emplace_back(line);
    parts_.shards[place->shard]->release(*token, place->connection, *this,
                                         [this, id = connection.id()] { go_on(id); });
    return true;
}

void Shard::go_on(net::ConnectionId id) {
    net::Connection* connection = nullptr;
    auto* miner = miner_at(id, &connection);
    if (miner == nullptr || !miner->held) return;
    const auto held = std::move(miner->held);
    for (const auto& line : *held) {
        if (!connection->is_open() || miner->closing) return;
        serve(*connection, *miner, line);
    }
}

void Shard::release(SessionToken token, net::ConnectionId id, Shard& asker, net::Task done) {
    loop_.post([this, token, id, &asker, done = std::move(done)]() mutable {
        auto* connection = loop_.find_ending(id);
        if (connection != nullptr) {
            auto& miner = *connection->state<Miner>();
            if (miner.session.memory() && miner.session.memory()->token == token) {
                judge();
                let_go(*connection, miner);
            }
        }
        asker.loop_.post(std::move(done));
    });
}

// Gives up the memory of a session that goes on elsewhere; its shares were judged. The connection
// may have ended in this turn already.
void Shard::let_go(net::Connection& connection, Miner& miner) {
    miner.session.park();
    parts_.sessions.release(miner.session.memory(), place_of(miner.id), true, loop_.now_ms());
    miner.gave_up = true;
    if (connection.is_open()) return condemn(miner, net::CloseReason::server);
    miner.closing = true;
    connection.abort(net::CloseReason::server);
}

Subscription Shard::subscribe(Session& session, std::optional<SessionToken> token) {
    const auto place = place_of(serving_->id);
    if (token) {
        if (const auto live = parts_.sessions.find_live(*token);
            live && live->shard == index_ && live->connection != serving_->id) {
            judge();  // the old connection's shares are judged with its memory
            if (auto* old = loop_.find_ending(live->connection); old != nullptr) {
                let_go(*old, *old->state<Miner>());
            }
        }
        if (auto memory = parts_.sessions.resume(*token, place, loop_.now_ms())) {
            parts_.metrics.resumed.add();
            return {std::move(memory), true};
        }
    }
    if (session.memory()) return {session.memory(), false};
    return {parts_.sessions.open(place), false};
}

bool Shard::banned(Session&, const WorkerName& name) {
    net::Connection* connection = nullptr;
    miner_at(serving_->id, &connection);
    return parts_.bans.name_banned(connection->peer().ip_text(), name, loop_.now_ms());
}

void Shard::on_working(Session& session) {
    if (!parts_.log.enabled(base::LogLevel::debug) || serving_ == nullptr) return;
    net::Connection* connection = nullptr;
    if (miner_at(serving_->id, &connection) == nullptr) return;
    parts_.log.debug("stratum", "miner works",
                     {{"peer", connection->peer().text()},
                      {"worker", session.workers().front().spelling},
                      {"agent", session.agent()}});
}

// ---- from other threads

void Shard::set_job(job::JobRef job) {
    loop_.post([this, job = std::move(job)] { broadcast(job); });
}

void Shard::reload(std::shared_ptr<const SessionSettings> settings) {
    loop_.post(
        [this, settings = std::move(settings)]() mutable { settings_ = std::move(settings); });
}

void Shard::stop_accepting() {
    loop_.post([this] {
        for (auto& listener : listeners_)
            listener->close();
    });
}

void Shard::drain() {
    loop_.post([this] {
        draining_ = true;
        for (auto& listener : listeners_)
            listener->close();
    });
}

void Shard::finish_drain() {
    if (drained_ || !in_flight_.empty() || !shares_.empty() || unkept_ != 0) return;
    loop_.for_each([](net::Connection& connection) {
        connection.close_gracefully(net::CloseReason::shutdown);
    });
    drained_ = true;
}

void Shard::broadcast(const job::JobRef& job) {
    const auto now = moment();
    judge();  // shares that arrived before the job are judged as such
    book_.add(job, now.steady_ms);
    oldest_current_ = book_.oldest_current(now.steady_ms);
    loop_.for_each([&](net::Connection& connection) {
        auto* miner = connection.state<Miner>();
        if (miner == nullptr || miner->closing || !connection.is_open()) return;
        if (miner->session.wants_plain_broadcast(*job)) {
            connection.send_now(job->broadcast_line);
            miner->session.on_plain_broadcast(*job, now);
            return;
        }
        out_.clear();
        miner->session.on_job(*job, now, out_);
        if (!out_.empty()) connection.send_now(out_);
    });
}

void Shard::tick() {
    const auto now = moment();
    ShardCounts counts;
    book_.expire(now.steady_ms);
    oldest_current_ = book_.oldest_current(now.steady_ms);
    loop_.for_each([&](net::Connection& connection) {
        auto* miner = connection.state<Miner>();
        if (miner == nullptr || !connection.is_open()) return;
        auto& session = miner->session;
        ++counts.connections;
        counts.subscribed += session.subscribed();
        counts.authorized += session.working();
        if (session.working()) counts.hashrate += session.hashrate(now);
        if (miner->closing) return;
        out_.clear();
        const auto action = session.on_tick(now, out_);
        if (!out_.empty()) connection.send(out_);
        act(connection, *miner, action);
    });
    if (index_ == 0) {
        parts_.sessions.expire(now.steady_ms);
        parts_.metrics.banned.set(static_cast<double>(parts_.bans.expire(now.steady_ms)));
    }
    const std::lock_guard lock(counts_mutex_);
    counts_ = counts;
}

ShardCounts Shard::counts() const {
    const std::lock_guard lock(counts_mutex_);
    return counts_;
}

void Shard::sweep(std::function<void()> done) {
    loop_.post([this, done = std::move(done)] {
        tick();
        done();
    });
}

void Shard::visit_workers(std::size_t limit,
                          std::function<void(std::vector<WorkerSnapshot>)> done) {
    loop_.post([this, limit, done = std::move(done)] {
        std::vector<WorkerSnapshot> workers;
        const auto now = moment();
        loop_.for_each([&](net::Connection& connection) {
            if (const auto* miner = connection.state<Miner>(); miner != nullptr) {
                append_workers(*miner, connection, now, limit, workers);
            }
        });
        done(std::move(workers));
    });
}

}  // namespace adit::stratum
