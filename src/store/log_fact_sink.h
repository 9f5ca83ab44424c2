// Takes a fact that moves money into the share log and waits until the tally has folded it into the
// ledger. Safe from any thread; log and tally must outlive it.
#pragma once

#include "base/clock.h"
#include "ledger/journal.h"
#include "store/file_share_log.h"
#include "store/tally_thread.h"

#include <stop_token>

namespace adit::store {

class LogFactSink final : public ledger::FactSink {
 public:
    // record() waits at most timeout_ms, for log and ledger together.
    LogFactSink(FileShareLog& log, TallyThread& tally, const base::Clock& clock,
                std::int64_t timeout_ms)
        : log_(log),
          tally_(tally),
          clock_(clock),
          timeout_ms_(timeout_ms),
          start_(log.durable_position()) {}

    // Errors, in words: "the fact is not in the share log: ..." (it never will be), "it is not
    // known whether the fact is in the share log: ...", and "the fact is in the share log, but the
    // ledger has not folded it: ..." (it will, in its turn).
    ledger::Stored<void> record(share::Record fact) override;
    ledger::Stored<void> caught_up() override;
    // Ends every record() that waits, now and from now on.
    void stop() { stop_.request_stop(); }

 private:
    FileShareLog& log_;
    TallyThread& tally_;
    const base::Clock& clock_;
    const std::int64_t timeout_ms_;
    const share::LogPosition start_;  // where the log ended when this was made
    std::stop_source stop_;
};

}  // namespace adit::store
