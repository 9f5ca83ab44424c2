#include "manager/preflight.h"

#include "manager/payout_side.h"
#include "manager/pool_parts.h"
#include "manager/preflight_wallet.h"
#include "net/file_limit.h"
#include "net/tls.h"
#include "node/rpc_client.h"
#include "node/template_fetcher.h"
#include "node/template_parser.h"

#include <simdjson.h>

#include <algorithm>
#include <unistd.h>

namespace adit::manager {
namespace {

constexpr int kProbeTimeoutMs = 5'000;
constexpr std::uintmax_t kLittleSpace = 1u << 30;

class Findings {
 public:
    explicit Findings(const Config& config) : config_(config) {}

    void ok(std::string subject, std::string result) {
        findings_.push_back({std::move(subject), std::move(result), std::nullopt});
    }
    void fault(std::string subject, std::uint32_t line, std::string what, std::string instead) {
        findings_.push_back({std::move(subject), "",
                             ConfigFault{config_.file, line, std::move(what), std::move(instead)}});
    }
    void add(std::vector<Finding> more) {
        for (auto& finding : more)
            findings_.push_back(std::move(finding));
    }
    // Whether anything so far failed under this subject.
    bool has_fault(std::string_view subject) const {
        return std::ranges::any_of(findings_, [&](const Finding& finding) {
            return finding.fault && finding.subject == subject;
        });
    }
    std::vector<Finding> take() { return std::move(findings_); }

 private:
    const Config& config_;
    std::vector<Finding> findings_;
};

std::string chain_of(const simdjson::dom::element& info) {
    std::string_view chain;
    return info["chain"].get(chain) == simdjson::SUCCESS ? std::string(chain) : std::string{};
}

std::string subject_of(const NodeConfig& node) {
    return "node " + node.name;
}

void probe_node(const Config& config, const NodeConfig& wanted, Findings& findings) {
    const auto subject = subject_of(wanted);
    node::NodeSettings settings{wanted.name, wanted.rpc,      wanted.cookie_file,
                                wanted.user, wanted.password, wanted.zmq_hashblock};
    node::RpcLimits limits;
    limits.timeout_ms = kProbeTimeoutMs;
    node::RpcClient client(settings, limits);
    const auto info = client.call("getblockchaininfo");
    if (!info) {
        return findings.fault(subject, wanted.line, info.error().message,
                              "the rpc address and login of a running node");
    }
    const auto& network = chain::params(config.pool.chain);
    const auto chain = chain_of(info->result());
    if (chain != network.name && chain != network.rpc_name) {
        return findings.fault(
            subject, wanted.line,
            fmt::format("this node is on chain \"{}\", the pool on \"{}\"", chain, network.name),
            "the rpc address of a node on that chain, or another pool.chain");
    }
    std::int64_t blocks = 0;
    bool downloading = false;
    if (info->result()["blocks"].get(blocks) != simdjson::SUCCESS) blocks = -1;
    if (info->result()["initialblockdownload"].get(downloading) != simdjson::SUCCESS) {
        downloading = false;
    }
    const auto answer =
        client.call("getblocktemplate",
                    fmt::format(R"([{{"rules":{}}}])", node::template_rules(config.pool.chain)));
    if (!answer) {
        return findings.fault(subject, wanted.line,
                              fmt::format("no block template: {}", answer.error().message),
                              downloading ? "nothing: wait until the node has the whole chain"
                                          : "nothing: the node itself must be put right");
    }
    node::TemplateParser parser(config.pool.chain);
    const auto parsed = parser.parse(answer->result(), wanted.name);
    if (!parsed) {
        return findings.fault(subject, wanted.line,
                              "its block template cannot be used: " + parsed.error().message,
                              "another node");
    }
    findings.ok(
        subject,
        fmt::format("{}, {} blocks, next block pays {} satoshis with {} transactions", chain,
                    blocks, (*parsed)->coinbase_value_sat, (*parsed)->transactions.size()));
}

void probe_listener(const StratumConfig& wanted, Findings& findings) {
    const auto subject = "listen " + wanted.listen;
    if (!wanted.tls_certificate.empty()) {
        const auto tls = net::TlsContext::server(wanted.tls_certificate, wanted.tls_key);
        if (!tls) {
            findings.fault(subject, wanted.line, tls.error(),
                           "tls = { certificate = \"FILE.pem\", key = \"FILE.pem\" }");
        }
    }
    const auto endpoint = net::Endpoint::parse(wanted.listen);
    const auto resolved = endpoint ? net::resolve(*endpoint)
                                   : std::expected<std::vector<net::Address>, std::string>(
                                         std::unexpect, net::describe(endpoint.error()));
    if (!resolved) {
        return findings.fault(subject, wanted.line, resolved.error(), "\"ADDRESS:PORT\"");
    }
    if (const auto free = net::check_free(resolved->front()); !free) {
        return findings.fault(subject, wanted.line, free.error(),
                              "a free port on an address of this machine");
    }
    findings.ok(subject, "free");
}

// The directory, locked against pools; nullopt: it cannot be used.
std::optional<store::DataDir> probe_data_dir(const Config& config, Findings& findings) {
    const auto subject = "data_dir " + config.pool.data_dir;
    auto dir = store::DataDir::open(config.pool.data_dir);
    if (!dir) {
        findings.fault(subject, config.pool.line, dir.error(),
                       "data_dir = \"DIRECTORY\" that this user may write and no other pool uses");
        return std::nullopt;
    }
    std::error_code error;
    const auto space = std::filesystem::space(dir->root(), error);
    if (!error && space.available < kLittleSpace) {
        findings.fault(subject, config.pool.line,
                       fmt::format("only {} MiB are free; a thousand shares take about 60 KiB",
                                   space.available >> 20),
                       "a directory on a larger disk");
    } else {
        findings.ok(subject, error ? "writable"
                                   : fmt::format("writable, {} GiB free", space.available >> 30));
    }
    return *std::move(dir);
}

void probe_files(const Config& config, Findings& findings) {
    const auto needed = files_needed(config);
    const auto limit = net::raise_file_limit(needed);
    if (limit.now >= needed) {
        return findings.ok("open files", fmt::format("{} needed, {} allowed", needed, limit.now));
    }
    findings.fault("open files", 0,
                   fmt::format("limits.miners = {} needs {} open files, the system allows {}",
                               config.limits.miners, needed, limit.now),
                   "a smaller limits.miners, or raise ulimit -n (LimitNOFILE= of the service)");
}

void probe_wallet(const Config& config, bool may_lock, Findings& findings) {
    const auto& node = wallet_node(config);
    if (!findings.has_fault(subject_of(node))) return findings.add(try_wallet(config, may_lock));
    findings.add({{"wallet " + config.payout.wallet, "",
                   ConfigFault{config.file, config.payout.line,
                               fmt::format("not tried, since node {} has a fault", node.name), ""},
                   true}});
}

}  // namespace

std::vector<Finding> preflight(const Config& config) {
    Findings findings(config);
    const auto dir = probe_data_dir(config, findings);
    probe_files(config, findings);
    for (const auto& listener : config.stratum)
        probe_listener(listener, findings);
    for (const auto& node : config.nodes)
        probe_node(config, node, findings);
    if (config.payout.mode == share::PayoutMode::wallet) {
        probe_wallet(config, dir.has_value(), findings);
    }
    return findings.take();
}

}  // namespace adit::manager
