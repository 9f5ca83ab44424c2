#include "ledger/bookkeeper.h"

#include "ledger/block_book.h"
#include "ledger/payout_book.h"
#include "ledger/posting.h"

#include <set>

namespace adit::ledger {
namespace {

std::string words(const FoundBlock& found) {
    return fmt::format("block {} at height {}", found.block.hash.rpc_hex(), found.block.height);
}
std::string words(const share::RulesRecord& rules) {
    return fmt::format("reward rules {}", name_of(rules.scheme));
}
std::string words(const share::SettingsRecord& settings) {
    return fmt::format("settings of {}", settings.account);
}
std::string words(const share::BlockFactRecord& record) {
    return fmt::format("block {}, transition {}: {}", record.hash.rpc_hex(), record.transition,
                       name_of(record.fact));
}
std::string words(const share::PayoutIntentRecord& intent) {
    return fmt::format("payout {} to {} accounts", intent.payout, intent.payees.size());
}
std::string words(const share::PayoutSignedRecord& attempt) {
    return fmt::format("payout {}, transaction {} as attempt {}", attempt.payout,
                       attempt.txid.rpc_hex(), attempt.attempt);
}
std::string words(const share::PayoutFactRecord& record) {
    return fmt::format("payout {}, transition {}: {}", record.payout, record.transition,
                       name_of(record.fact));
}
std::string words(const share::ExplainRecord& explained) {
    return fmt::format("explanation of {}: {} sat of \"{}\"", explained.txid.rpc_hex(),
                       explained.amount_sat, explained.account);
}
std::string words(const share::SnapshotRecord& snapshot) {
    return fmt::format("payout snapshot {}", snapshot.id);
}

template <class T>
concept BlockFactOrRecord = std::same_as<T, FoundBlock> || std::same_as<T, share::BlockFactRecord>;
template <class T>
concept PayoutRecord =
    std::same_as<T, share::PayoutIntentRecord> || std::same_as<T, share::PayoutSignedRecord> ||
    std::same_as<T, share::PayoutFactRecord>;
template <class T>
concept PlacedRecord = std::same_as<T, share::RulesRecord> || std::same_as<T, share::ExplainRecord>;

// With this one as the last snapshot.
std::uint64_t last_forgotten(std::uint64_t last) {
    return last > kKeptSnapshots ? last - kKeptSnapshots : 0;
}

}  // namespace

std::optional<FactRefusal> Bookkeeper::apply(const Fact& fact) {
    const auto refusal = std::visit(
        [&]<class T>(const T& what) -> std::optional<FactRefusal> {
            if constexpr (BlockFactOrRecord<T>) {
                return BlockBook(journal_).on(what, fact);
            } else if constexpr (PayoutRecord<T>) {
                return PayoutBook(journal_).on(what, fact);
            } else if constexpr (PlacedRecord<T>) {
                return on(what, fact);
            } else {
                return on(what);
            }
        },
        fact.what);
    if (refusal && *refusal != FactRefusal::repeated) {
        const auto what = std::visit([](const auto& refused) { return words(refused); }, fact.what);
        journal_.add_refused({fact.position, fact.time_ms, *refusal, what});
    }
    return refusal;
}

std::optional<FactRefusal> Bookkeeper::on(const share::RulesRecord& rules, const Fact& fact) {
    const auto current = journal_.current_rules();
    if (current.id != 0 && current.rules == rules) return FactRefusal::repeated;
    journal_.add_rules(rules, fact.position);
    return std::nullopt;
}

std::optional<FactRefusal> Bookkeeper::on(const share::SettingsRecord& settings) {
    if (journal_.settings(settings.account) == settings) return FactRefusal::repeated;
    journal_.put_settings(settings);
    return std::nullopt;
}

std::optional<FactRefusal> Bookkeeper::on(const share::ExplainRecord& explained, const Fact& fact) {
    if (journal_.is_explained(explained.txid, explained.account)) {
        return FactRefusal::already_explained;
    }
    if (explained.amount_sat < 0 || !Amount::from_sat(explained.amount_sat)) {
        return FactRefusal::bad_amounts;
    }
    Posting posting(fact, explained.txid, 0);
    if (explained.amount_sat > 0) {
        // An account that never had anything is a slip of the pen.
        if (is_counter_account(explained.account) ||
            journal_.balance(explained.account).is_zero()) {
            return FactRefusal::unknown_account;
        }
        posting.add(Purpose::explained, Phase::direct, explained.account, explained.account,
                    kWithdrawnAccount, Amount::of(explained.amount_sat));
        if (!posting.fits(journal_, explained.account)) return FactRefusal::bad_amounts;
    }
    // Nothing can fail from here.
    journal_.add_explained(explained);
    posting.post(journal_);
    return std::nullopt;
}

std::optional<FactRefusal> Bookkeeper::on(const share::SnapshotRecord& snapshot) {
    const auto instance = journal_.instance();
    const auto last = journal_.last_snapshot(instance);
    if (snapshot.id <= last) {
        return journal_.snapshot(instance, snapshot.id) == snapshot ? FactRefusal::repeated
                                                                    : FactRefusal::stale_snapshot;
    }
    chain::Work work = 0;
    std::int64_t dues_sat = 0;
    std::set<share::AccountId> seen;
    for (const auto& entry : snapshot.entries) {
        if (!seen.insert(entry.account).second) return FactRefusal::duplicate_payee;
        if (!journal_.account_name(instance, entry.account)) return FactRefusal::unknown_account;
        if (entry.work > ~work || !Amount::from_sat(entry.due_sat)) return FactRefusal::bad_amounts;
        work += entry.work;
        if (entry.due_sat > 0) dues_sat += entry.due_sat;
        if (dues_sat > Amount::kMaxSat) return FactRefusal::bad_amounts;
    }
    // Without work nothing can be divided by it.
    if (work == 0) return FactRefusal::bad_amounts;
    // Nothing can fail from here.
    journal_.put_snapshot(snapshot);
    journal_.forget_snapshots(last_forgotten(last), last_forgotten(snapshot.id));
    return std::nullopt;
}

}  // namespace adit::ledger
