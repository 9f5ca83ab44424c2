#include "cli/demo_command.h"

#include "cli/serve.h"
#include "cli/signals.h"
#include "net/address.h"
#include "sim/difficulty.h"
#include "sim/sim_miners.h"
#include "sim/sim_node.h"
#include "sim/sim_traffic.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

namespace adit::cli {
namespace {

constexpr char kDefaultListen[] = "0.0.0.0:3333";
constexpr double kSharesPerBlock = 128;  // of all miners, at the difficulty the demo begins with
constexpr std::uint64_t kSeed = 1;
constexpr std::int64_t kTrafficMs = 2'000;  // between transactions
constexpr std::int32_t kFirstHeight = 110;  // the chain's easy blocks, so that coins are mature
constexpr std::uint32_t kRegtestLimit = 0x207fffff;
constexpr std::uint32_t kMinerDrainMs = 1'000;
constexpr char kPoolWallet[] = "pool";
constexpr char kMinersWallet[] = "miners";
constexpr unsigned kMostAccounts = 4;  // of the virtual miners
constexpr std::int64_t kPayoutSeconds = 30;
constexpr std::int64_t kPayoutThreshold = 10'000;

// A folder that is removed with everything in it, unless it was named by the user.
class DemoFolder {
 public:
    explicit DemoFolder(const std::string& wanted) : path_(wanted), temporary_(wanted.empty()) {
        if (!temporary_) return;
        auto pattern = (std::filesystem::temp_directory_path() / "adit-demo-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error(
                fmt::format("cannot make a folder like {}: {}; name one with "
                            "--data-dir",
                            pattern, std::strerror(errno)));
        }
        path_ = pattern;
    }
    ~DemoFolder() {
        std::error_code ignored;
        if (temporary_) std::filesystem::remove_all(path_, ignored);
    }
    DemoFolder(const DemoFolder&) = delete;
    DemoFolder& operator=(const DemoFolder&) = delete;
    const std::string& path() const { return path_; }

 private:
    std::string path_;
    bool temporary_;
};

// Addresses of the embedded node's wallets.
struct DemoAddresses {
    std::string pool;                 // takes the coinbases and pays
    std::vector<std::string> miners;  // accounts of the virtual miners
    std::string guest;                // for whoever joins
};

DemoAddresses demo_addresses(sim::SimNode& node, unsigned miners) {
    DemoAddresses addresses;
    addresses.pool = node.new_address(kPoolWallet).address;
    addresses.guest = node.new_address(kMinersWallet).address;
    for (unsigned i = 0; i < std::clamp(miners, 1u, kMostAccounts); ++i)
        addresses.miners.push_back(node.new_address(kMinersWallet).address);
    return addresses;
}

// Payouts come soon and often, so that whoever looks on sees them.
void configure_payouts(manager::Config& config) {
    const sim::SimParams rules = sim::SimParams::demo(1, kRegtestLimit);
    config.rewards.maturity = rules.coinbase_maturity + 1;
    config.payout.wallet = kPoolWallet;
    config.payout.threshold_sat = kPayoutThreshold;
    config.payout.interval_s = kPayoutSeconds;
    config.payout.confirmations = 2;
}

manager::Config demo_config(const DemoOptions& options, const sim::SimNode& node,
                            const std::string& address, const std::string& data_dir,
                            const std::string& listen) {
    manager::Config config;
    config.file = "adit demo";
    config.pool.chain = chain::Network::regtest;
    config.pool.address = address;
    config.pool.data_dir = data_dir;
    manager::NodeConfig wanted;
    wanted.name = "embedded";
    wanted.rpc = node.url();
    wanted.user = node.settings().user;
    wanted.password = node.settings().password;
    wanted.zmq_hashblock = node.zmq_endpoint();
    config.nodes.push_back(wanted);
    manager::StratumConfig stratum;
    stratum.listen = listen;
    config.stratum.push_back(stratum);
    config.http.listen = "127.0.0.1:0";
    constexpr double kHashesPerDifficulty = 4294967296.0;
    const double block_hashes = options.hashes_per_s * options.block_s;
    config.difficulty.start = block_hashes / kSharesPerBlock / kHashesPerDifficulty;
    config.difficulty.min = config.difficulty.start / 64;
    config.difficulty.share_interval_s = 2;
    config.job.refresh_s = 10;
    configure_payouts(config);
    return config;
}

// Port 3333 when it is free; any other otherwise, unless the user asked for an address.
std::expected<std::unique_ptr<manager::PoolManager>, std::string> start_pool(
    const DemoOptions& options, const sim::SimNode& node, const std::string& address,
    const std::string& data_dir, const base::Clock& clock, metrics::Registry& registry,
    base::Logger& logger) {
    const auto wanted = options.listen.empty() ? kDefaultListen : options.listen;
    auto pool = std::make_unique<manager::PoolManager>(
        demo_config(options, node, address, data_dir, wanted), clock, registry, logger);
    const auto started = pool->start();
    if (started) return pool;
    if (!options.listen.empty()) return std::unexpected(started.error());
    logger.warning("demo", "taking any free port instead", {{"why", started.error()}});
    pool.reset();
    pool = std::make_unique<manager::PoolManager>(
        demo_config(options, node, address, data_dir, "0.0.0.0:0"), clock, registry, logger);
    if (const auto again = pool->start(); !again) return std::unexpected(again.error());
    return pool;
}

void announce(Terminal& terminal, const DemoOptions& options, std::uint16_t port,
              const std::string& http, const std::string& guest) {
    terminal.print(fmt::format(
        "adit demo: {} virtual miners hash at {} in all; a block comes every {} s on average.",
        options.miners, human(options.hashes_per_s, "H/s"), options.block_s));
    terminal.print(fmt::format(
        "Point any miner at stratum+tcp://THIS-MACHINE:{0}, user {1}, any password, or try\n"
        "  adit miner 127.0.0.1:{0} -u {1}.me",
        port, guest));
    terminal.print(
        "Rewards are mature after six blocks and are paid by the chain's own wallet then.");
    terminal.print(fmt::format("Its health: http://{}/api/v1/health", http));
    terminal.print("The coins are worth nothing. Ctrl-C ends the demo.");
}

int run_demo(DemoOptions options, Terminal& terminal, base::Logger& logger) {
    const base::SystemClock clock;
    // On a slow processor the miners take half of one core at most.
    options.hashes_per_s = std::min(options.hashes_per_s, sim::measure_hashes_per_s(clock) / 2);
    const DemoFolder folder(options.data_dir);
    sim::SimNodeSettings node_settings;
    node_settings.zmq_hashblock = "tcp://127.0.0.1:*";
    node_settings.wallets = {kPoolWallet, kMinersWallet};
    const auto bits = sim::bits_for_hashes(
        static_cast<std::uint64_t>(options.hashes_per_s * options.block_s), kRegtestLimit);
    sim::SimNode node(node_settings, sim::SimParams::demo(options.block_s, bits), clock, logger);
    node.start();
    sim::SimTraffic traffic(node, {kSeed, kTrafficMs});
    traffic.prepare(kFirstHeight);
    metrics::Registry registry;
    const auto addresses = demo_addresses(node, options.miners);
    const auto pool =
        start_pool(options, node, addresses.pool, folder.path(), clock, registry, logger);
    if (!pool) {
        logger.error("demo", pool.error());
        return kCannotStart;
    }
    const auto endpoint = net::Endpoint::parse((*pool)->addresses().front());
    announce(terminal, options, endpoint->port, (*pool)->http_address(), addresses.guest);
    sim::SimMinersSettings miner_settings;
    miner_settings.pool = {"127.0.0.1", endpoint->port, false};
    miner_settings.accounts = addresses.miners;
    miner_settings.workers = options.miners;
    miner_settings.hashes_per_s = options.hashes_per_s;
    sim::SimMiners miners(miner_settings, clock);
    traffic.start();
    if (options.miners > 0) miners.start();
    Serving serving{**pool, terminal, logger, clock, {}, {}, options.seconds};
    serving.before_stop = [&] {
        traffic.stop();
        miners.stop(kMinerDrainMs);
    };
    const int result = serve(serving);
    node.stop();
    return result;
}

}  // namespace

