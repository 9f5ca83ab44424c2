#include "node/block_view.h"

#include "node/json.h"

namespace adit::node {
namespace {

constexpr int kInvalidAddressOrKey = -5;  // Bitcoin Core and btcd: block not found
constexpr int kInvalidParameter = -8;     // height out of range
constexpr int kMisc = -1;                 // bcoin's block not found

std::unexpected<RpcError> contradiction(std::string what) {
    return std::unexpected(RpcError{RpcErrorKind::malformed, 0, std::move(what)});
}

struct Header {
    std::int64_t confirmations = 0;
    std::int64_t height = -1;  // -1: not said
};

// nullopt: the node does not know the block.
std::expected<std::optional<Header>, RpcError> ask_known(RpcClient& client,
                                                         const chain::Hash256& hash,
                                                         int timeout_ms) {
    const auto reply =
        client.call("getblockheader", fmt::format(R"(["{}",true])", hash.rpc_hex()), timeout_ms);
    if (!reply) {
        const auto& error = reply.error();
        const bool unknown =
            error.kind == RpcErrorKind::rpc &&
            (error.code == kInvalidAddressOrKey ||
             (error.code == kMisc && error.message.find("not found") != std::string::npos));
        if (unknown) return std::nullopt;
        return std::unexpected(error);
    }
    const auto confirmations = json_int(reply->result(), "confirmations");
    if (!confirmations) return contradiction("getblockheader does not say confirmations");
    return Header{*confirmations, json_int(reply->result(), "height").value_or(-1)};
}

// The block at this height; nullopt: the chain does not reach it.
std::expected<std::optional<chain::Hash256>, RpcError> ask_at(RpcClient& client,
                                                              std::int32_t height, int timeout_ms) {
    const auto hash = ask_hash(client, height, timeout_ms);
    if (hash) return *hash;
    const auto& error = hash.error();
    if (error.kind == RpcErrorKind::rpc && error.code == kInvalidParameter) return std::nullopt;
    return std::unexpected(error);
}

// The lesser of what the node says and what follows from its height.
std::int32_t depth(std::int64_t said, std::int32_t best_height, std::int32_t height) {
    return static_cast<std::int32_t>(
        std::clamp<std::int64_t>(said, 0, std::max(best_height - height + 1, 0)));
}

}  // namespace

ledger::NodeView view_of_chain(const std::string& node, const ChainInfo& info) {
    ledger::NodeView view;
    view.node = node;
    view.answered = true;
    view.right_chain = info.right_chain;
    view.synced = info.synced;
    view.height = info.blocks;
    return view;
}

ledger::NodeView view_of_trouble(const std::string& node, const RpcError& error) {
    ledger::NodeView view;
    view.node = node;
    view.trouble = error.message;
    return view;
}

std::expected<ledger::NodeView, RpcError> ask_view(RpcClient& client, ledger::NodeView view,
                                                   const chain::Hash256& hash, std::int32_t height,
                                                   int timeout_ms) {
    const auto known = ask_known(client, hash, timeout_ms);
    if (!known) return std::unexpected(known.error());
    if (*known && (*known)->height >= 0 && (*known)->height != height) {
        return contradiction(fmt::format("the node has block {} at height {} instead of {}",
                                         hash.rpc_hex(), (*known)->height, height));
    }
    std::optional<chain::Hash256> there;
    if (height <= view.height) {
        const auto answer = ask_at(client, height, timeout_ms);
        if (!answer) return std::unexpected(answer.error());
        there = *answer;
    }
    if (*known && (*known)->confirmations >= 1 && (there == hash || height > view.height)) {
        // Above the height that the node gave a moment ago it has no confirmation yet.
        view.place = ledger::BlockPlace::in_chain;
        view.confirmations = depth((*known)->confirmations, view.height, height);
        return view;
    }
    if (there == hash) {
        return contradiction("the chain changed while the node was asked about it");
    }
    view.place = *known ? ledger::BlockPlace::beside : ledger::BlockPlace::unknown;
    if (!there) return view;
    const auto rival = ask_known(client, *there, timeout_ms);
    if (!rival) return std::unexpected(rival.error());
    if (!*rival || (*rival)->confirmations < 1) {
        return contradiction("the chain changed while the node was asked about it");
    }
    view.rival = *there;
    view.rival_depth = depth((*rival)->confirmations, view.height, height);
    return view;
}

}  // namespace adit::node
