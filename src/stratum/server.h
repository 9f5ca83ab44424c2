// The Stratum server: shards, their listeners, and what they share. Implements StratumServer. The
// parts handed in outlive it.
#pragma once

#include "net/limits.h"
#include "stratum/shard.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace adit::stratum {

struct ListenSettings {
    std::string listen;           // host:port
    std::string tls_certificate;  // empty: plain TCP
    std::string tls_key;
    bool proxy_protocol = false;
};

struct ServerLimits {
    std::uint32_t miners = 1000;  // connections in total
    std::uint32_t per_ip = 0;     // 0: no limit
    std::uint32_t handshakes_per_s = 500;
    std::int64_t ban_ms = 600'000;
};

struct ServerSettings {
    std::vector<ListenSettings> listen;
    std::size_t shards = 1;
    std::uint32_t instance = 0;
    ServerLimits limits;
    std::shared_ptr<const SessionSettings> session;
};

class Server final : public StratumServer {
 public:
    Server(ServerSettings settings, share::Recorder& recorder, job::BlockSink& blocks,
           ExtranonceSource& extranonces, const base::Clock& clock, metrics::Registry& registry,
           base::Logger& log);
    ~Server() override;

    void start() override;
    void stop_accepting() override;
    bool drain(std::chrono::steady_clock::time_point deadline) override;
    void set_job(job::JobRef job) override;
    void reload(std::shared_ptr<const SessionSettings> settings) override;
    // New limits, in force from now on; connections above a lowered limit stay.
    void set_limits(const ServerLimits& limits);
    // Reads the TLS files again; sentences for the operator about those that stay as they were.
    std::vector<std::string> reload_certificates();
    // Ends now what is due to end (half-open and idle connections; the shards do so by themselves
    // once a second) and counts anew. Waits for the shards, a second at most.
    ServerSnapshot sweep();
    ServerSnapshot snapshot() const override;
    std::vector<WorkerSnapshot> workers(std::size_t limit) const override;

    // Sum of the difficulties of all shares accepted since the start.
    double accepted_difficulty() const { return metrics_.work.value(); }

    std::uint64_t accepted_shares() const { return metrics_.accepted.value(); }

    // What connections are admitted by; safe from any thread.
    net::ConnectionBudget& budget() { return budget_; }
    const net::PerAddressLimits& per_address() const { return per_address_; }
    const SessionRegistry& sessions() const { return sessions_; }

    // The addresses that are bound, in the order of the settings; after start().
    const std::vector<net::Address>& addresses() const { return addresses_; }

 private:
    void open_listener(const ListenSettings& listen);
    void stop_shards(std::int64_t linger_ms);

    ServerSettings settings_;
    net::Metrics net_metrics_;
    ServerMetrics metrics_;
    net::ConnectionBudget budget_;
    net::PerAddressLimits per_address_;
    net::HandshakeRate handshakes_;
    SessionRegistry sessions_;
    BanList bans_;
    std::atomic<std::int64_t> ban_ms_;
    std::atomic<job::JobId> job_{0};
    const base::Clock& clock_;
    base::Logger& log_;
    std::vector<std::shared_ptr<net::TlsContext>> tls_;
    std::vector<net::Address> addresses_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::jthread reserver_;  // keeps extranonces ahead of need
};

}  // namespace adit::stratum
