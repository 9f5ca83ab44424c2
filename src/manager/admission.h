// Operation 6, admission of miners: whether so many connections, present or expected, have room in
// everything that a connection takes. The rules (docs/manager.md): a resource whose use and cost
// are known bounds what is admitted; one of which either is unknown bounds nothing, and the answer
// says so. What is reserved counts as used. Pure: facts in, report out.
#pragma once

#include "manager/admission_meter.h"
#include "net/limits.h"

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::manager {

enum class Resource : std::uint8_t {
    connections = 0,  // of limits.miners
    address = 1,      // of limits.per_ip; not in the table, since each address has its own
    extranonces = 2,
    files = 3,
    memory = 4,  // bytes
    cpu = 5,     // processors
};
inline constexpr std::size_t kResources = 6;
std::string_view name_of(Resource resource);

// How a number came about.
enum class Known : std::uint8_t {
    counted = 0,     // exactly, now
    measured = 1,    // on this pool, since it started
    documented = 2,  // elsewhere (docs/benchmarks.md); not measured here
    unknown = 3,
};
std::string_view name_of(Known known);

struct MinerGroup {
    std::optional<net::Address> address;  // port 0; nullopt: from anywhere
    std::uint32_t count = 0;
    std::optional<double> shares_per_minute;  // of each; nullopt: as present miners on average
};

struct AdmissionRequest {
    static constexpr std::size_t kMostGroups = 64;
    static constexpr std::uint32_t kMostCount = 1'000'000;  // of one group
    static constexpr double kMostSharesPerMinute = 60'000;
    std::vector<MinerGroup> groups;   // may be empty: what is there, and room for how many
    std::int64_t reserve_for_ms = 0;  // hold the room of all groups so long; 0: only ask
    net::ReservationId release{};     // give this reservation up first
};

struct AdmissionFacts {
    net::ConnectionBudget::Counts connections;
    std::vector<net::Reservation> reservations;
    std::uint32_t per_address = 0;  // limit; 0: none
    std::function<std::uint32_t(const net::Address&)> open_from;
    std::uint64_t extranonces_used = 0;  // kept for a resume included
    std::uint64_t extranonces = 0;
    std::optional<double> files_open;
    std::optional<double> files_limit;
    std::optional<double> memory_total;
    std::optional<double> memory_available;
    std::optional<MeasuredCost> bytes_per_connection;
    double processors = 0;
    std::optional<double> cpu_ratio;
    std::optional<MeasuredCost> cpu_per_share;
    std::optional<MeasuredCost> cpu_per_connection;
};

struct ResourceReport {
    Resource resource = Resource::connections;
    std::optional<double> used;  // by connections, the rest of the process and what is reserved
    std::optional<double> capacity;
    std::optional<double> headroom;  // before this request; never negative
    std::optional<double> needed;    // by all that were asked for
    std::optional<double> per_connection;
    Known known = Known::unknown;  // the least certain of these
    std::string note;              // a sentence on how, or why not
};

struct GroupReport {
    MinerGroup group;
    std::uint32_t reserved = 0;  // of its count, held already
    std::uint32_t admitted = 0;
    std::uint32_t refused = 0;
    std::optional<Resource> binding;   // what has the least room for it
    std::vector<std::string> reasons;  // sentences, the binding one first; empty: none is refused
};

struct AdmissionReport {
    std::int64_t at_ms = 0;  // wall clock
    std::uint64_t admitted = 0;
    std::uint64_t refused = 0;
    std::vector<GroupReport> groups;
    std::vector<ResourceReport> resources;
    // After all that is admitted here: so many more from anywhere, and what would end there.
    std::uint64_t room = 0;
    Resource next_binding = Resource::connections;
    std::uint32_t open = 0;
    std::uint32_t held = 0;
    std::vector<net::Reservation> reservations;  // outstanding; times of the steady clock
    std::vector<net::ReservationId> reserved;    // by this request, one for each group
    std::int64_t steady_ms = 0;                  // now, for the reservations
};

// What may be planned with: present miners shall keep their response time, and other programs live.
inline constexpr double kCpuShare = 0.8;
inline constexpr double kMemoryShare = 0.95;
// Resident memory of an idle authorized connection, docs/benchmarks.md.
inline constexpr double kDocumentedBytesPerConnection = 1.11 * 1024;

AdmissionReport admit(const AdmissionRequest& request, const AdmissionFacts& facts);

}  // namespace adit::manager
