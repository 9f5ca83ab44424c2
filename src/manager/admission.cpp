#include "manager/admission.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace adit::manager {
namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();
constexpr std::size_t index_of(Resource resource) {
    return static_cast<std::size_t>(resource);
}
constexpr std::array kTable{Resource::connections, Resource::extranonces, Resource::files,
                            Resource::memory, Resource::cpu};

double bytes_each(const AdmissionFacts& facts) {
    return facts.bytes_per_connection ? facts.bytes_per_connection->value
                                      : kDocumentedBytesPerConnection;
}

// What one connection of the group takes; nullopt: not known.
std::optional<double> cost_of(Resource resource, const MinerGroup& group,
                              const AdmissionFacts& facts) {
    switch (resource) {
        case Resource::connections:
        case Resource::address:
        case Resource::extranonces:
        case Resource::files:
            return 1;
        case Resource::memory:
            return bytes_each(facts);
        case Resource::cpu:
            break;
    }
    if (group.shares_per_minute && facts.cpu_per_share) {
        return *group.shares_per_minute / 60 * facts.cpu_per_share->value;
    }
    if (group.shares_per_minute || !facts.cpu_per_connection) return std::nullopt;
    return facts.cpu_per_connection->value;
}

std::string memory_note(const AdmissionFacts& facts) {
    if (!facts.memory_total || !facts.memory_available) return "/proc/meminfo cannot be read";
    constexpr auto kRest = "; what the kernel keeps for sockets comes on top";
    if (facts.bytes_per_connection) {
        return fmt::format("a connection's bytes were measured here on {:.0f} connections{}",
                           facts.bytes_per_connection->measured_on, kRest);
    }
    return fmt::format(
        "a connection's bytes are not measured here: the figure of docs/benchmarks.md until {} "
        "connections have come in seconds with {} or more{}",
        AdmissionMeter::kLeastGrowth, AdmissionMeter::kLeastStep, kRest);
}

