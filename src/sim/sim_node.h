// A node for tests and the demo: JSON-RPC over HTTP on a loopback port, answering as Bitcoin Core
// does over a SimChain, and optionally a ZeroMQ hashblock publisher. Owns its chain and one thread
// on which everything happens. start(), stop(), with_chain() and the settings are for the owner's
// thread; the accessors are safe from any thread after start().
#pragma once

#include "base/log.h"
#include "sim/sim_chain.h"
#include "sim/sim_wallet.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::sim {

struct SimNodeSettings {
    std::uint16_t port = 0;  // 0: any free one
    std::string user = "adit";
    std::string password = "adit";
    // Also accepted: a random password that is written here (as "__cookie__:...") at start and
    // removed at stop. Empty: none.
    std::filesystem::path cookie_file;
    // Made at construction, loaded at every start; their keys derive from wallet_seed and the name.
    std::vector<std::string> wallets;
    std::string wallet_seed = "sim";
    std::string zmq_hashblock;  // such as "tcp://127.0.0.1:*"; empty: none
};

// How the node misbehaves, for tests of whatever talks to it.
enum class SimFault {
    none,
    hang,                // reads requests and never answers
    warming_up,          // -28 to everything
    refuse_connections,  // closes the listener and all connections
    lag,                 // tells a height and tip five blocks back
    wrong_height,        // claims blocks and headers that are not there
    drop_transaction,    // templates lack one transaction but keep its fee
    truncated_reply,     // half of each answer, then the connection ends
    absurd_json,         // answers 200 with bytes that are no JSON
    wrong_credentials,   // 401 to everybody
    wrong_chain,         // calls itself "main"
    initial_download,    // -10 to getblocktemplate, initialblockdownload true
    no_peers,            // -9 to getblocktemplate
};

// How the wallet misbehaves; what is not of the wallet goes on as before.
enum class WalletFault {
    none,
    locked,                // -13 to whatever needs a key, also after walletpassphrase
    insufficient_funds,    // whatever funds says so
    fee_estimate_missing,  // estimatesmartfee has no data
    fee_estimate_absurd,   // it answers 12.3456789 BTC/kvB
    broadcast_reply_lost,  // sendrawtransaction takes the transaction and never answers
    broadcast_lost,        // it never answers and takes nothing
    sign_hangs,            // signrawtransactionwithwallet never answers
    unreachable,           // connections end without an answer to wallet calls
    absurd_json,           // wallet calls are answered with bytes that are no JSON
};

class SimNode {
 public:
    // Throws std::runtime_error when the port, the cookie file or the ZeroMQ endpoint cannot be
    // used.
    SimNode(SimNodeSettings settings, SimParams params, const base::Clock& clock,
            base::Logger& log);
    ~SimNode();
    SimNode(const SimNode&) = delete;
    SimNode& operator=(const SimNode&) = delete;

    void start();
    void stop();

    std::uint16_t port() const;
    std::string url() const;  // "http://127.0.0.1:PORT"
    const SimNodeSettings& settings() const;
    std::string zmq_endpoint() const;  // the bound one; empty: none

    // Runs `work` on the node's thread and waits for it. Never from that thread.
    void with_chain(const std::function<void(SimChain&)>& work);
    // Mines n blocks that pay to this script (real hashing); fewer when a block needs more than
    // max_tries hashes.
    std::vector<chain::Hash256> generate(int n, base::ByteSpan script,
                                         std::uint64_t max_tries = 100'000'000);
    std::int32_t height();
    // Mines one block on the tip that holds exactly these transactions, parents before children,
    // whatever the mempool says of them. nullopt: the chain refuses them, or max_tries did not do.
    std::optional<chain::Hash256> mine_transactions(
        const std::vector<chain::Transaction>& transactions, base::ByteSpan script,
        std::uint64_t max_tries = 100'000'000);
    // Mines n empty blocks on the block `depth` below the tip: with n > depth a reorganisation that
    // takes the top `depth` blocks off the chain. Their hashes; fewer when one was refused.
    std::vector<chain::Hash256> mine_branch(std::int32_t depth, int n, base::ByteSpan script,
                                            std::uint64_t max_tries = 100'000'000);

    // Runs `work` with this wallet on the node's thread; false: it is not loaded.
    bool with_wallet(std::string_view name, const std::function<void(SimWallet&)>& work);
    // A new address of a loaded wallet, and its script. Throws std::runtime_error when the wallet
    // is not loaded.
    struct PaidTo {
        std::string address;
        base::Bytes script;
    };
    PaidTo new_address(std::string_view wallet);
    // What the wallets lose when the node's process ends: locks that are not persistent, unlocked
    // passphrases, loaded wallets that do not load at start. stop() does it too.
    void restart_wallets();
    void set_wallet_fault(WalletFault fault);
    // Calls of this method that were carried out since construction.
    std::uint64_t calls(std::string_view method);

    void set_fault(SimFault fault);
    // Every block that this node takes is handed to `peer` too, as over a connection. The peer must
    // outlive this node's thread.
    void relay_to(SimNode& peer);
    // Takes a block from a peer, without waiting.
    void receive(std::shared_ptr<const chain::Block> block);

    // Requests answered since start, by anybody.
    std::uint64_t requests() const;

 private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace adit::sim
