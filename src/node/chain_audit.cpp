#include "node/chain_audit.h"

#include "chain/block.h"
#include "job/payout_snapshot.h"
#include "node/block_coinbase.h"
#include "node/block_view.h"
#include "node/json.h"

namespace adit::node {
namespace {

using ledger::BlockPlace;
using ledger::BlockState;
using ledger::PayoutState;

template <class T>
using Answer = std::expected<T, RpcError>;

class ChainAudit {
 public:
    ChainAudit(RpcClient& client, const ChainAuditSettings& settings,
               const std::function<void(ledger::AuditDifference)>& report)
        : client_(client), settings_(settings), report_(report) {}

    Answer<void> begin() {
        const auto info = ask_chain_info(client_, settings_.network, settings_.timeout_ms);
        if (!info) return std::unexpected(info.error());
        view_ = view_of_chain(settings_.node, *info);
        if (!info->right_chain) return unusable("is on another chain: " + info->chain);
        if (!info->synced) return unusable("is not synchronised");
        return {};
    }

    // `split` is the block's as the ledger has it.
    Answer<void> check(const ledger::BlockRow& row, std::span<const ledger::SplitRow> split) {
        const auto& block = row.found.block;
        const auto view = ask_view(client_, view_, block.hash, block.height, settings_.timeout_ms);
        if (!view) return std::unexpected(view.error());
        const auto name = fmt::format("block {} at height {}", block.hash.rpc_hex(), block.height);
        if (row.state == BlockState::orphaned) {
            if (view->place == BlockPlace::in_chain) {
                differ(row.found.position, name, "outside of the best chain: it is orphaned",
                       view->words());
            }
            return {};
        }
        if (view->place != BlockPlace::in_chain) {
            differ(row.found.position, name,
                   fmt::format("in the best chain: it is {}", name_of(row.state)), view->words());
            return {};
        }
        return check_coinbase(row, split, name);
    }

    // Whether the transaction is in its block, and how deep that is.
    Answer<void> check(const ledger::PayoutRow& payout) {
        const auto name =
            fmt::format("transaction {} of payout {}", payout.txid.rpc_hex(), payout.id);
        const auto view =
            ask_view(client_, view_, payout.block, payout.height, settings_.timeout_ms);
        if (!view) return std::unexpected(view.error());
        if (view->place != BlockPlace::in_chain ||
            view->confirmations < settings_.payout_confirmations) {
            differ(0, name,
                   fmt::format("in block {} with {} confirmations", payout.block.rpc_hex(),
                               settings_.payout_confirmations),
                   view->words());
            return {};
        }
        const auto holds = block_holds(payout.block, payout.txid);
        if (!holds) return std::unexpected(holds.error());
        if (!*holds) {
            differ(0, name, fmt::format("in block {}", payout.block.rpc_hex()),
                   "a block without it");
        }
        return {};
    }

 private:
    std::unexpected<RpcError> unusable(std::string why) const {
        return std::unexpected(
            RpcError{RpcErrorKind::rpc, 0, fmt::format("node {} {}", settings_.node, why)});
    }

    Answer<void> check_coinbase(const ledger::BlockRow& row,
                                std::span<const ledger::SplitRow> split, const std::string& name) {
        const auto& hash = row.found.block.hash;
        const auto header = ask_header(client_, hash, settings_.timeout_ms);
        if (!header) return std::unexpected(header.error());
        const auto coinbase = ask_coinbase(client_, hash, *header, by_id_, settings_.timeout_ms);
        if (!coinbase) return std::unexpected(coinbase.error());
        const auto value = value_of(coinbase->transaction);
        if (!value || *value != row.reward) {
            differ(row.found.position, name + ": value of its coinbase",
                   fmt::format("{} sat, as was split", row.reward.sat()),
                   value ? fmt::format("{} sat", value->sat()) : "no amount");
        }
        for (const auto& part : split) {
            if (part.paid.is_zero()) continue;
            const auto script = job::script_of_account(part.account);
            const auto pays = [&](const chain::TxOutput& output) {
                return output.script == script && output.value_sat == part.paid.sat();
            };
            if (script.empty() || std::ranges::none_of(coinbase->transaction.outputs, pays)) {
                differ(row.found.position, name + ": what its coinbase pays",
                       fmt::format("{} sat to {}", part.paid.sat(), part.account),
                       "no such output");
            }
        }
        return {};
    }

    // By the list of ids, proven by the merkle root of the block's own header.
    Answer<bool> block_holds(const chain::Hash256& block, const chain::Hash256& txid) {
        const auto header = ask_header(client_, block, settings_.timeout_ms);
        if (!header) return std::unexpected(header.error());
        const auto reply = client_.call("getblock", fmt::format(R"(["{}",1])", block.rpc_hex()),
                                        settings_.timeout_ms);
        if (!reply) return std::unexpected(reply.error());
        std::vector<chain::Hash256> ids;
        if (const auto list = json_as<simdjson::dom::array>(reply->result(), "tx")) {
            for (const auto entry : *list) {
                std::string_view hex;
                if (entry.get(hex) != simdjson::SUCCESS) break;
                ids.push_back(chain::Hash256::from_rpc_hex(hex).value_or(chain::Hash256{}));
            }
        }
        const bool holds = std::ranges::find(ids, txid) != ids.end();
        if (ids.empty() || chain::merkle_root(std::move(ids)) != header->merkle_root) {
            return std::unexpected(
                RpcError{RpcErrorKind::malformed, 0, "getblock gave ids that are not the block's"});
        }
        return holds;
    }

    void differ(share::LogPosition position, std::string what, std::string expected,
                std::string found) {
        report_({position, std::move(what), std::move(expected), std::move(found)});
    }

    RpcClient& client_;
    const ChainAuditSettings& settings_;
    const std::function<void(ledger::AuditDifference)>& report_;
    ledger::NodeView view_;
    bool by_id_ = true;
};

bool has_place(BlockState state) {
    switch (state) {
        case BlockState::confirmed:
        case BlockState::mature:
        case BlockState::orphaned:
            return true;
        case BlockState::found:
        case BlockState::contested:
            return false;  // nobody claims to know
    }
    return false;
}

}  // namespace

ledger::Stored<ChainAuditCount> compare_with_chain(
    RpcClient& client, const ChainAuditSettings& settings, ledger::LedgerReader& books,
    const std::function<void(ledger::AuditDifference)>& report) {
    const auto blocks = books.block_rows();
    if (!blocks) return std::unexpected(blocks.error());
    const auto payouts = books.payout_rows();
    if (!payouts) return std::unexpected(payouts.error());
    ChainAudit audit(client, settings, report);
    if (const auto begun = audit.begin(); !begun) return std::unexpected(begun.error().message);
    ChainAuditCount count;
    for (const auto& block : *blocks) {
        if (!has_place(block.state)) continue;
        const auto split = books.split_of(block.found.block.hash);
        if (!split) return std::unexpected(split.error());
        if (const auto done = audit.check(block, *split); !done) {
            return std::unexpected(done.error().message);
        }
        ++count.blocks;
    }
    for (const auto& payout : *payouts) {
        if (payout.state != PayoutState::confirmed && payout.state != PayoutState::buried) continue;
        if (const auto done = audit.check(payout); !done) {
            return std::unexpected(done.error().message);
        }
        ++count.payouts;
    }
    return count;
}

}  // namespace adit::node
