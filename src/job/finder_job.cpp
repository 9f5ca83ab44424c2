#include "job/finder_job.h"

#include "base/check.h"
#include "chain/transaction.h"

namespace adit::job {
namespace {

constexpr std::size_t kSequenceSize = 4;
constexpr std::size_t kAmountSize = 8;

// The tail with another script in its first output; empty when there is none.
base::Bytes with_first_script(base::ByteSpan tail, base::ByteSpan script) {
    base::ByteReader reader(tail);
    (void)reader.take(kSequenceSize);
    const auto outputs = chain::read_compact_size(reader);
    if (!outputs || *outputs == 0) return {};
    (void)reader.take(kAmountSize);
    const auto before = tail.size() - reader.left();
    const auto size = chain::read_compact_size(reader);
    if (!size) return {};
    (void)reader.take(*size);
    if (!reader.ok()) return {};
    base::Bytes out(tail.begin(), tail.begin() + static_cast<std::ptrdiff_t>(before));
    chain::append_compact_size(out, script.size());
    base::append(out, script);
    base::append(out, tail.last(reader.left()));
    return out;
}

}  // namespace

JobRef job_for_finder(const Job& job, base::ByteSpan script) {
    ADIT_CHECK(!script.empty(), "anybody could spend what an empty script gets");
    auto tail = with_first_script(job.coinbase_tail, script);
    if (tail.empty()) return nullptr;
    auto own = std::make_shared<Job>(job);
    own->coinbase_tail = std::move(tail);
    derive(*own);
    return own;
}

}  // namespace adit::job
