// The configuration file: one TOML document, every key listed in docs/configuration.md. Reading it
// touches nothing but the file. Every fault is reported with its line and what to write instead;
// unknown keys are faults too. A Config is a plain value.
#pragma once

#include "base/log.h"
#include "chain/network.h"
#include "chain/target.h"
#include "metrics/alert_rules.h"
#include "share/money_records.h"

#include <expected>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace adit::manager {

struct PoolConfig {
    std::string name = "Adit";
    chain::Network chain = chain::Network::main;
    std::string address;  // receives the coinbase, checked against the chain
    std::string signature = "/Adit/";
    std::string data_dir;
    std::uint32_t line = 0;  // of the table in the file
};

struct NodeConfig {
    std::string name;  // unique; the RPC URL when not given
    std::string rpc;   // http://host:port
    std::string cookie_file;
    std::string user;
    std::string password;
    std::string zmq_hashblock;  // empty: none
    std::uint32_t line = 0;     // of the table in the file

    // Whether both describe the same node, wherever they stand.
    friend bool operator==(const NodeConfig& a, const NodeConfig& b) {
        return std::tie(a.name, a.rpc, a.cookie_file, a.user, a.password, a.zmq_hashblock) ==
               std::tie(b.name, b.rpc, b.cookie_file, b.user, b.password, b.zmq_hashblock);
    }
};

struct StratumConfig {
    std::string listen;           // host:port or [v6]:port
    std::string tls_certificate;  // empty: plain TCP
    std::string tls_key;
    bool proxy_protocol = false;
    std::uint32_t line = 0;  // of the table in the file

    // Whether both describe the same listener, wherever they stand.
    friend bool operator==(const StratumConfig& a, const StratumConfig& b) {
        return std::tie(a.listen, a.tls_certificate, a.tls_key, a.proxy_protocol) ==
               std::tie(b.listen, b.tls_certificate, b.tls_key, b.proxy_protocol);
    }
};

struct DifficultyConfig {
    double start = 1024;
    double min = 1;
    double max = 0;  // 0: the network difficulty
    double share_interval_s = 10;
};

struct LimitsConfig {
    std::int64_t miners = 1000;           // connections in total
    std::int64_t per_ip = 0;              // 0: no limit
    std::int64_t handshakes_per_s = 500;  // new connections a second
    std::int64_t workers_per_connection = 64;
    std::int64_t handshake_s = 30;  // until subscribed and authorized
    std::int64_t idle_s = 3600;     // without a line from the miner
    std::int64_t ban_s = 600;       // how long a ban lasts
    std::int64_t threads = 0;       // shards; 0: one per core, at most 16
};

struct ShareConfig {
    std::int64_t queue = 65536;     // shares waiting for the disk
    std::int64_t gather_us = 2000;  // a commit waits this long for more shares
    std::int64_t stall_ms = 2000;   // a commit older than this refuses further shares
    std::int64_t segment_mib = 64;  // size of a log file
};

struct JobConfig {
    std::int64_t refresh_s = 30;
    double min_fee_rise_percent = 5;
    bool get_transactions = false;  // answer mining.get_transactions
};

struct RewardsConfig {
    share::RewardScheme scheme = share::RewardScheme::pplns;
    std::uint32_t pplns_factor_milli = 2'000;  // the window, in thousandths of a block's work
    std::uint32_t fee_ppm = 10'000;            // of the reward
    std::string fee_account = ":fee";          // or an address that is paid like any other
    std::int64_t maturity = 101;               // confirmations before a credit is posted
};

