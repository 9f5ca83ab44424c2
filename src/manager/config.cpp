#include "manager/config.h"

#include "chain/address.h"
#include "job/job.h"
#include "manager/config_money.h"
#include "manager/config_reader.h"
#include "manager/config_service.h"
#include "node/node_settings.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <tuple>

namespace adit::manager {
namespace {

void read_pool(TableReader table, PoolConfig& pool) {
    pool.line = table.line();
    table.text("name", pool.name, "\"Adit\"");
    std::string chain(chain::params(pool.chain).name);
    table.text("chain", chain, "\"main\"");
    const auto known = chain::network_from_name(chain);
    if (known) {
        pool.chain = *known;
    } else {
        table.fault("chain", fmt::format("chain = \"{}\" is no chain that Adit knows", chain),
                    "one of \"main\", \"testnet4\", \"signet\", \"regtest\"");
    }
    table.required_text("address", pool.address, "the address that receives the coinbase");
    if (!pool.address.empty() && known) {
        const auto& network = chain::params(pool.chain);
        const auto script = chain::script_of_address(pool.address, network);
        if (!script) {
            table.fault("address",
                        fmt::format("address \"{}\" cannot be paid on {}: {}", pool.address,
                                    network.name, chain::describe(script.error())),
                        fmt::format("an address of your wallet on {}, such as {}1q...",
                                    network.name, network.bech32_hrp));
        }
    }
    table.text("signature", pool.signature, "\"/Adit/\"");
    if (pool.signature.size() > job::kSignatureLimit) {
        table.fault("signature", fmt::format("signature is {} bytes long", pool.signature.size()),
                    fmt::format("at most {} bytes", job::kSignatureLimit));
    }
    table.required_text("data_dir", pool.data_dir, "a directory, such as \"/var/lib/adit\"");
    table.finish();
}

bool has_prefix(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix && text.size() > prefix.size();
}

NodeConfig read_node(TableReader table) {
    NodeConfig node;
    node.line = table.line();
    table.required_text("rpc", node.rpc, "\"http://127.0.0.1:8332\"");
    if (!node.rpc.empty()) {
        if (const auto endpoint = node::parse_rpc_url(node.rpc); !endpoint) {
            table.fault("rpc", endpoint.error(), "\"http://HOST:PORT\"");
        }
    }
    node.name = node.rpc;
    table.text("name", node.name, "\"local\"");
    table.text("cookie_file", node.cookie_file, "\"/var/lib/bitcoind/.cookie\"");
    table.text("user", node.user, "\"adit\"");
    table.text("password", node.password, "\"...\"");
    table.text("zmq_hashblock", node.zmq_hashblock, "\"tcp://127.0.0.1:28332\"");
    if (!node.zmq_hashblock.empty() && !has_prefix(node.zmq_hashblock, "tcp://") &&
        !has_prefix(node.zmq_hashblock, "ipc://")) {
        table.fault("zmq_hashblock",
                    fmt::format("zmq_hashblock = \"{}\" is no ZMQ endpoint", node.zmq_hashblock),
                    "\"tcp://HOST:PORT\"");
    }
    if (node.cookie_file.empty() == node.user.empty()) {
        table.fault("rpc", "a node needs exactly one way to log in",
                    "either cookie_file = \"...\" or user = \"...\" and password = \"...\"");
    }
    table.finish();
    return node;
}

StratumConfig read_stratum(TableReader table) {
    StratumConfig stratum;
    stratum.line = table.line();
    table.required_text("listen", stratum.listen, "\"0.0.0.0:3333\"");
    const auto colon = stratum.listen.rfind(':');
    const auto port = colon == std::string::npos ? std::string{} : stratum.listen.substr(colon + 1);
    const bool digits = !port.empty() && port.size() <= 5 &&
                        port.find_first_not_of("0123456789") == std::string::npos;
    if (!stratum.listen.empty() && (!digits || std::stoi(port) > 65535 || colon == 0)) {
        table.fault("listen", fmt::format("listen = \"{}\" is no address", stratum.listen),
                    "\"ADDRESS:PORT\", such as \"0.0.0.0:3333\" or \"[::]:3333\"");
    }
    table.flag("proxy_protocol", stratum.proxy_protocol);
    if (auto tls = table.child("tls")) {
        tls->required_text("certificate", stratum.tls_certificate, "a PEM file");
        tls->required_text("key", stratum.tls_key, "a PEM file");
        tls->finish();
    }
    table.finish();
    return stratum;
}

void read_difficulty(TableReader table, DifficultyConfig& difficulty) {
    constexpr double kTiny = 1e-9;
    constexpr double kLargest = 9007199254740992.0;  // 2^53
    table.number("start", difficulty.start, kTiny, kLargest);
    table.number("min", difficulty.min, kTiny, kLargest);
    table.number("max", difficulty.max, 0, kLargest);
    table.number("share_interval_s", difficulty.share_interval_s, 0.01, 3600);
    if (difficulty.max != 0 && difficulty.max < difficulty.min) {
        table.fault("max", "difficulty.max is below difficulty.min",
                    "max = 0 for the network difficulty, or a number of at least min");
    }
    table.finish();
}

void read_limits(TableReader table, LimitsConfig& limits) {
    table.integer("miners", limits.miners, 1, 1'000'000);
    table.integer("per_ip", limits.per_ip, 0, 1'000'000);
    table.integer("handshakes_per_s", limits.handshakes_per_s, 1, 1'000'000);
    table.integer("workers_per_connection", limits.workers_per_connection, 1, 4096);
    table.integer("handshake_s", limits.handshake_s, 1, 3600);
    table.integer("idle_s", limits.idle_s, 60, 86'400);
    table.integer("ban_s", limits.ban_s, 1, 31'536'000);
    table.integer("threads", limits.threads, 0, 16);
    table.finish();
}

void read_log(TableReader table, LogConfig& log) {
    std::string level(base::name_of(log.level));
    table.text("level", level, "\"info\"");
    if (const auto parsed = base::parse_log_level(level)) {
        log.level = *parsed;
    } else {
        table.fault("level", fmt::format("level = \"{}\" is no log level", level),
                    "one of \"trace\", \"debug\", \"info\", \"warning\", \"error\"");
    }
    std::string format = "text";
    table.text("format", format, "\"text\"");
    if (format != "text" && format != "json") {
        table.fault("format", fmt::format("format = \"{}\" is no log format", format),
                    "\"text\" or \"json\"");
    }
    log.format = format == "json" ? base::LogFormat::json : base::LogFormat::text;
    table.finish();
}

void read_tuning(TableReader& root, Config& config) {
    if (auto table = root.child("share")) {
        table->integer("queue", config.share.queue, 64, 16'777'216);
        table->integer("gather_us", config.share.gather_us, 0, 100'000);
        table->integer("stall_ms", config.share.stall_ms, 10, 600'000);
        table->integer("segment_mib", config.share.segment_mib, 1, 4096);
        table->finish();
    }
    if (auto table = root.child("job")) {
        table->integer("refresh_s", config.job.refresh_s, 1, 60);
        table->number("min_fee_rise_percent", config.job.min_fee_rise_percent, 0, 1000);
        table->flag("get_transactions", config.job.get_transactions);
        table->finish();
    }
    if (auto table = root.child("sim")) {
        table->number("block_s", config.sim.block_s, 0.1, 86'400);
        table->integer("miners", config.sim.miners, 0, 1000);
        table->finish();
    }
}

void check_nodes(TableReader& root, const std::vector<NodeConfig>& nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (nodes[i].name != nodes[j].name) continue;
            root.fault("node", fmt::format("two nodes are called \"{}\"", nodes[i].name),
                       "a different name = \"...\" for each [[node]]");
        }
    }
}

}  // namespace

std::string ConfigFault::text() const {
    auto line_text = line == 0 ? file : fmt::format("{}:{}", file, line);
    auto result = fmt::format("{}: {}", line_text, what);
    if (!instead.empty()) result += "; write " + instead;
    return result;
}

std::expected<Config, std::vector<ConfigFault>> parse_config(std::string_view text,
                                                             const std::string& path) {
    Config config;
    config.file = path;
    ConfigDocument document(text, path);
    if (document.readable()) {
        auto root = document.root();
        if (auto pool = root.child("pool")) {
            read_pool(*pool, config.pool);
        } else {
            root.fault("pool", "the [pool] section is missing",
                       "[pool] with at least address = \"...\" and data_dir = \"...\"");
        }
        for (auto& table : root.children("node"))
            config.nodes.push_back(read_node(table));
        if (config.nodes.empty()) {
            root.fault("node", "no node is configured", "[[node]] with rpc = \"http://HOST:PORT\"");
        }
        check_nodes(root, config.nodes);
        for (auto& table : root.children("stratum")) {
            config.stratum.push_back(read_stratum(table));
        }
        if (config.stratum.empty()) {
            root.fault("stratum", "nothing listens for miners",
                       "[[stratum]] with listen = \"0.0.0.0:3333\"");
        }
        if (auto table = root.child("difficulty")) read_difficulty(*table, config.difficulty);
        if (auto table = root.child("limits")) read_limits(*table, config.limits);
        if (auto table = root.child("log")) read_log(*table, config.log);
        read_tuning(root, config);
        read_money(root, config);
        read_services(root, config);
        root.finish();
    }
    if (!document.faults().empty()) return std::unexpected(document.faults());
    return config;
}

std::expected<Config, std::vector<ConfigFault>> load_config(const std::string& path) {
    std::ifstream file(path);
    std::error_code none;
    const bool folder = std::filesystem::is_directory(path, none);
    if (folder) errno = EISDIR;
    if (!file || folder) {
        return std::unexpected(std::vector{ConfigFault{
            path, 0, fmt::format("cannot be read ({})", std::strerror(errno)),
            "--config FILE with a file that exists; docs/configuration.md has an example"}});
    }
    // An empty file is one without settings, and parse_config() says what is missing.
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return parse_config(text, path);
}

ConfigChanges changes_between(const Config& running, const Config& wanted) {
    ConfigChanges changes;
    const auto live = [&](bool differs, const char* key) {
        if (differs) changes.live.emplace_back(key);
    };
    const auto restart = [&](bool differs, const char* key) {
        if (differs) changes.needs_restart.emplace_back(key);
    };
    const auto& [a, b] = std::tie(running, wanted);
    restart(a.pool.name != b.pool.name, "pool.name");
    restart(a.pool.chain != b.pool.chain, "pool.chain");
    restart(a.pool.address != b.pool.address, "pool.address");
    restart(a.pool.signature != b.pool.signature, "pool.signature");
    restart(a.pool.data_dir != b.pool.data_dir, "pool.data_dir");
    restart(a.stratum != b.stratum, "stratum");
    live(a.nodes != b.nodes, "node");
    live(a.difficulty.start != b.difficulty.start, "difficulty.start");
    live(a.difficulty.min != b.difficulty.min, "difficulty.min");
    live(a.difficulty.max != b.difficulty.max, "difficulty.max");
    live(a.difficulty.share_interval_s != b.difficulty.share_interval_s,
         "difficulty.share_interval_s");
    live(a.limits.miners != b.limits.miners, "limits.miners");
    live(a.limits.per_ip != b.limits.per_ip, "limits.per_ip");
    live(a.limits.handshakes_per_s != b.limits.handshakes_per_s, "limits.handshakes_per_s");
    live(a.limits.workers_per_connection != b.limits.workers_per_connection,
         "limits.workers_per_connection");
    live(a.limits.handshake_s != b.limits.handshake_s, "limits.handshake_s");
    live(a.limits.idle_s != b.limits.idle_s, "limits.idle_s");
    live(a.limits.ban_s != b.limits.ban_s, "limits.ban_s");
    restart(a.limits.threads != b.limits.threads, "limits.threads");
    restart(a.share.queue != b.share.queue, "share.queue");
    restart(a.share.gather_us != b.share.gather_us, "share.gather_us");
    restart(a.share.stall_ms != b.share.stall_ms, "share.stall_ms");
    restart(a.share.segment_mib != b.share.segment_mib, "share.segment_mib");
    restart(a.job.refresh_s != b.job.refresh_s, "job.refresh_s");
    restart(a.job.min_fee_rise_percent != b.job.min_fee_rise_percent, "job.min_fee_rise_percent");
    restart(a.job.get_transactions != b.job.get_transactions, "job.get_transactions");
    compare_money(a, b, changes);
    compare_services(a, b, changes);
    live(a.log.level != b.log.level, "log.level");
    restart(a.log.format != b.log.format, "log.format");
    return changes;
}

}  // namespace adit::manager
