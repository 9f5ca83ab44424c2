#include "manager/settler.h"

#include "manager/config.h"

#include <cmath>

namespace adit::manager {
namespace {

using ledger::BlockRow;
using ledger::BlockState;
using share::BlockFact;

// "2.5": a whole number of thousandths.
std::string thousandths(std::uint32_t milli) {
    return fmt::format("{}.{:03}", milli / 1'000, milli % 1'000);
}

bool same_rules(share::RulesRecord a, share::RulesRecord b) {
    a.at_wall_ms = b.at_wall_ms = 0;
    return a == b;
}

double satoshis(chain::Amount amount) {
    return static_cast<double>(amount.sat());  // for a gauge; exact below 2^53
}

}  // namespace

Settler::Settler(node::BlockWatchSettings watch, ledger::LedgerReader& reader,
                 ledger::FactSink& sink, metrics::Registry& registry, const base::Clock& clock,
                 base::Logger& logger)
    : watch_settings_(std::move(watch)),
      reader_(reader),
      sink_(sink),
      registry_(registry),
      clock_(clock),
      logger_(logger),
      refused_total_(registry.counter("adit_block_facts_refused_total",
                                      "Facts about blocks that the ledger refused.")),
      failures_(registry.counter("adit_settler_failures_total",
                                 "Times that the settler could not read the ledger or write into "
                                 "the log.")),
      posted_(registry.gauge("adit_ledger_posted_satoshis",
                             "Posted balances of all accounts but the ledger's own.")),
      pending_(registry.gauge("adit_ledger_pending_satoshis",
                              "Pending balances of all accounts but the ledger's own.")),
      reserved_(registry.gauge("adit_ledger_reserved_satoshis",
                               "Reserved for payouts under way (below zero).")),
      overdrawn_(registry.gauge("adit_ledger_overdrawn_satoshis",
                                "Sum of the posted balances below zero.")),
      imbalance_(registry.gauge("adit_ledger_imbalance_satoshis",
                                "What all accounts together are off zero; anything but 0 is a "
                                "broken ledger.")) {
    for (std::size_t i = 0; i < kStates; ++i) {
        const std::string name(ledger::name_of(static_cast<BlockState>(i)));
        states_[i] =
            &registry.gauge("adit_blocks_by_state", "Found blocks by state.", {{"state", name}});
        if (i > 0) {
            facts_[i] = &registry.counter("adit_block_facts_total",
                                          "Facts about blocks that took effect.", {{"fact", name}});
        }
    }
    make_watch();
}

Settler::~Settler() {
    stop();
}

void Settler::make_watch() {
    auto watch =
        std::make_unique<node::BlockWatch>(watch_settings_, *this, registry_, clock_, logger_);
    const std::lock_guard lock(watch_mutex_);
    watch_ = std::move(watch);
}

void Settler::start() {
    running_ = true;
    watch_->start();
}

void Settler::stop() {
    running_ = false;
    watch_->stop();
}

void Settler::kick() {
    const std::lock_guard lock(watch_mutex_);
    watch_->kick();
}

std::uint64_t Settler::rounds() const {
    const std::lock_guard lock(watch_mutex_);
    return watch_->rounds();
}

void Settler::set_nodes(std::vector<node::NodeSettings> nodes) {
    watch_->stop();
    watch_settings_.nodes = std::move(nodes);
    make_watch();
    if (running_) watch_->start();
}

ledger::Stored<void> Settler::set_rules(share::RulesRecord rules) {
    const std::lock_guard lock(rules_mutex_);
    wanted_ = std::move(rules);
    return put_rules_locked();
}

void Settler::want_rules(share::RulesRecord rules) {
    const std::lock_guard lock(rules_mutex_);
    wanted_ = std::move(rules);
}

ledger::Stored<void> Settler::put_rules_locked() {
    if (!wanted_) return {};
    const auto rows = reader_.rules_rows();
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty() || !same_rules(rows->back().rules, *wanted_)) {
        auto record = *wanted_;
        record.at_wall_ms = clock_.wall_ms();
        auto recorded = sink_.record(record);
        if (!recorded) return recorded;
        logger_.info("ledger",
                     rows->empty() ? "the reward rules are in force"
                                   : "the reward rules change with the next found block",
                     {{"scheme", share::name_of(record.scheme)},
                      {"payout", share::name_of(record.mode)},
                      {"pplns_factor", thousandths(record.pplns_factor_milli)},
                      {"fee", percent_text(record.fee_ppm)},
                      {"fee_account", record.fee_account}});
    }
    wanted_.reset();
    return {};
}

void Settler::complain(std::string_view what, const std::string& why) {
    failures_.add();
    logger_.warning("ledger", what, {{"why", why}});
}

ledger::Stored<std::vector<node::WatchedBlock>> Settler::watched_blocks() {
    {
        const std::lock_guard lock(rules_mutex_);
        if (const auto put = put_rules_locked(); !put) {
            complain("the reward rules of the configuration are not in force yet", put.error());
        }
    }
    const auto rows = reader_.block_rows();
    if (!rows) return std::unexpected(rows.error());
    count_states(*rows);
    std::vector<node::WatchedBlock> blocks;
    blocks.reserve(rows->size());
    for (const auto& row : *rows) {
        blocks.push_back({row.found.block.hash, row.found.block.height, row.state, row.reward});
    }
    return blocks;
}

