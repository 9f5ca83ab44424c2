// Writes down what becomes of found blocks: takes the block watch's decisions into the log as
// facts, each once, in order, with the transition number that the ledger expects next, and tells
// people and metrics. Keeps the reward rules in the log those of the configuration. Owns the block
// watch and, through it, one thread; the calls here are for the owner's thread except where they
// say otherwise.
#pragma once

#include "ledger/journal.h"
#include "node/block_watch.h"

#include <map>
#include <memory>
#include <mutex>

namespace adit::manager {

class Settler final : public node::BlockBooks {
 public:
    // Everything handed in outlives the settler.
    Settler(node::BlockWatchSettings watch, ledger::LedgerReader& reader, ledger::FactSink& sink,
            metrics::Registry& registry, const base::Clock& clock, base::Logger& logger);
    ~Settler() override;

    void start();
    // Ends the watch; a fact on its way is waited for.
    void stop();
    // A new tip, or a block was found: looks now. From any thread.
    void kick();
    // Other nodes from now on; they are watched at once when the settler runs.
    void set_nodes(std::vector<node::NodeSettings> nodes);

    // The rules of the configuration (at_wall_ms is not looked at). Writes them into the log when
    // they are not those in force; they hold from the next block record on. Call before the first
    // share is taken and when the configuration has changed; may block for as long as storage
    // takes. After an error, a sentence, every round tries again until they are in force. From any
    // thread.
    ledger::Stored<void> set_rules(share::RulesRecord rules);
    // The same, but leaves the writing to the rounds.
    void want_rules(share::RulesRecord rules);

    // Complete rounds over all blocks with the nodes of now. From any thread, but not during
    // set_nodes().
    std::uint64_t rounds() const;

    // For the watch, on its thread.
    ledger::Stored<std::vector<node::WatchedBlock>> watched_blocks() override;
    std::optional<ledger::BlockState> take(const node::WatchedBlock& block,
                                           const node::SeenFact& seen) override;
    void round_over() override;

 private:
    // What the ledger refused, so that it is not written at every round.
    struct Refused {
        std::uint32_t transition = 0;
        share::BlockFact fact = share::BlockFact::confirmed;
        friend bool operator==(const Refused&, const Refused&) = default;
    };

    void make_watch();
    ledger::Stored<void> put_rules_locked();
    share::BlockFactRecord next_fact(const ledger::BlockRow& row, const node::SeenFact& seen);
    void tell_people(const ledger::BlockRow& before, const ledger::BlockRow& after,
                     const share::BlockFactRecord& fact);
    void count_states(const std::vector<ledger::BlockRow>& rows);
    void sum_balances();
    void complain(std::string_view what, const std::string& why);

    node::BlockWatchSettings watch_settings_;
    ledger::LedgerReader& reader_;
    ledger::FactSink& sink_;
    metrics::Registry& registry_;
    const base::Clock& clock_;
    base::Logger& logger_;

    static constexpr std::size_t kStates = 5;
    std::array<metrics::Gauge*, kStates> states_{};
    std::array<metrics::Counter*, kStates> facts_{};  // by the state that they led to
    metrics::Counter& refused_total_;
    metrics::Counter& failures_;
    metrics::Gauge& posted_;
    metrics::Gauge& pending_;
    metrics::Gauge& reserved_;
    metrics::Gauge& overdrawn_;
    metrics::Gauge& imbalance_;

    // Of the watch's thread.
    std::map<chain::Hash256, share::BlockFactRecord> unsure_;  // perhaps in the log
    std::map<chain::Hash256, Refused> refused_;
    bool imbalanced_ = false;

    std::mutex rules_mutex_;
    std::optional<share::RulesRecord> wanted_;  // until it is in force

    bool running_ = false;
    mutable std::mutex watch_mutex_;
    std::unique_ptr<node::BlockWatch> watch_;  // last: its thread calls everything above
};

}  // namespace adit::manager
