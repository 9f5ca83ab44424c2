// For tests of wallets: a chain with wallets and both sets of RPC methods on a manual clock, no
// sockets. Results pass through their JSON text, as they do on the wire. One thread.
#pragma once

#include "chain/address.h"
#include "sim/block_builder.h"
#include "sim/rpc_amount.h"
#include "sim/rpc_methods.h"
#include "sim/rpc_wallet.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::sim {

class WalletFixture : public testing::Test {
 protected:
    using Json = nlohmann::json;

    WalletFixture() { EXPECT_TRUE(wallets.create("pool", true)); }

    RpcFailure run(std::string_view method, const Json& params, Json& result) {
        Json raw;
        const auto failure = WalletMethods::knows(method)
                                 ? wallet_methods.call(path, method, params, raw)
                                 : methods.call(method, params, raw);
        if (!failure) result = Json::parse(write_json(raw));
        return failure;
    }
    Json ok(std::string_view method, const Json& params = Json::array()) {
        Json result;
        const auto failure = run(method, params, result);
        EXPECT_EQ(failure.code, 0) << method << params.dump() << ": " << failure.message;
        return result;
    }
    // "-5 message", or "" when it works.
    std::string error(std::string_view method, const Json& params = Json::array()) {
        Json result;
        const auto failure = run(method, params, result);
        return failure ? fmt::format("{} {}", failure.code, failure.message) : "";
    }

    std::string address() { return ok("getnewaddress"); }
    static base::Bytes script_of(const std::string& address) {
        return *chain::script_of_address(address, rpc_network());
    }
    // An address of nobody's wallet here.
    static std::string stranger(int n = 0) {
        const auto key = SimKey::from_seed(fmt::format("stranger {}", n));
        return *chain::address_of_script(key.p2wpkh_script(), rpc_network());
    }
    void mine(int n, const std::string& to) {
        for (int i = 0; i < n; ++i) {
            clock.advance_ms(1'000);
            std::uint64_t tries = 1'000'000;
            ASSERT_TRUE(mine_block(chain, script_of(to), tries));
        }
    }
    // So many mature coinbases of 50 BTC for the wallet.
    void fill(int coins) {
        mine(coins, address());
        mine(100, stranger());
    }
    // A transaction that pays, funded by the wallet, not signed.
    Json fund(const Json& outputs, const Json& options = Json::object()) {
        const auto raw = ok("createrawtransaction", {Json::array(), outputs});
        return ok("fundrawtransaction", {raw, options});
    }
    std::string sign(const Json& hex) {
        const auto answer = ok("signrawtransactionwithwallet", Json::array({hex}));
        EXPECT_EQ(answer["complete"], true) << answer.dump();
        return answer["hex"];
    }
    // Its txid.
    std::string send(const std::string& hex) {
        return ok("sendrawtransaction", Json::array({hex}));
    }
    std::string pay(const Json& outputs, const Json& options = Json::object()) {
        return send(sign(fund(outputs, options)["hex"]));
    }
    static chain::Transaction parse(const std::string& hex) {
        return *chain::parse_transaction(*base::from_hex(hex));
    }

    base::ManualClock clock;
    SimChain chain{SimParams::regtest(), clock};
    WalletSet wallets{chain, "test", clock};
    RpcMethods methods{chain, clock};
    WalletMethods wallet_methods{chain, wallets};
    std::string path = "/";
};

}  // namespace adit::sim
