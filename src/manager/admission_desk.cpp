#include "manager/admission_desk.h"

#include "metrics/process_metrics.h"

#include <sched.h>

namespace adit::manager {
namespace {

using net::ConnectionBudget;
using net::ReservationId;

// That this process may run on.
double processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return std::max(1U, std::thread::hardware_concurrency());
}

std::unexpected<OperationRefusal> refused(RefusalKind kind, std::string text) {
    return std::unexpected(OperationRefusal{kind, std::move(text)});
}

std::string text_of(net::ReserveFault fault) {
    switch (fault) {
        case net::ReserveFault::none_asked:
            return "name how many connections to reserve, and for how long";
        case net::ReserveFault::too_long:
            return fmt::format("a reservation lasts at most {} s",
                               ConnectionBudget::kLongestMs / 1'000);
        case net::ReserveFault::too_many:
            return fmt::format("there are {} reservations, which is the most; release one first",
                               ConnectionBudget::kMostReservations);
        case net::ReserveFault::no_room:
            return "others took the room meanwhile; ask again";
    }
    return {};
}

Outcome<void> check(const AdmissionRequest& request) {
    if (request.groups.size() > AdmissionRequest::kMostGroups) {
        return refused(RefusalKind::bad_request,
                       fmt::format("at most {} groups", AdmissionRequest::kMostGroups));
    }
    for (const auto& group : request.groups) {
        if (group.count > AdmissionRequest::kMostCount) {
            return refused(RefusalKind::bad_request, fmt::format("at most {} connections a group",
                                                                 AdmissionRequest::kMostCount));
        }
        const auto shares = group.shares_per_minute.value_or(0);
        if (!(shares >= 0 && shares <= AdmissionRequest::kMostSharesPerMinute)) {
            return refused(RefusalKind::bad_request,
                           fmt::format("shares per minute are from 0 to {}",
                                       AdmissionRequest::kMostSharesPerMinute));
        }
        if (request.reserve_for_ms != 0 && !group.address) {
            return refused(RefusalKind::bad_request,
                           "a reservation is for an address: name the IP that the miners come "
                           "from");
        }
    }
    if (request.reserve_for_ms < 0 || request.reserve_for_ms > ConnectionBudget::kLongestMs) {
        return refused(RefusalKind::bad_request, text_of(net::ReserveFault::too_long));
    }
    if (request.reserve_for_ms != 0 && request.groups.empty()) {
        return refused(RefusalKind::bad_request, text_of(net::ReserveFault::none_asked));
    }
    return {};
}

}  // namespace

AdmissionDesk::AdmissionDesk(stratum::Server& server, const base::Clock& clock,
                             base::Logger& logger)
    : server_(server), clock_(clock), logger_(logger) {}

void AdmissionDesk::tick() {
    const auto usage = metrics::process_usage();
    if (!usage.resident_bytes || !usage.cpu_seconds) return;
    const LoadSample sample{clock_.steady_ms(), *usage.resident_bytes, *usage.cpu_seconds,
                            server_.budget().open(), server_.accepted_shares()};
    const std::lock_guard lock(mutex_);
    meter_.add(sample);
}

std::uint64_t AdmissionDesk::places_left() {
    const auto counts = server_.budget().counts(clock_.steady_ms());
    const auto taken = std::uint64_t{counts.open} + counts.held;
    return counts.max - std::min<std::uint64_t>(counts.max, taken);
}

AdmissionFacts AdmissionDesk::facts() {
    AdmissionFacts facts;
    const auto now_ms = clock_.steady_ms();
    facts.connections = server_.budget().counts(now_ms);
    facts.reservations = server_.budget().reservations(now_ms);
    facts.per_address = server_.per_address().max();
    facts.open_from = [this](const net::Address& address) {
        return server_.per_address().open_from(address);
    };
    facts.extranonces_used = server_.sessions().live() + server_.sessions().released();
    facts.extranonces = stratum::SessionRegistry::kExtranonces;
    const auto files = metrics::file_usage();
    facts.files_open = files.open;
    facts.files_limit = files.limit;
    const auto memory = metrics::machine_memory();
    facts.memory_total = memory.total_bytes;
    facts.memory_available = memory.available_bytes;
    facts.processors = processors();
    const std::lock_guard lock(mutex_);
    facts.bytes_per_connection = meter_.bytes_per_connection();
    facts.cpu_ratio = meter_.cpu_ratio();
    facts.cpu_per_share = meter_.cpu_per_share();
    facts.cpu_per_connection = meter_.cpu_per_connection();
    return facts;
}

Outcome<AdmissionReport> AdmissionDesk::answer(const AdmissionRequest& request) {
    if (const auto good = check(request); !good) return std::unexpected(good.error());
    if (request.release != ReservationId{}) {
        const auto id = static_cast<std::uint32_t>(request.release);
        if (!server_.budget().cancel(request.release, clock_.steady_ms())) {
            return refused(RefusalKind::bad_request,
                           fmt::format("there is no reservation {}; it may have ended", id));
        }
        logger_.info("stratum", "a reservation was released", {{"reservation", id}});
    }
    const auto known = facts();
    auto report = admit(request, known);
    if (request.reserve_for_ms != 0) {
        auto made = reserve(request, report);
        if (!made) return std::unexpected(made.error());
        report.reserved = std::move(*made);
        const auto now_ms = clock_.steady_ms();
        report.reservations = server_.budget().reservations(now_ms);
        report.held = server_.budget().counts(now_ms).held;
    }
    report.at_ms = clock_.wall_ms();
    report.steady_ms = clock_.steady_ms();
    return report;
}

Outcome<std::vector<ReservationId>> AdmissionDesk::reserve(const AdmissionRequest& request,
                                                           const AdmissionReport& report) {
    for (const auto& group : report.groups) {
        if (group.refused == 0) continue;
        return refused(RefusalKind::failed,
                       fmt::format("nothing was reserved: {} of {} connections from {} have no "
                                   "room: {}",
                                   group.refused, group.group.count, group.group.address->ip_text(),
                                   group.reasons.front()));
    }
    std::vector<ReservationId> made;
    const auto now_ms = clock_.steady_ms();
    for (const auto& group : request.groups) {
        const auto id = server_.budget().reserve(*group.address, group.count,
                                                 now_ms + request.reserve_for_ms, now_ms);
        if (!id) {
            for (const auto one : made)
                server_.budget().cancel(one, now_ms);
            return refused(id.error() == net::ReserveFault::no_room ? RefusalKind::failed
                                                                    : RefusalKind::bad_request,
                           "nothing was reserved: " + text_of(id.error()));
        }
        made.push_back(*id);
        logger_.info("stratum", "room is reserved",
                     {{"reservation", static_cast<std::uint32_t>(*id)},
                      {"peer", group.address->ip_text()},
                      {"connections", group.count},
                      {"seconds", request.reserve_for_ms / 1'000}});
    }
    return made;
}

}  // namespace adit::manager