int demo(const DemoOptions& options) {
    const auto level = base::parse_log_level(options.log_level);
    if (!level) {
        std::fprintf(stderr,
                     "--log-level %s is no log level; write debug, info, warning or error\n",
                     options.log_level.c_str());
        return kBadConfig;
    }
    block_signals();
    Terminal terminal(stderr, is_interactive(stderr));
    const auto logger =
        make_logger(terminal, *level,
                    options.log_format == "json" ? base::LogFormat::json : base::LogFormat::text);
    try {
        return run_demo(options, terminal, *logger);
    } catch (const std::runtime_error& error) {
        logger->error("demo", error.what());
        return kCannotStart;
    }
}

void add_demo_command(CLI::App& app, int* exit_code) {
    auto* command = app.add_subcommand(
        "demo", "Run a pool on an embedded chain with virtual miners that truly hash");
    auto options = std::make_shared<DemoOptions>();
    command->add_option("--listen", options->listen,
                        "Where miners connect (default 0.0.0.0:3333, or any free port)");
    command->add_option("--data-dir", options->data_dir,
                        "Where the log is kept (default: a temporary folder)");
    command->add_option("--miners", options->miners, "Virtual miners")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    command->add_option("--hashrate", options->hashes_per_s, "Hashes per second of all of them")
        ->check(CLI::Range(1e3, 1e12))
        ->capture_default_str();
    command->add_option("--block-s", options->block_s, "Seconds between blocks on average")
        ->check(CLI::Range(1, 86'400))
        ->capture_default_str();
    command->add_option("--seconds", options->seconds, "End after so long (default: never)");
    command->add_option("--log-level", options->log_level, "debug, info, warning or error")
        ->capture_default_str();
    command->add_option("--log-format", options->log_format, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    command->footer(
        "Examples:\n"
        "  adit demo\n"
        "  adit demo --listen 127.0.0.1:4444 --miners 20 --seconds 60\n\n"
        "Exit codes: 0 ended, 1 cannot start, 2 wrong options, 3 ended but some accepted shares\n"
        "were not answered.");
    command->callback([options, exit_code] { *exit_code = demo(*options); });
}

}  // namespace adit::cli
