#include "manager/payout_desk.h"

#include <chrono>

namespace adit::manager {
namespace {

constexpr std::string_view kEnding = "the pool is ending; nothing was done";
constexpr std::string_view kGivenUp = "the wait for other commands was given up; nothing was done";

}  // namespace

class PayoutDesk::Turn {
 public:
    // Of the desk's own thread: behind all commands. Check taken().
    Turn(PayoutDesk& desk, std::stop_token stop) : desk_(desk) {
        std::unique_lock lock(desk_.mutex_);
        taken_ =
            desk_.changed_.wait(lock, stop, [&] { return !desk_.busy_ && desk_.commands_ == 0; });
        if (taken_) desk_.busy_ = true;
    }
    // Of a command. `after_the_end`: also of a desk that was stopped.
    Turn(PayoutDesk& desk, std::stop_token stop, bool after_the_end) : desk_(desk) {
        std::unique_lock lock(desk_.mutex_);
        const auto refused = [&] { return desk_.ended_ && !after_the_end; };
        ++desk_.commands_;
        desk_.changed_.wait(lock, stop, [&] { return !desk_.busy_ || refused(); });
        --desk_.commands_;
        taken_ = !desk_.busy_ && !refused() && !stop.stop_requested();
        if (taken_) desk_.busy_ = true;
        if (refused()) why_ = kEnding;
        desk_.changed_.notify_all();
    }
    ~Turn() {
        if (!taken_) return;
        const std::lock_guard lock(desk_.mutex_);
        desk_.busy_ = false;
        desk_.changed_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    bool taken() const { return taken_; }
    // Why it was not taken.
    std::string_view why() const { return why_; }

 private:
    PayoutDesk& desk_;
    bool taken_ = false;
    std::string_view why_ = kGivenUp;
};

PayoutDesk::PayoutDesk(std::unique_ptr<StoppablePayouts> service, PayoutDeskSettings settings,
                       ledger::LedgerReader& reader, metrics::Registry& registry,
                       const base::Clock& clock, base::Logger& logger)
    : service_(std::move(service)),
      settings_(settings),
      reader_(reader),
      clock_(clock),
      logger_(logger),
      step_ms_(registry.histogram("adit_payout_step_ms",
                                  "How long it takes to look after all payouts once.",
                                  metrics::latency_bounds_ms())) {}

PayoutDesk::~PayoutDesk() {
    stop();
}

void PayoutDesk::start() {
    thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
}

void PayoutDesk::stop() {
    thread_.request_stop();
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }
    service_->cut_short();
    if (thread_.joinable()) thread_.join();
    // A command may still be under way on its own thread.
    const Turn last(*this, std::stop_token(), true);
}

void PayoutDesk::kick() {
    const std::lock_guard lock(mutex_);
    kicked_ = true;
    changed_.notify_all();
}

void PayoutDesk::replace(std::unique_ptr<StoppablePayouts> next) {
    {
        const Turn turn(*this, std::stop_token(), true);
        service_.swap(next);
        const auto status = service_->status();
        look(&status);
    }
    kick();
}

void PayoutDesk::loop(std::stop_token stop) {
    while (!stop.stop_requested()) {
        if (const Turn turn(*this, stop); turn.taken()) step();
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, std::chrono::milliseconds(settings_.interval_ms),
                          [this] { return kicked_; });
    }
}

void PayoutDesk::step() {
    {
        const std::lock_guard lock(mutex_);
        kicked_ = false;
    }
    const auto began_ns = clock_.steady_ns();
    const auto status = service_->step();
    step_ms_.observe(static_cast<double>(clock_.steady_ns() - began_ns) / 1e6);
    look(&status);
    const std::lock_guard lock(mutex_);
    ++view_.steps;
}

void PayoutDesk::look(const ledger::PayoutStatus* status) {
    const auto sent = reader_.balance_of(ledger::kSentAccount);
    if (!sent) logger_.warning("payout", "what was paid cannot be read", {{"why", sent.error()}});
    const std::lock_guard lock(mutex_);
    if (status != nullptr) view_.status = *status;
    if (!sent) return;
    view_.paid = sent->posted;
    view_.under_way = sent->reserved;
}

template <class Work>
auto PayoutDesk::in_turn(std::stop_token stop, Work work) -> decltype(work()) {
    decltype(work()) result = std::unexpected(std::string());
    {
        const Turn turn(*this, stop, false);
        if (!turn.taken()) return std::unexpected(std::string(turn.why()));
        result = work();
        const auto status = service_->status();
        look(&status);
    }
    // What was decided is acted upon at once.
    kick();
    return result;
}

ledger::Stored<ledger::PayoutRound> PayoutDesk::run(bool dry, std::stop_token stop) {
    return in_turn(stop, [&] { return service_->run(dry); });
}

ledger::Stored<ledger::PayoutRow> PayoutDesk::approve(share::PayoutId id, std::string_view note,
                                                      std::stop_token stop) {
    return in_turn(stop, [&] { return service_->approve(id, note); });
}

ledger::Stored<ledger::PayoutRow> PayoutDesk::cancel(share::PayoutId id, std::string_view note,
                                                     std::stop_token stop) {
    return in_turn(stop, [&] { return service_->cancel(id, note); });
}

ledger::Stored<ledger::PayoutRow> PayoutDesk::replace_anchor(share::PayoutId id,
                                                             std::string_view note,
                                                             std::stop_token stop) {
    return in_turn(stop, [&] { return service_->replace(id, note); });
}

ledger::Stored<std::vector<share::ExplainRecord>> PayoutDesk::explain(
    const ledger::SpendExplanation& explanation, std::stop_token stop) {
    return in_turn(stop, [&] { return service_->explain(explanation); });
}

PayoutView PayoutDesk::view() const {
    const std::lock_guard lock(mutex_);
    return view_;
}

}  // namespace adit::manager
