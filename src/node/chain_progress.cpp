#include "node/chain_progress.h"

#include "node/rpc_client.h"

#include <simdjson.h>

namespace adit::node {
namespace {

constexpr int kTimeoutMs = 3'000;
constexpr std::int64_t kPeriod = 2'016;  // blocks

struct Header {
    std::int64_t time_s = 0;
    double difficulty = 0;
};

std::optional<Header> header_at(RpcClient& client, std::int64_t height) {
    const auto hash = client.call("getblockhash", fmt::format("[{}]", height), kTimeoutMs);
    if (!hash) return std::nullopt;
    const auto reply =
        client.call("getblockheader", fmt::format("[{},true]", hash->text()), kTimeoutMs);
    if (!reply) return std::nullopt;
    Header header;
    const auto& fields = reply->result();
    if (fields["time"].get(header.time_s) != simdjson::SUCCESS) return std::nullopt;
    if (fields["difficulty"].get(header.difficulty) != simdjson::SUCCESS) return std::nullopt;
    return header;
}

std::optional<metrics::ChainProgress> ask(const NodeSettings& node, const std::stop_token& stop) {
    RpcClient client(node);
    const std::stop_callback on_stop(stop, [&] { client.cancel(); });
    metrics::ChainProgress progress;
    const auto count = client.call("getblockcount", "[]", kTimeoutMs);
    if (!count || count->result().get(progress.height) != simdjson::SUCCESS) return std::nullopt;
    const auto first = header_at(client, progress.height - progress.height % kPeriod);
    const auto tip = header_at(client, progress.height);
    if (!first || !tip) return std::nullopt;
    progress.period_start_s = first->time_s;
    // Of the period's first block: on a test network later ones may be easier.
    progress.difficulty = first->difficulty;
    progress.tip_s = tip->time_s;
    return progress;
}

}  // namespace

std::optional<metrics::ChainProgress> chain_progress(const std::vector<NodeSettings>& nodes,
                                                     chain::Network network, std::stop_token stop) {
    if (network == chain::Network::regtest) return std::nullopt;
    for (const auto& node : nodes) {
        if (auto progress = ask(node, stop)) return progress;
    }
    return std::nullopt;
}

}  // namespace adit::node
