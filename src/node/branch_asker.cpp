#include "node/branch_asker.h"

#include "node/chain_info.h"

namespace adit::node {

BranchAsker::BranchAsker(chain::Network network, const std::vector<NodeSettings>& nodes,
                         metrics::Registry& registry, int timeout_ms)
    : network_(network), timeout_ms_(timeout_ms) {
    for (const auto& node : nodes) {
        metrics_.push_back(std::make_unique<RpcMetrics>(registry, node.label()));
        clients_.push_back(std::make_unique<RpcClient>(node, RpcLimits{.timeout_ms = timeout_ms},
                                                       metrics_.back().get()));
    }
}

std::expected<std::map<std::int32_t, chain::Hash256>, std::string> BranchAsker::hashes(
    const chain::Hash256& tip, const std::set<std::int32_t>& heights) {
    std::string why = "there is no node";
    for (auto& client : clients_) {
        auto found = ask(*client, tip, heights);
        if (found) return std::move(*found);
        why = fmt::format("{}: {}", client->node().label(), found.error().message);
    }
    return std::unexpected(why);
}

std::expected<void, RpcError> BranchAsker::expect_tip(RpcClient& client,
                                                      const chain::Hash256& tip) {
    const auto info = ask_chain_info(client, network_, timeout_ms_);
    if (!info) return std::unexpected(info.error());
    if (info->right_chain && info->best == tip) return {};
    return std::unexpected(
        RpcError{RpcErrorKind::rpc, 0, fmt::format("its best block is not {}", tip.rpc_hex())});
}

std::expected<BranchAsker::Hashes, RpcError> BranchAsker::ask(
    RpcClient& client, const chain::Hash256& tip, const std::set<std::int32_t>& heights) {
    if (const auto before = expect_tip(client, tip); !before) {
        return std::unexpected(before.error());
    }
    Hashes found;
    for (const auto height : heights) {
        const auto hash = ask_hash(client, height, timeout_ms_);
        if (!hash) return std::unexpected(hash.error());
        found.emplace(height, *hash);
    }
    if (const auto after = expect_tip(client, tip); !after) return std::unexpected(after.error());
    return found;
}

void BranchAsker::cancel() {
    for (auto& client : clients_)
        client->cancel();
}

}  // namespace adit::node