std::string cpu_note(const AdmissionFacts& facts) {
    if (!facts.cpu_ratio) {
        return fmt::format("not known before the pool has run for {} s",
                           AdmissionMeter::kLeastMs / 1'000);
    }
    if (!facts.cpu_per_connection && !facts.cpu_per_share) {
        return fmt::format(
            "what a miner costs is not known: it takes {:.0f} connections on average, or {} "
            "accepted shares, in the last minutes",
            AdmissionMeter::kLeastConnections, AdmissionMeter::kLeastShares);
    }
    std::string note = "all that the process took, divided: ";
    if (facts.cpu_per_connection)
        note +=
            fmt::format("{:.3g} ms a second and connection", facts.cpu_per_connection->value * 1e3);
    if (facts.cpu_per_connection && facts.cpu_per_share) note += ", or ";
    if (facts.cpu_per_share)
        note += fmt::format("{:.3g} ms a share", facts.cpu_per_share->value * 1e3);
    return note + "; other programs are not counted";
}

// Before the request: use without what is reserved, capacity, and how they are known.
ResourceReport facts_about(Resource resource, const AdmissionFacts& facts) {
    ResourceReport row;
    row.resource = resource;
    row.known = Known::counted;
    switch (resource) {
        case Resource::connections:
        case Resource::address:
            row.used = facts.connections.open;
            row.capacity = facts.connections.max;
            row.note = "limits.miners";
            break;
        case Resource::extranonces:
            row.used = static_cast<double>(facts.extranonces_used);
            row.capacity = static_cast<double>(facts.extranonces);
            row.note = "those kept for a resume are in use";
            break;
        case Resource::files:
            row.used = facts.files_open;
            row.capacity = facts.files_limit;
            row.note = "the soft limit (ulimit -n, LimitNOFILE=)";
            if (!row.used || !row.capacity) row.note = "unlimited, or /proc cannot be read";
            break;
        case Resource::memory:
            if (facts.memory_total && facts.memory_available) {
                row.used = *facts.memory_total - *facts.memory_available;
                row.capacity = *facts.memory_total * kMemoryShare;
            }
            row.known = facts.bytes_per_connection ? Known::measured : Known::documented;
            row.note = memory_note(facts);
            break;
        case Resource::cpu:
            row.used = facts.cpu_ratio;
            row.capacity = facts.processors * kCpuShare;
            row.known =
                facts.cpu_per_connection || facts.cpu_per_share ? Known::measured : Known::unknown;
            row.note = cpu_note(facts);
            break;
    }
    if (!row.used || !row.capacity) row.known = Known::unknown;
    return row;
}

std::string reason_of(Resource resource, const MinerGroup& group, double fits) {
    const auto address = group.address ? group.address->ip_text() : std::string();
    switch (resource) {
        case Resource::connections:
            return fmt::format("limits.miners leaves {:.0f}; raise it", fits);
        case Resource::address:
            return fmt::format("limits.per_ip leaves {:.0f} for {}; raise it", fits, address);
        case Resource::extranonces:
            return fmt::format(
                "{:.0f} extranonces are left; run another instance, or wait until sessions kept "
                "for a resume are forgotten (ten minutes)",
                fits);
        case Resource::files:
            return fmt::format(
                "{:.0f} file descriptors are left; raise the limit (ulimit -n, LimitNOFILE=)",
                fits);
        case Resource::memory:
            return fmt::format("there is memory for {:.0f}; free some or add more", fits);
        case Resource::cpu:
            return fmt::format(
                "the processors have time for {:.0f} at what miners cost now; raise "
                "difficulty.share_interval_s, add processors or another instance",
                fits);
    }
    return {};
}

class Admission {
 public:
    Admission(const AdmissionRequest& request, const AdmissionFacts& facts)
        : facts_(facts), asks_only_(request.reserve_for_ms == 0) {
        for (const auto resource : kTable) {
            auto row = facts_about(resource, facts);
            row.per_connection = cost_of(resource, {}, facts);
            if (row.used && row.per_connection)
                *row.used += *row.per_connection * facts.connections.held;
            if (row.used && row.capacity) {
                row.headroom = std::max(0.0, *row.capacity - *row.used);
                left_[index_of(resource)] = *row.headroom;
            }
            if (row.per_connection || resource == Resource::cpu) row.needed = 0;
            report_.resources.push_back(std::move(row));
        }
        for (const auto& reservation : facts.reservations)
            reserved_[reservation.peer.ip] += reservation.left;
    }

    AdmissionReport run(const AdmissionRequest& request) {
        for (const auto& group : request.groups)
            report_.groups.push_back(take(group));
        for (const auto& group : report_.groups) {
            report_.admitted += group.admitted;
            report_.refused += group.refused;
        }
        const auto [next, fits] = tightest(all_fits({}));
        report_.next_binding = next;
        report_.room = static_cast<std::uint64_t>(std::max(0.0, fits));
        report_.open = facts_.connections.open;
        report_.held = facts_.connections.held;
        report_.reservations = facts_.reservations;
        return std::move(report_);
    }

 private:
    using Fits = std::array<double, kResources>;

    // For how many connections of the group each resource has room beyond what is reserved for it.
    Fits all_fits(const MinerGroup& group) const {
        Fits fits;
        fits.fill(kNoBound);
        for (const auto resource : kTable) {
            const auto cost = cost_of(resource, group, facts_);
            if (!cost || *cost <= 0) continue;
            fits[index_of(resource)] = std::floor(left_[index_of(resource)] / *cost);
        }
        return fits;
    }

    static std::pair<Resource, double> tightest(const Fits& fits) {
        const auto least = std::ranges::min_element(fits);
        return {static_cast<Resource>(least - fits.begin()), *least};
    }

    // What the address may open, reserved or not.
    double quota_of(const MinerGroup& group) const {
        if (!group.address || facts_.per_address == 0) return kNoBound;
        const auto taken = taken_.find(group.address->ip);
        const double used = facts_.open_from(*group.address) +
                            static_cast<double>(taken == taken_.end() ? 0 : taken->second);
        return std::max(0.0, facts_.per_address - used);
    }

    GroupReport take(const MinerGroup& group) {
        GroupReport report;
        report.group = group;
        // What is to be reserved comes on top of earlier reservations.
        if (group.address && asks_only_) {
            auto& held = reserved_[group.address->ip];
            report.reserved = std::min(held, group.count);
            held -= report.reserved;
        }
        auto fits = all_fits(group);
        const double covered = report.reserved;
        for (auto& fit : fits)
            fit += covered;
        fits[index_of(Resource::address)] = quota_of(group);
        const auto [binding, most] = tightest(fits);
        report.binding = binding;
        report.admitted = static_cast<std::uint32_t>(std::min<double>(group.count, most));
        report.refused = group.count - report.admitted;
        if (report.refused > 0) explain(report, fits);
        if (group.address) taken_[group.address->ip] += report.admitted;
        for (auto& row : report_.resources) {
            const auto cost = cost_of(row.resource, group, facts_);
            if (!cost) {
                row.needed = std::nullopt;
                continue;
            }
            auto& left = left_[index_of(row.resource)];
            const auto fresh = report.admitted - std::min(report.admitted, report.reserved);
            left = std::max(0.0, left - *cost * fresh);
            if (row.needed) *row.needed += *cost * (group.count - report.reserved);
        }
        return report;
    }

    static void explain(GroupReport& report, const Fits& fits) {
        const auto reason = [&](Resource resource) {
            report.reasons.push_back(reason_of(resource, report.group, fits[index_of(resource)]));
        };
        reason(*report.binding);
        for (std::size_t i = 0; i < kResources; ++i) {
            const auto resource = static_cast<Resource>(i);
            if (resource != *report.binding && fits[i] < report.group.count) reason(resource);
        }
    }

    const AdmissionFacts& facts_;
    const bool asks_only_;
    AdmissionReport report_;
    Fits left_ = [] {
        Fits fits;
        fits.fill(kNoBound);
        return fits;
    }();
    std::map<std::array<std::uint8_t, 16>, std::uint32_t> reserved_;
    std::map<std::array<std::uint8_t, 16>, std::uint64_t> taken_;
};

}  // namespace

std::string_view name_of(Resource resource) {
    switch (resource) {
        case Resource::connections:
            return "connections";
        case Resource::address:
            return "address";
        case Resource::extranonces:
            return "extranonces";
        case Resource::files:
            return "files";
        case Resource::memory:
            return "memory";
        case Resource::cpu:
            return "cpu";
    }
    return "unknown";
}

std::string_view name_of(Known known) {
    switch (known) {
        case Known::counted:
            return "counted";
        case Known::measured:
            return "measured";
        case Known::documented:
            return "documented";
        case Known::unknown:
            return "unknown";
    }
    return "unknown";
}

AdmissionReport admit(const AdmissionRequest& request, const AdmissionFacts& facts) {
    return Admission(request, facts).run(request);
}

}  // namespace adit::manager
