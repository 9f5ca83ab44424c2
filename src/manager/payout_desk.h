// Lets payouts be looked after steadily and by one at a time: owns the payout service and one
// thread that calls its step() every few seconds and whenever somebody kicks, and lets commands of
// operators in between, one after the other and never while a step runs. What people see of
// payouts is kept here, so that looking never waits for a wallet.
//
// start(), stop() and replace() are for the owner's thread; everything else is safe from any.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "ledger/payout_service.h"
#include "metrics/registry.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

namespace adit::manager {

// What the desk drives: payouts whose wait for a wallet can be cut short.
class StoppablePayouts : public ledger::PayoutService {
 public:
    // Ends the wallet's call under way and fails all later ones. From any thread.
    virtual void cut_short() = 0;
};

struct PayoutDeskSettings {
    std::int64_t interval_ms = 5'000;  // between two steps, unless kicked
};

// Where payouts stand, as of the last step or command.
struct PayoutView {
    ledger::PayoutStatus status;
    ledger::Amount paid;       // by confirmed payouts and coinbases, since the ledger began
    ledger::Amount under_way;  // reserved for payouts that are not confirmed yet
    std::uint64_t steps = 0;   // since start
};

class PayoutDesk {
 public:
    template <class T>
    using Stored = ledger::Stored<T>;

    // Everything but the service outlives the desk.
    PayoutDesk(std::unique_ptr<StoppablePayouts> service, PayoutDeskSettings settings,
               ledger::LedgerReader& reader, metrics::Registry& registry, const base::Clock& clock,
               base::Logger& logger);
    ~PayoutDesk();  // stop()
    PayoutDesk(const PayoutDesk&) = delete;
    PayoutDesk& operator=(const PayoutDesk&) = delete;

    void start();
    // Cuts the step or command that runs short and waits for its end; commands that wait for their
    // turn are refused, as are all from then on. Idempotent.
    void stop();
    // A new tip: the next step is made now, or once more when one is running.
    void kick();
    // Another service from the next step or command on. Waits for what runs.
    void replace(std::unique_ptr<StoppablePayouts> next);

    // As in ledger::PayoutService, each in its turn. The token ends the wait for it, not the
    // command itself; what was not begun says so.
    Stored<ledger::PayoutRound> run(bool dry, std::stop_token stop);
    Stored<ledger::PayoutRow> approve(share::PayoutId id, std::string_view note,
                                      std::stop_token stop);
    Stored<ledger::PayoutRow> cancel(share::PayoutId id, std::string_view note,
                                     std::stop_token stop);
    Stored<ledger::PayoutRow> replace_anchor(share::PayoutId id, std::string_view note,
                                             std::stop_token stop);
    Stored<std::vector<share::ExplainRecord>> explain(const ledger::SpendExplanation& explanation,
                                                      std::stop_token stop);
    PayoutView view() const;

 private:
    // Nobody else calls the service while one lives.
    class Turn;
    template <class Work>
    auto in_turn(std::stop_token stop, Work work) -> decltype(work());

    void loop(std::stop_token stop);
    void step();
    // With the turn taken. nullptr: the last status stays.
    void look(const ledger::PayoutStatus* status);

    std::unique_ptr<StoppablePayouts> service_;  // of whoever has the turn
    const PayoutDeskSettings settings_;
    ledger::LedgerReader& reader_;
    const base::Clock& clock_;
    base::Logger& logger_;
    metrics::Histogram& step_ms_;

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable_any changed_;
    bool busy_ = false;         // somebody has the turn
    std::size_t commands_ = 0;  // that wait for it; they go before the next step
    bool kicked_ = false;
    bool ended_ = false;
    PayoutView view_;

    std::jthread thread_;
};

}  // namespace adit::manager
