#include "node/submit_session.h"

#include "node/chain_info.h"
#include "node/json.h"
#include "node/submit_rules.h"

namespace adit::node {
namespace {

constexpr int kQuestionTimeoutMs = 10'000;
constexpr std::size_t kMaxReason = 120;

std::unexpected<RpcError> malformed() {
    return std::unexpected(
        RpcError{RpcErrorKind::malformed, 0, "submitblock answered neither null nor text"});
}

// The answer of submitblock, empty for null. A JSON-RPC error about the block itself (it cannot be
// decoded, or bcoin's refusals) is a refusal in words; trouble with the node is an error.
std::expected<std::string, RpcError> send_block(RpcClient& client, const SubmitTask& task,
                                                int timeout_ms) {
    const auto reply = client.call("submitblock", *task.params, timeout_ms);
    if (!reply) {
        if (reply.error().kind != RpcErrorKind::rpc) return std::unexpected(reply.error());
        return reply.error().message.substr(0, kMaxReason);
    }
    if (reply->result().is_null()) return std::string();
    std::string_view answer;
    if (reply->result().get(answer) != simdjson::SUCCESS) return malformed();
    // An empty text is no acceptance.
    return answer.empty() ? std::string("\"\"") : std::string(answer.substr(0, kMaxReason));
}

// Where the block stands on the node. nullopt: the node does not know it.
struct Standing {
    ChainInfo chain;
    bool known = false;
    bool best = false;
};

std::expected<Standing, RpcError> look(RpcClient& client, chain::Network network,
                                       const SubmitTask& task) {
    Standing standing;
    const auto info = ask_chain_info(client, network, kQuestionTimeoutMs);
    if (!info) return std::unexpected(info.error());
    standing.chain = *info;
    if (!info->right_chain) return standing;
    if (info->blocks >= task.height) {
        const auto there = ask_hash(client, task.height, kQuestionTimeoutMs);
        if (!there && there.error().kind != RpcErrorKind::rpc) {
            return std::unexpected(there.error());
        }
        standing.best = there && *there == task.hash;
    }
    standing.known = standing.best;
    if (!standing.best) {
        const auto header = ask_header(client, task.hash, kQuestionTimeoutMs);
        if (!header && header.error().kind != RpcErrorKind::rpc) {
            return std::unexpected(header.error());
        }
        standing.known = header.has_value();
    }
    return standing;
}

void record(const Standing& standing, const SubmitTask& task, NodeOutcome& outcome) {
    outcome.node_height = standing.chain.blocks;
    outcome.synced = standing.chain.right_chain && standing.chain.synced;
    outcome.confirmations = standing.best ? standing.chain.blocks - task.height + 1 : 0;
}

bool fail(const RpcError& error, NodeOutcome& outcome) {
    if (error.kind == RpcErrorKind::cancelled) return false;
    ++outcome.attempts;
    outcome.verdict = NodeVerdict::unreachable;
    outcome.reason = error.message;
    outcome.confirmations = 0;
    return true;
}

}  // namespace

bool attempt_submit(RpcClient& client, chain::Network network, const SubmitTask& task,
                    int timeout_ms, NodeOutcome& outcome) {
    if (task.look_first) {
        const auto standing = look(client, network, task);
        if (!standing) return fail(standing.error(), outcome);
        const bool held = outcome.verdict == NodeVerdict::holds && standing->known;
        if (standing->best || held) {
            record(*standing, task, outcome);
            ++outcome.attempts;
            if (standing->best) {
                outcome.verdict = NodeVerdict::in_best_chain;
                outcome.reason.clear();
            }
            return true;
        }
    }
    const auto answer = send_block(client, task, timeout_ms);
    if (!answer) return fail(answer.error(), outcome);
    const auto standing = look(client, network, task);
    if (!standing) return fail(standing.error(), outcome);
    record(*standing, task, outcome);
    ++outcome.attempts;
    outcome.reason = *answer;
    outcome.verdict = verdict_of(*answer);
    if (!standing->chain.right_chain) {
        outcome.verdict = NodeVerdict::refused;
        outcome.reason = fmt::format("the node is on chain \"{}\"", standing->chain.chain);
    } else if (standing->best) {
        outcome.verdict = NodeVerdict::in_best_chain;
    } else if (outcome.verdict == NodeVerdict::holds && !standing->known) {
        // bcoin says duplicate of a block that it has found invalid before.
        outcome.verdict = NodeVerdict::refused;
        outcome.reason = fmt::format("\"{}\", but the node does not know the block",
                                     answer->empty() ? "null" : *answer);
    }
    return true;
}

}  // namespace adit::node
