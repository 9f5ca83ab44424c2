#include "manager/recovered_job.h"

#include "ledger/payout_snapshots.h"

#include <ranges>
#include <set>

namespace adit::manager {
namespace {

std::int64_t value_of(const node::OwnBlock& block) {
    const auto coinbase = chain::parse_transaction(block.coinbase);
    std::int64_t sum = 0;
    if (!coinbase) return sum;
    for (const auto& output : coinbase->outputs)
        sum += output.value_sat;
    return sum;
}

// With the snapshot by which this coinbase was made; null: none of these.
ledger::Stored<job::JobRef> job_by_snapshot(share::JobRecord record, store::SqlLedger& ledger) {
    const auto snapshots = ledger.snapshots();
    if (!snapshots) return std::unexpected(snapshots.error());
    job::JobRef made;
    auto looked = ledger.look([&](ledger::Journal& journal) {
        for (const auto& snapshot : std::views::reverse(*snapshots)) {
            record.snapshot = snapshot.id;
            record.pays_dues = record.previous == snapshot.previous;
            auto job = share::restore_job(record);
            const auto named = ledger::named_snapshot(snapshot, [&](share::AccountId account) {
                return journal.account_name(journal.instance(), account);
            });
            if (!ledger::coinbase_fault(*job, named).empty()) continue;
            made = std::move(job);
            return;
        }
    });
    if (!looked) return std::unexpected(looked.error());
    return made;
}

}  // namespace

ledger::Stored<bool> pays_by_snapshot(const chain::Transaction& coinbase,
                                      store::SqlLedger& ledger) {
    const auto snapshots = ledger.snapshots();
    if (!snapshots) return std::unexpected(snapshots.error());
    std::set<share::AccountId> accounts;
    for (const auto& snapshot : *snapshots) {
        for (const auto& entry : snapshot.entries)
            accounts.insert(entry.account);
    }
    std::set<base::Bytes> paid;
    for (const auto& output : coinbase.outputs) {
        if (output.value_sat > 0) paid.insert(output.script);
    }
    bool pays = false;
    auto looked = ledger.look([&](ledger::Journal& journal) {
        pays = std::ranges::any_of(accounts, [&](share::AccountId account) {
            const auto name = journal.account_name(journal.instance(), account);
            const auto script = name ? job::script_of_account(*name) : base::Bytes{};
            return !script.empty() && paid.contains(script);
        });
    });
    if (!looked) return std::unexpected(looked.error());
    return pays;
}

job::JobRef recovered_job(const node::OwnBlock& block, job::JobId id, chain::Network network,
                          std::string_view signature, store::SqlLedger& ledger,
                          base::Logger& logger) {
    auto job = job_of_chain(block, id, network, signature);
    const auto value_sat = value_of(block);
    if (!job || value_sat == block.value_sat) return job;
    auto record = share::record_of(*job, std::int64_t{block.header.time} * 1000);
    record.coinbase_value_sat = value_sat;
    const auto by_snapshot = job_by_snapshot(std::move(record), ledger);
    if (by_snapshot && *by_snapshot) return *by_snapshot;
    // Whatever pays nothing to the pool may be another pool's that has the same signature.
    logger.error("block",
                 block.value_sat > 0
                     ? "a block of this pool pays others, and no snapshot says whom"
                     : "a block with this pool's signature pays miners of this pool, but not as a "
                       "snapshot says; it is taken for another pool's and left alone",
                 {{"hash", block.hash.rpc_hex()},
                  {"value_sat", value_sat},
                  {"why", by_snapshot ? "none fits" : by_snapshot.error()}});
    return nullptr;
}

}  // namespace adit::manager
