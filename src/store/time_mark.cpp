#include "store/time_mark.h"

namespace adit::store {

std::expected<void, std::string> TimeMark::write(std::int64_t timeout_ms, std::stop_token stop) {
    share::ShareBatch batch;
    batch.listener = this;
    {
        const std::lock_guard lock(mutex_);
        batch.ticket = ++last_ticket_;
        waiting_.emplace(batch.ticket, std::nullopt);
    }
    const auto ticket = batch.ticket;
    const bool taken = log_.submit(batch);
    std::unique_lock lock(mutex_);
    if (taken) {
        answered_.wait_for(lock, stop, std::chrono::milliseconds(timeout_ms),
                           [&] { return waiting_.at(ticket).has_value(); });
    }
    const auto result = waiting_.extract(ticket).mapped();
    if (!taken) return std::unexpected("it takes nothing at the moment");
    if (!result) return std::unexpected(fmt::format("no answer within {} ms", timeout_ms));
    if (*result == share::CommitResult::failed) return std::unexpected("the write failed");
    return {};
}

void TimeMark::on_commit(std::uint64_t ticket, share::CommitResult result) {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(ticket);
    if (found == waiting_.end()) return;  // nobody waits any more
    found->second = result;
    answered_.notify_all();
}

}  // namespace adit::store
