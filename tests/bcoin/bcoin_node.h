// bcoin (a full node in JavaScript) in regtest as a child process, for end-to-end tests. It keeps
// its chain in memory, listens on loopback only, and dies with the test, however that ends. Not
// thread-safe: use one from one thread.
//
// bcoin's regtest differs from Bitcoin Core's: address prefix "rb", BIP34 never, BIP66 and BIP65
// from 1251 and 1351, CSV and segwit by BIP9 from 432 (its own miner signals for them).
#pragma once

#include "chain/transaction.h"
#include "sim/signer.h"
#include "tests/bcoin/rpc_call.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace adit::tests {

// The height from which bcoin's regtest has segwit.
inline constexpr std::int32_t kBcoinSegwitHeight = 432;

class BcoinNode {
 public:
    // Starts node and waits until the RPC answers. Throws std::runtime_error with the reason: bcoin
    // is not installed, node is missing, it ended early, or it did not answer within two minutes.
    BcoinNode();
    ~BcoinNode();
    BcoinNode(const BcoinNode&) = delete;
    BcoinNode& operator=(const BcoinNode&) = delete;

    // "http://127.0.0.1:PORT"; any user, this password.
    std::string url() const;
    const RpcEndpoint& rpc() const { return rpc_; }
    const std::string& user() const { return rpc_.user; }
    const std::string& password() const { return rpc_.password; }
    std::uint16_t p2p_port() const { return p2p_port_; }
    pid_t pid() const { return pid_; }

    // The result of a call; throws as rpc_call does.
    nlohmann::json call(std::string_view method, const nlohmann::json& params) const;
    nlohmann::json call(std::string_view method) const;

    std::int32_t height() const;
    std::string best_hash() const;

    // Mines blocks to an address of bcoin's ("rb1...", see bcoin_address).
    void generate(int blocks, std::string_view address) const;
    // Gives the block to the node: "" when it is in the chain, bcoin's reason otherwise.
    std::string submit_block(base::ByteSpan block) const;
    // The scriptPubKeys (hex) of the outputs of the coinbase at this height.
    std::vector<std::string> coinbase_scripts(std::int32_t height) const;

    // Opens a connection to the other node and waits until both have the same tip.
    void connect_to(const BcoinNode& other) const;
    // Waits until the tip is at least this high; false after deadline_ms.
    bool wait_for_height(std::int32_t height, std::int64_t deadline_ms = 60'000) const;

    // Stops the process (SIGTERM, then SIGKILL after five seconds); kill() at once, as a crash
    // does; suspend() and resume() by SIGSTOP and SIGCONT, as a node that hangs.
    void stop();
    void kill();
    void suspend() const;
    void resume() const;
    // Starts a fresh node (empty chain) on the same ports with the same password.
    void restart();

 private:
    void launch();
    void await_ready();
    bool ended();

    RpcEndpoint rpc_;
    std::uint16_t p2p_port_ = 0;
    pid_t pid_ = -1;
    int output_ = -1;  // the child's standard output and error
    std::string log_;  // what it has said, for messages
};

// A P2WPKH address in bcoin's spelling.
std::string bcoin_address(const chain::Hash160& key_hash);

// Makes coins spendable and spends them, as a wallet would. mine() leaves the node with a mature
// coinbase output that pays to the key's P2PKH script.
class BcoinWallet {
 public:
    explicit BcoinWallet(const BcoinNode& node);

    const sim::SimKey& key() const { return key_; }
    // Mines until the chain is at this height (at least 101 above the first call); the first block
    // pays the key.
    void mine_to_height(std::int32_t height);
    // Sends a transaction that spends the mature coinbase to the key's P2WPKH script, leaving
    // fee_sat to the miner. Returns it.
    chain::Transaction send_to_p2wpkh(std::int64_t fee_sat = 10'000);
    // Sends a transaction that spends output 0 of `from` (P2WPKH) back to P2WPKH: its witness holds
    // the signature. Only once segwit is active.
    chain::Transaction send_p2wpkh_spend(const chain::Transaction& from,
                                         std::int64_t fee_sat = 10'000);

 private:
    void send(const chain::Transaction& transaction) const;

    const BcoinNode& node_;
    sim::SimKey key_;
    std::int32_t funded_height_ = 0;
};

}  // namespace adit::tests