// The same bytes again when the same fact is perhaps in the log already: a repetition is harmless
// there.
share::BlockFactRecord Settler::next_fact(const BlockRow& row, const node::SeenFact& seen) {
    const auto transition = row.transition + 1;
    const auto before = unsure_.find(row.found.block.hash);
    if (before != unsure_.end() && before->second.transition == transition &&
        before->second.fact == seen.decision.fact) {
        return before->second;
    }
    share::BlockFactRecord fact;
    fact.hash = row.found.block.hash;
    fact.transition = transition;
    fact.fact = seen.decision.fact;
    fact.coinbase_value_sat = fact.fact == BlockFact::confirmed ? seen.reward.sat() : 0;
    fact.confirmations = seen.decision.confirmations;
    fact.at_wall_ms = clock_.wall_ms();
    fact.evidence = seen.decision.evidence;
    return fact;
}

std::optional<BlockState> Settler::take(const node::WatchedBlock& block,
                                        const node::SeenFact& seen) {
    const auto before = reader_.block_row(block.hash);
    if (!before) {
        complain("a found block cannot be read from the ledger", before.error());
        return std::nullopt;
    }
    // What was unsure may have been folded meanwhile: decide again from what the ledger holds.
    if (!*before || (*before)->state != block.state) return std::nullopt;
    const auto fact = next_fact(**before, seen);
    const Refused same{fact.transition, fact.fact};
    const auto refused = refused_.find(block.hash);
    if (refused != refused_.end() && refused->second == same) return std::nullopt;

    if (const auto recorded = sink_.record(fact); !recorded) {
        unsure_[block.hash] = fact;
        complain("what became of a found block cannot be recorded; it is tried again",
                 recorded.error());
        return std::nullopt;
    }
    unsure_.erase(block.hash);
    const auto after = reader_.block_row(block.hash);
    if (!after || !*after) {
        complain("a found block cannot be read from the ledger",
                 after ? "it is not there any more" : after.error());
        return std::nullopt;
    }
    if ((*after)->transition != fact.transition ||
        (*after)->state != ledger::state_after(fact.fact)) {
        refused_[block.hash] = same;
        refused_total_.add();
        logger_.error("ledger", "the ledger refused what became of a found block",
                      {{"block", fact.hash.rpc_hex()},
                       {"fact", share::name_of(fact.fact)},
                       {"transition", fact.transition},
                       {"state", ledger::name_of((*after)->state)}});
        return std::nullopt;
    }
    refused_.erase(block.hash);
    facts_[static_cast<std::size_t>((*after)->state)]->add();
    tell_people(**before, **after, fact);
    return (*after)->state;
}

void Settler::tell_people(const BlockRow& before, const BlockRow& after,
                          const share::BlockFactRecord& fact) {
    const auto say = [&](auto method, std::string_view sentence) {
        (logger_.*method)("ledger", sentence,
                          {{"block", fact.hash.rpc_hex()},
                           {"height", after.found.block.height},
                           {"reward_btc", after.reward.btc()},
                           {"fee_btc", after.settlement.fee.btc()},
                           {"evidence", fact.evidence}});
    };
    switch (fact.fact) {
        case BlockFact::confirmed:
            return say(&base::Logger::info, before.state == BlockState::found
                                                ? "block confirmed: its reward is split and pending"
                                                : "block confirmed again: its reward is credited");
        case BlockFact::mature:
            return say(&base::Logger::info, "block mature: its reward is posted");
        case BlockFact::contested:
            return say(&base::Logger::warning,
                       "block contested: it is not in the best chain of every node; nothing moves "
                       "until they agree");
        case BlockFact::orphaned:
            break;
    }
    if (before.posted) {
        return say(&base::Logger::error,
                   "block orphaned after it was posted: what it credited is reversed");
    }
    say(&base::Logger::warning, before.credited ? "block orphaned: what it credited is taken back"
                                                : "block orphaned: nothing was credited");
}

void Settler::round_over() {
    if (const auto rows = reader_.block_rows()) {
        count_states(*rows);
    } else {
        complain("the found blocks cannot be counted", rows.error());
    }
    sum_balances();
}

void Settler::count_states(const std::vector<BlockRow>& rows) {
    std::array<std::size_t, kStates> counts{};
    for (const auto& row : rows)
        ++counts[static_cast<std::size_t>(row.state)];
    for (std::size_t i = 0; i < kStates; ++i)
        states_[i]->set(static_cast<double>(counts[i]));
}

void Settler::sum_balances() {
    const auto rows = reader_.balances();
    const auto total = reader_.total_of_all();
    if (!rows || !total) {
        complain("the balances cannot be summed", !rows ? rows.error() : total.error());
        return;
    }
    ledger::Balance sum;
    chain::Amount below_zero;
    for (const auto& row : *rows) {
        if (row.account.starts_with(':')) continue;
        sum.posted += row.balance.posted;
        sum.pending += row.balance.pending;
        sum.reserved += row.balance.reserved;
        if (row.balance.posted < chain::Amount()) below_zero += row.balance.posted;
    }
    posted_.set(satoshis(sum.posted));
    pending_.set(satoshis(sum.pending));
    reserved_.set(satoshis(sum.reserved));
    overdrawn_.set(satoshis(below_zero));
    const bool balanced = *total == ledger::Balance{};
    imbalance_.set(std::abs(satoshis(total->posted)) + std::abs(satoshis(total->pending)) +
                   std::abs(satoshis(total->reserved)));
    if (!balanced && !imbalanced_) {
        logger_.error("ledger", "the ledger's accounts do not sum to zero",
                      {{"posted_btc", total->posted.btc()},
                       {"pending_btc", total->pending.btc()},
                       {"reserved_btc", total->reserved.btc()}});
    }
    imbalanced_ = !balanced;
}

}  // namespace adit::manager
