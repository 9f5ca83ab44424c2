#include "ledger/pplns.h"

#include <limits>

namespace adit::ledger {
namespace {

constexpr std::uint32_t kFactorOne = 1'000;
// Bounds a table to 16 MiB.
constexpr share::AccountId kTableIds = 1 << 20;

chain::Work sum_of(chain::Work a, chain::Work b) {
    ADIT_CHECK(a <= ~b, "work of all time fits into 128 bits");
    return a + b;
}

// Takes `needed` from a slice that has more, pro rata: parts rounded down, and the units left over
// go, one each, in the order of the names.
void cut(std::vector<AccountWork>& slice, chain::Work needed) {
    chain::Work total = 0;
    for (const auto& account : slice)
        total = sum_of(total, account.work);
    auto left = needed;
    std::vector<chain::Work> parts;
    parts.reserve(slice.size());
    for (const auto& account : slice) {
        const auto product = base::U256::from_u128(account.work) * base::U256::from_u128(needed);
        parts.push_back((product / base::U256::from_u128(total)).low128());
        left -= parts.back();
    }
    // Fewer units than accounts, since each part lost less than one.
    for (std::size_t i = 0; i < slice.size(); ++i) {
        slice[i].work = parts[i];
        if (left == 0) continue;
        slice[i].work += 1;
        left -= 1;
    }
}

}  // namespace

Moment moment_of(const BlockRow& block) {
    return {block.instance, block.found.slice, block.found.time_ms};
}

SliceRef newest_before(const Moment& moment) {
    return {{moment.slice.start_s, std::numeric_limits<std::uint32_t>::max()},
            std::numeric_limits<InstanceId>::max()};
}

bool counts_before(Journal& journal, const SliceRef& ref, const Moment& moment) {
    if (ref.instance == moment.instance) return ref.slice <= moment.slice;
    if ((ref.slice.start_s + journal.slice_s()) * 1'000 <= moment.time_ms) return true;
    const auto closed_ms = journal.closed_ms(ref);
    return closed_ms && *closed_ms <= moment.time_ms;
}

void WorkByAccount::add(InstanceId instance,
                        std::span<const std::pair<share::AccountId, chain::Work>> work) {
    auto& sums = by_id_[instance];
    for (const auto& [id, added] : work) {
        auto& sum = sum_of_id(sums, id);
        sum = sum_of(sum, added);
    }
}

chain::Work& WorkByAccount::sum_of_id(Sums& sums, share::AccountId id) {
    if (id < sums.table.size()) return sums.table[id];
    if (id >= kTableIds) return sums.rest[id];
    const auto doubled = std::min<std::size_t>(2 * sums.table.size(), kTableIds);
    sums.table.resize(std::max<std::size_t>(id + 1, doubled));
    return sums.table[id];
}

void WorkByAccount::add(const AccountWork& work) {
    named_.push_back(work);
}

std::vector<AccountWork> WorkByAccount::by_name(Journal& journal, std::string_view unnamed) const {
    auto all = named_;
    std::size_t ids = 0;
    for (const auto& [instance, sums] : by_id_)
        ids += sums.table.size() + sums.rest.size();
    all.reserve(all.size() + ids);
    const auto add_named = [&](InstanceId instance, share::AccountId id, chain::Work work) {
        if (work == 0) return;
        auto name = journal.account_name(instance, id);
        all.push_back({name ? std::move(*name) : std::string(unnamed), work});
    };
    for (const auto& [instance, sums] : by_id_) {
        for (share::AccountId id = 0; id < sums.table.size(); ++id)
            add_named(instance, id, sums.table[id]);
        for (const auto& [id, work] : sums.rest)
            add_named(instance, id, work);
    }
    std::ranges::sort(all, {}, &AccountWork::account);
    std::vector<AccountWork> merged;
    for (auto& account : all) {
        if (account.work == 0) continue;
        if (!merged.empty() && merged.back().account == account.account) {
            merged.back().work = sum_of(merged.back().work, account.work);
        } else {
            merged.push_back(std::move(account));
        }
    }
    return merged;
}

chain::Work window_length(std::uint32_t bits, std::uint32_t factor_milli) {
    const auto target = chain::target_from_compact(bits);
    if (!target) return 0;
    const auto length = base::U256::from_u128(chain::work_of(*target)) * base::U256{factor_milli} /
                        base::U256{kFactorOne};
    return length.bits() > 128 ? ~chain::Work{0} : length.low128();
}

Window pplns_window(Journal& journal, const Moment& moment, chain::Work wanted,
                    std::string_view unnamed) {
    Window window;
    window.wanted = wanted;
    WorkByAccount sums;
    const auto visit = [&](const SliceGroup& group) {
        if (window.counted == wanted) return false;
        if (!counts_before(journal, group.ref, moment)) return true;
        chain::Work total = 0;
        for (const auto& [id, work] : group.work)
            total = sum_of(total, work);
        if (total == 0) return true;
        window.oldest = group.ref;
        const auto needed = wanted - window.counted;
        if (total <= needed) {
            sums.add(group.ref.instance, group.work);
            window.counted += total;
            return true;
        }
        WorkByAccount oldest;
        oldest.add(group.ref.instance, group.work);
        auto accounts = oldest.by_name(journal, unnamed);
        cut(accounts, needed);
        for (const auto& account : accounts)
            sums.add(account);
        window.counted = wanted;
        return false;
    };
    if (wanted > 0) journal.slices_down(newest_before(moment), visit);
    window.accounts = sums.by_name(journal, unnamed);
    return window;
}

}  // namespace adit::ledger
