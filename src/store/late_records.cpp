#include "store/late_records.h"

#include <chrono>
#include <iterator>

namespace adit::store {
namespace {

using share::kNameLimit;

// Records that are handed over in other ways, or that the log writes by itself.
template <class T>
concept NoFact = std::same_as<T, share::ShareRecord> || std::same_as<T, share::JobRecord> ||
                 std::same_as<T, share::AccountRecord> || std::same_as<T, share::WorkerRecord> ||
                 std::same_as<T, share::BlockRecord> || std::same_as<T, share::RunRecord>;

// Sizes that the encoder takes for granted. Room for the other fields of the largest record.
constexpr std::size_t kOtherFields = 512;

bool fits(const share::RulesRecord& rules) {
    return rules.fee_account.size() <= kNameLimit;
}
bool fits(const share::SettingsRecord& settings) {
    return settings.account.size() <= kNameLimit;
}
bool fits(const share::BlockFactRecord&) {
    return true;
}
bool fits(const share::PayoutIntentRecord& intent) {
    if (intent.payees.size() > share::kPayeeLimit) return false;
    auto left = share::kRecordBodyLimit - kOtherFields;
    for (const auto& payee : intent.payees) {
        const auto size = 32 + payee.account.size() + payee.script.size();
        if (payee.account.size() > kNameLimit || size > left) return false;
        left -= size;
    }
    return true;
}
bool fits(const share::PayoutSignedRecord& payout) {
    return payout.raw.size() <= share::kRecordBodyLimit - kOtherFields;
}
bool fits(const share::PayoutFactRecord&) {
    return true;
}
bool fits(const share::ExplainRecord& explained) {
    return explained.account.size() <= kNameLimit;
}
bool fits(const share::SnapshotRecord& snapshot) {
    return snapshot.entries.size() <= share::kSnapshotLimit;
}

}  // namespace

std::expected<base::Bytes, std::string> encode_fact(const share::Record& fact) {
    base::Bytes bytes;
    const bool encoded = std::visit(
        [&]<class T>(const T& value) {
            if constexpr (NoFact<T>) {
                return false;
            } else {
                if (!fits(value)) return false;
                append_record(bytes, value);
                return true;
            }
        },
        fact);
    if (!encoded) {
        return std::unexpected(
            "the record is no fact that the share log can take, or is too large");
    }
    // What cannot be read back would stop every reader of the log at this place.
    base::ByteReader reader(bytes);
    const auto read = share::read_record(reader);
    if (!read) return std::unexpected(std::string(share::describe(read.error())));
    return bytes;
}

void LateRecords::add_block(base::Bytes bytes, std::uint64_t batches) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(bytes), batches, nullptr});
}

std::expected<std::shared_ptr<LateRecords::Ticket>, FactFailure> LateRecords::add_fact(
    base::Bytes bytes, std::uint64_t batches) {
    const std::lock_guard lock(mutex_);
    if (facts_ >= max_facts_ || bytes.size() > max_fact_bytes_ - fact_bytes_) {
        return std::unexpected(FactFailure{
            false, fmt::format("{} facts ({} bytes) already wait for the share log, and it takes "
                               "no more until its storage returns",
                               facts_, fact_bytes_)});
    }
    ++facts_;
    fact_bytes_ += bytes.size();
    auto ticket = std::make_shared<Ticket>();
    waiting_.push_back({std::move(bytes), batches, ticket});
    return ticket;
}

LateRecords::Outcome LateRecords::await(const Ticket& ticket, std::stop_token stop,
                                        std::int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    answered_.wait_for(lock, stop, std::chrono::milliseconds(timeout_ms),
                       [&] { return ticket.outcome.has_value(); });
    if (ticket.outcome) return *ticket.outcome;
    return std::unexpected(FactFailure{
        true,
        stop.stop_requested()
            ? "the wait for the share log was given up; the fact stays queued"
            : fmt::format("the share log did not take the fact within {} ms; it stays queued and "
                          "is written when storage returns",
                          timeout_ms)});
}

bool LateRecords::waiting() const {
    const std::lock_guard lock(mutex_);
    return !waiting_.empty();
}

void LateRecords::fill(Frame& frame, std::uint64_t batches) {
    const std::lock_guard lock(mutex_);
    while (!waiting_.empty() && waiting_.front().batches <= batches &&
           frame.bytes.size() < kMaxFrameSize / 2) {
        base::append(frame.bytes, waiting_.front().bytes);
        ++frame.records;
        in_frame_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
}

void LateRecords::committed(share::LogPosition end) {
    {
        const std::lock_guard lock(mutex_);
        for (auto& late : in_frame_)
            answer_locked(late, end);
        in_frame_.clear();
    }
    answered_.notify_all();
}

void LateRecords::put_back() {
    const std::lock_guard lock(mutex_);
    waiting_.insert(waiting_.begin(), std::make_move_iterator(in_frame_.begin()),
                    std::make_move_iterator(in_frame_.end()));
    in_frame_.clear();
}

void LateRecords::close() {
    {
        const std::lock_guard lock(mutex_);
        for (auto& late : in_frame_) {
            answer_locked(late, std::unexpected(FactFailure{
                                    true,
                                    "the share log was closed while its storage failed; the fact "
                                    "may be on the disk or not, which its next start will tell"}));
        }
        for (auto& late : waiting_) {
            answer_locked(late, std::unexpected(FactFailure{
                                    false, "the share log was closed before it took the fact"}));
        }
        in_frame_.clear();
        waiting_.clear();
    }
    answered_.notify_all();
}

void LateRecords::answer_locked(Late& late, Outcome outcome) {
    if (!late.ticket) return;
    late.ticket->outcome = std::move(outcome);
    --facts_;
    fact_bytes_ -= late.bytes.size();
}

}  // namespace adit::store
