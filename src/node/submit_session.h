// One exchange with one node about one block: send it if the node does not hold it, then look
// whether it is in the node's best chain. Blocks like its client.
#pragma once

#include "node/block_submitter.h"
#include "node/rpc_client.h"

namespace adit::node {

struct SubmitTask {
    chain::Hash256 hash;
    std::int32_t height = 0;
    const std::string* params = nullptr;  // of submitblock
    bool look_first = false;              // the node may hold it already
};

// Replaces verdict, reason, confirmations, height and synced of the outcome; counts the attempt.
// False when the client was cancelled; the outcome is then as before.
bool attempt_submit(RpcClient& client, chain::Network network, const SubmitTask& task,
                    int timeout_ms, NodeOutcome& outcome);

}  // namespace adit::node
