#include "store/log_fact_sink.h"

namespace adit::store {

ledger::Stored<void> LogFactSink::record(share::Record fact) {
    const auto end_ms = clock_.steady_ms() + timeout_ms_;
    const auto position = log_.append_fact(fact, timeout_ms_, stop_.get_token());
    if (!position) {
        return std::unexpected(fmt::format(
            "{}: {}",
            position.error().in_doubt ? "it is not known whether the fact is in the share log"
                                      : "the fact is not in the share log",
            position.error().text));
    }
    const auto left_ms = std::max<std::int64_t>(0, end_ms - clock_.steady_ms());
    if (tally_.wait_folded(*position, left_ms, stop_.get_token())) return {};
    auto why = tally_.error();
    if (why.empty()) {
        why = stop_.stop_requested()
                  ? "the wait for it was given up"
                  : fmt::format("the tally did not come to it within {} ms, or has ended",
                                timeout_ms_);
    }
    return std::unexpected(
        fmt::format("the fact is in the share log, but the ledger has not folded it: {}", why));
}

ledger::Stored<void> LogFactSink::caught_up() {
    const auto folded = tally_.folded_position();
    if (folded >= start_) return {};
    return std::unexpected(fmt::format(
        "the ledger is catching up with the share log: {} of {} bytes are folded", folded, start_));
}

}  // namespace adit::store
