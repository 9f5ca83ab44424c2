// A wallet of a scripted node for this layer's tests, and answers as Bitcoin Core words them.
#pragma once

#include "node/node_wallet.h"
#include "node/scripted_node_testing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::node::testing {

struct NodeWalletTest : ::testing::Test {
    void SetUp() override {
        node.start();
        set_info("");
        make("pool");
    }
    void make(const std::string& name, chain::Network network = chain::Network::regtest,
              int timeout_ms = 5'000) {
        wallet = std::make_unique<NodeWallet>(
            NodeWalletSettings{node.settings("main"), name, network, timeout_ms});
    }
    // getwalletinfo with these members in addition.
    void set_info(std::string_view more, std::string_view name = "pool",
                  std::string_view scanning = "false", bool keys = true) {
        node.set_result("getwalletinfo",
                        fmt::format(R"({{"walletname":"{}","private_keys_enabled":{},)"
                                    R"("scanning":{}{}}})",
                                    name, keys, scanning, more));
    }
    static chain::Hash256 hash(int n) {
        return chain::sha256(base::as_bytes(fmt::format("hash {}", n)));
    }
    static base::Bytes key_hash_script() { return script_of(base::Bytes(33, 0x02)); }
    static base::Bytes script_of(const base::Bytes& key) {
        base::Bytes script{0x00, 20};
        base::append(script, chain::hash160(key));
        return script;
    }
    // Spends these outpoints, without witness.
    static chain::Transaction spending(const std::vector<chain::OutPoint>& outpoints) {
        chain::Transaction transaction;
        for (const auto& outpoint : outpoints) {
            transaction.inputs.push_back(
                {.previous = outpoint, .script = {}, .sequence = 0xfffffffd, .witness = {}});
        }
        transaction.outputs.push_back({.value_sat = 10'000, .script = key_hash_script()});
        return transaction;
    }
    static std::string hex(const chain::Transaction& transaction) {
        return base::to_hex(transaction.serialize());
    }
    // "fault: message", or "fine".
    template <class T>
    static std::string told(const ledger::FromWallet<T>& result) {
        if (result) return "fine";
        return fmt::format("{}: {}", ledger::name_of(result.error().fault), result.error().message);
    }

    ScriptedNode node;
    std::unique_ptr<NodeWallet> wallet;
};

}  // namespace adit::node::testing
