#include "stratum/server.h"

#include "base/wait.h"
#include "net/tls.h"

#include <condition_variable>
#include <stdexcept>

namespace adit::stratum {
namespace {

constexpr std::size_t kMaxBans = 100'000;
constexpr std::size_t kMaxReleased = 65'536;      // sessions kept for a resume
constexpr std::int64_t kLingerMs = 1'200;         // a graceful close takes up to 1 s
constexpr std::size_t kOutputBytes = 256 * 1024;  // unsent, of one connection

}  // namespace

Server::Server(ServerSettings settings, share::Recorder& recorder, job::BlockSink& blocks,
               ExtranonceSource& extranonces, const base::Clock& clock, metrics::Registry& registry,
               base::Logger& log)
    : settings_(std::move(settings)),
      net_metrics_(registry),
      metrics_(registry),
      budget_(settings_.limits.miners),
      per_address_(settings_.limits.per_ip),
      handshakes_(settings_.limits.handshakes_per_s),
      sessions_(extranonces, settings_.instance, kMaxReleased),
      bans_(kMaxBans),
      ban_ms_(settings_.limits.ban_ms),
      clock_(clock),
      log_(log) {
    const ShardParts parts{recorder, blocks,       sessions_, bans_,   clock_,
                           log_,     net_metrics_, metrics_,  ban_ms_, shards_};
    for (std::size_t i = 0; i < settings_.shards; ++i) {
        shards_.push_back(std::make_unique<Shard>(i, parts, settings_.session));
    }
}

Server::~Server() {
    stop_shards(0);
}

void Server::stop_shards(std::int64_t linger_ms) {
    for (auto& shard : shards_)
        shard->begin_stop(linger_ms);
    for (auto& shard : shards_)
        shard->join();
}

void Server::start() {
    for (const auto& listen : settings_.listen)
        open_listener(listen);
    reserver_ = std::jthread([this](std::stop_token stop) { sessions_.keep_ahead(stop); });
    for (auto& shard : shards_)
        shard->start();
}

void Server::open_listener(const ListenSettings& listen) {
    const auto fail = [&](const std::string& why) {
        throw std::runtime_error(fmt::format("cannot listen on {}: {}", listen.listen, why));
    };
    const auto endpoint = net::Endpoint::parse(listen.listen);
    if (!endpoint) fail(std::string(net::describe(endpoint.error())));
    const auto resolved = net::resolve(*endpoint);
    if (!resolved) fail(resolved.error());
    net::ConnectionSettings connection;
    connection.metrics = &net_metrics_;
    connection.budget = &budget_;
    connection.per_address = &per_address_;
    connection.proxy_protocol = listen.proxy_protocol;
    connection.max_line = static_cast<std::uint32_t>(settings_.session->line_limit_bytes);
    // Only the transactions of a job need more; they cannot be turned on without a restart.
    const auto reply = settings_.session->transactions ? settings_.session->output_limit_bytes : 0;
    connection.max_output = static_cast<std::uint32_t>(kOutputBytes + reply);
    if (!listen.tls_certificate.empty()) {
        auto tls = net::TlsContext::server(listen.tls_certificate, listen.tls_key);
        if (!tls) fail(tls.error());
        connection.tls = *tls;
        tls_.push_back(*tls);
    }
    net::ListenerOptions options;
    options.handshakes = &handshakes_;
    auto address = resolved->front();
    if (const auto free = net::check_free(address); !free) fail(free.error());
    for (auto& shard : shards_) {
        // With port 0 the first shard picks the port and the others share it.
        const auto bound = shard->listen(address, connection, options);
        if (!bound) fail(bound.error());
        address = *bound;
    }
    addresses_.push_back(address);
}

void Server::stop_accepting() {
    for (auto& shard : shards_)
        shard->stop_accepting();
}

bool Server::drain(std::chrono::steady_clock::time_point deadline) {
    for (auto& shard : shards_)
        shard->drain();
    const auto all_drained = [&] {
        return std::all_of(shards_.begin(), shards_.end(),
                           [](const auto& shard) { return shard->drained(); });
    };
    const auto end_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline.time_since_epoch()).count();
    const bool answered = base::wait_until(clock_, end_ms, all_drained);
    // What was written last reaches its miner, also when the deadline has passed.
    stop_shards(kLingerMs);
    return answered;
}

void Server::set_job(job::JobRef job) {
    job_ = job->id;
    for (auto& shard : shards_)
        shard->set_job(job);
}

void Server::reload(std::shared_ptr<const SessionSettings> settings) {
    for (auto& shard : shards_)
        shard->reload(settings);
}

void Server::set_limits(const ServerLimits& limits) {
    budget_.set_max(limits.miners);
    per_address_.set_max(limits.per_ip);
    handshakes_.set_per_s(limits.handshakes_per_s);
    ban_ms_ = limits.ban_ms;
}

std::vector<std::string> Server::reload_certificates() {
    std::vector<std::string> problems;
    for (const auto& tls : tls_) {
        if (const auto result = tls->reload(); !result) problems.push_back(result.error());
    }
    return problems;
}

ServerSnapshot Server::snapshot() const {
    ServerSnapshot snapshot;
    for (const auto& shard : shards_) {
        const auto counts = shard->counts();
        snapshot.connections += counts.connections;
        snapshot.subscribed += counts.subscribed;
        snapshot.authorized += counts.authorized;
        snapshot.hashrate += counts.hashrate;
    }
    snapshot.accepted = metrics_.accepted.value();
    for (std::size_t i = 0; i < snapshot.refused.size(); ++i) {
        snapshot.refused[i] = metrics_.refused[i]->value();
    }
    snapshot.job = job_;
    return snapshot;
}

ServerSnapshot Server::sweep() {
    struct Answers {
        std::mutex mutex;
        std::condition_variable changed;
        std::size_t count = 0;
    };
    // Shared with the shards, which may answer after the wait has ended.
    const auto answers = std::make_shared<Answers>();
    for (const auto& shard : shards_) {
        shard->sweep([answers] {
            const std::lock_guard lock(answers->mutex);
            ++answers->count;
            answers->changed.notify_all();
        });
    }
    {
        std::unique_lock lock(answers->mutex);
        answers->changed.wait_for(lock, std::chrono::seconds(1),
                                  [&] { return answers->count == shards_.size(); });
    }
    return snapshot();
}

std::vector<WorkerSnapshot> Server::workers(std::size_t limit) const {
    struct Gathered {
        std::mutex mutex;
        std::condition_variable changed;
        std::vector<WorkerSnapshot> workers;
        std::size_t answered = 0;
    };
    // Shared with the shards, which may answer after the wait has ended.
    const auto gathered = std::make_shared<Gathered>();
    for (const auto& shard : shards_) {
        shard->visit_workers(limit, [gathered](std::vector<WorkerSnapshot> workers) {
            const std::lock_guard lock(gathered->mutex);
            std::move(workers.begin(), workers.end(), std::back_inserter(gathered->workers));
            ++gathered->answered;
            gathered->changed.notify_all();
        });
    }
    std::unique_lock lock(gathered->mutex);
    gathered->changed.wait_for(lock, std::chrono::seconds(1),
                               [&] { return gathered->answered == shards_.size(); });
    auto workers = gathered->workers;
    if (workers.size() > limit) workers.resize(limit);
    return workers;
}

}  // namespace adit::stratum