struct PayoutConfig {
    share::PayoutMode mode = share::PayoutMode::wallet;
    std::string wallet = "pool";  // name of the wallet that holds pool.address
    std::string node;             // name of the [[node]] that has it; empty: the first
    std::int64_t confirmations = 6;
    std::int64_t threshold_sat = 100'000;
    std::int64_t interval_s = 3'600;
    std::int64_t approve_above_sat = 0;  // 0: no approval needed
    std::int64_t daily_cap_sat = 0;      // 0: none
    bool miners_bear_fee = false;        // fee_paid_by = "miner"
    double min_fee_rate = 1;             // satoshis per virtual byte, as are the next two
    double max_fee_rate = 100;
    double fallback_fee_rate = 5;        // while the node has no estimate
    std::int64_t bump_after_blocks = 6;  // unconfirmed for so many blocks: a higher fee
    std::int64_t coinbase_outputs = 20;  // accounts that one coinbase pays, with mode "coinbase"
    std::int64_t coinbase_dust_sat = 10'000;  // smaller amounts stay owed
    std::uint32_t line = 0;                   // of the table in the file; 0: there is none
    friend bool operator==(const PayoutConfig&, const PayoutConfig&) = default;
};

struct StoreConfig {
    std::string ledger = "sqlite";  // or "postgresql://user@host/db"
};

struct LogConfig {
    base::LogLevel level = base::LogLevel::info;
    base::LogFormat format = base::LogFormat::text;
};

// A server for REST, events and metrics; off without a [http] section.
struct HttpConfig {
    std::string listen;  // empty: off
    std::vector<std::string> trusted_proxies;
    bool public_metrics = false;  // /metrics needs no login
    std::uint32_t line = 0;       // of the table in the file
    friend bool operator==(const HttpConfig& a, const HttpConfig& b) {
        return std::tie(a.listen, a.trusted_proxies, a.public_metrics) ==
               std::tie(b.listen, b.trusted_proxies, b.public_metrics);
    }
};

struct WebhookConfig {
    std::string url;
    std::string format = "json";
    std::string secret;
    friend bool operator==(const WebhookConfig&, const WebhookConfig&) = default;
};

struct AlertConfig {
    std::vector<WebhookConfig> webhooks;
    std::vector<metrics::AlertRule>
        rules;                     // each instead of a default of that name, or beside them
    std::vector<std::string> off;  // names of default rules
    friend bool operator==(const AlertConfig&, const AlertConfig&) = default;
};

struct SimConfig {
    double block_s = 20;      // the demo chain's time between blocks
    std::int64_t miners = 8;  // virtual miners
};

struct Config {
    std::string file;
    PoolConfig pool;
    std::vector<NodeConfig> nodes;
    std::vector<StratumConfig> stratum;
    DifficultyConfig difficulty;
    LimitsConfig limits;
    ShareConfig share;
    JobConfig job;
    RewardsConfig rewards;
    PayoutConfig payout;
    StoreConfig store;
    LogConfig log;
    HttpConfig http;
    AlertConfig alert;
    SimConfig sim;
};

struct ConfigFault {
    std::string file;
    std::uint32_t line = 0;  // 0: the file as a whole
    std::string what;        // what is wrong
    std::string instead;     // what to write instead; may be empty

    // "FILE:LINE: WHAT; INSTEAD"
    std::string text() const;
};

// All faults of the file, not only the first.
std::expected<Config, std::vector<ConfigFault>> load_config(const std::string& path);
// The same from text; `path` is only for messages.
std::expected<Config, std::vector<ConfigFault>> parse_config(std::string_view text,
                                                             const std::string& path);

// "1.0%": a percentage with at most four decimals, in parts per million; nullopt for anything else
// and above 100 %.
std::optional<std::uint32_t> parse_percent(std::string_view text);
// The same as text again, exactly and without needless zeroes: "1.0%", "0.25%".
std::string percent_text(std::uint32_t ppm);

// The keys in which two configurations differ, by what it takes to change them.
struct ConfigChanges {
    std::vector<std::string> live;           // difficulty, limits, log level, nodes
    std::vector<std::string> needs_restart;  // all else
};
ConfigChanges changes_between(const Config& running, const Config& wanted);

}  // namespace adit::manager
