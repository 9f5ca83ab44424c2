#include "base/clock.h"
#include "chain/address.h"
#include "tests/bcoin/bcoin_node.h"

#include <nlohmann/json.hpp>

namespace adit::tests {
namespace {

constexpr std::int32_t kMaturity = 100;
constexpr std::string_view kHrp = "rb";
constexpr std::uint8_t kP2pkhVersion = 0x3c;

std::string p2pkh_address(const chain::Hash160& key_hash) {
    base::Bytes payload{kP2pkhVersion};
    base::append(payload, key_hash);
    return chain::base58check_encode(payload);
}

chain::Transaction spend(const chain::OutPoint& from, const chain::TxOutput& spent,
                         const sim::SimKey& key, std::int64_t fee_sat) {
    chain::Transaction transaction;
    transaction.inputs.emplace_back().previous = from;
    transaction.outputs.push_back({spent.value_sat - fee_sat, key.p2wpkh_script()});
    key.sign(transaction, 0, spent);
    return transaction;
}

}  // namespace

std::string bcoin_address(const chain::Hash160& key_hash) {
    chain::Bech32 content{chain::Bech32Variant::bech32, std::string(kHrp), {0}};
    unsigned pending = 0;
    unsigned bits = 0;
    for (const auto byte : key_hash) {
        pending = pending << 8 | byte;
        for (bits += 8; bits >= 5;) {
            bits -= 5;
            content.values.push_back(static_cast<std::uint8_t>(pending >> bits & 31));
        }
    }
    // 160 bits are 32 groups exactly.
    return chain::bech32_encode(content);
}

BcoinWallet::BcoinWallet(const BcoinNode& node)
    : node_(node), key_(sim::SimKey::from_seed("bcoin wallet")) {}

void BcoinWallet::mine_to_height(std::int32_t height) {
    const auto start = node_.height();
    if (funded_height_ == 0) {
        node_.generate(1, p2pkh_address(key_.key_hash()));
        funded_height_ = start + 1;
    }
    const auto target = std::max(height, funded_height_ + kMaturity);
    node_.generate(target - node_.height(), bcoin_address(chain::Hash160{1}));
}

chain::Transaction BcoinWallet::send_to_p2wpkh(std::int64_t fee_sat) {
    const auto hash = node_.call("getblockhash", nlohmann::json::array({funded_height_}));
    const auto raw =
        base::from_hex(node_.call("getblock", {hash, false, false}).get<std::string>());
    base::ByteReader reader(*raw);
    reader.take(80);
    const auto count = chain::read_compact_size(reader);
    const auto coinbase = chain::read_transaction(reader);
    if (!count || !coinbase) throw std::runtime_error("bcoin's block cannot be read");
    const auto transaction = spend({coinbase->txid(), 0}, coinbase->outputs[0], key_, fee_sat);
    send(transaction);
    return transaction;
}

chain::Transaction BcoinWallet::send_p2wpkh_spend(const chain::Transaction& from,
                                                  std::int64_t fee_sat) {
    const auto transaction = spend({from.txid(), 0}, from.outputs[0], key_, fee_sat);
    send(transaction);
    return transaction;
}

void BcoinWallet::send(const chain::Transaction& transaction) const {
    const auto txid = transaction.txid().rpc_hex();
    node_.call("sendrawtransaction",
               nlohmann::json::array({base::to_hex(transaction.serialize())}));
    // bcoin answers before it has judged the transaction, so ask the mempool.
    const base::SystemClock clock;
    const auto deadline = clock.steady_ms() + 30'000;
    while (true) {
        for (const auto& known : node_.call("getrawmempool")) {
            if (known == txid) return;
        }
        if (clock.steady_ms() > deadline) {
            throw std::runtime_error("bcoin did not take transaction " + txid);
        }
    }
}

}  // namespace adit::tests
