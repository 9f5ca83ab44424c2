#include "manager/admission_json.h"

#include <nlohmann/json.hpp>

namespace adit::manager {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostAddress = 64;  // bytes of text

Json known(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

// The three members that make a group; nullopt: none of them is there.
std::optional<MinerGroup> group_of(base::JsonFields& fields) {
    MinerGroup group;
    const auto address = fields.optional_text("address", kMostAddress);
    if (address) {
        group.address = net::Address::parse_ip(*address);
        if (!group.address) {
            fields.refuse(fmt::format(
                "\"address\" is an IP address such as 192.0.2.1 or 2001:db8::1, not \"{}\"",
                *address));
        }
    }
    const auto count = fields.integer("count", 1, AdmissionRequest::kMostCount);
    group.count = static_cast<std::uint32_t>(count.value_or(0));
    group.shares_per_minute =
        fields.number("shares_per_minute", 0, AdmissionRequest::kMostSharesPerMinute);
    if (!count && !address && !group.shares_per_minute) return std::nullopt;
    fields.require("count");
    return group;
}

Json group_json(const GroupReport& report) {
    const auto& group = report.group;
    return {{"address", group.address ? Json(group.address->ip_text()) : Json(nullptr)},
            {"count", group.count},
            {"shares_per_minute", known(group.shares_per_minute)},
            {"reserved", report.reserved},
            {"admitted", report.admitted},
            {"refused", report.refused},
            {"binding", report.binding ? Json(name_of(*report.binding)) : Json(nullptr)},
            {"reasons", report.reasons}};
}

}  // namespace

AdmissionRequest admission_request(base::JsonFields& fields) {
    AdmissionRequest request;
    const auto objects = fields.objects("groups", AdmissionRequest::kMostGroups);
    for (const auto& object : objects) {
        base::JsonFields members(object, "field of a group");
        members.require("count");
        const auto group = group_of(members);
        if (auto fault = members.finish()) {
            fields.refuse(fmt::format("in \"groups\": {}", *fault));
        } else if (group) {
            request.groups.push_back(*group);
        }
    }
    if (const auto group = group_of(fields)) {
        if (fields.has("groups")) {
            fields.refuse("\"groups\" is instead of \"address\", \"count\", \"shares_per_minute\"");
        }
        request.groups.push_back(*group);
    }
    return request;
}

AdmissionRequest reserve_request(base::JsonFields& fields) {
    auto request = admission_request(fields);
    fields.require("seconds");
    constexpr auto kLongest = net::ConnectionBudget::kLongestMs / 1'000;
    request.reserve_for_ms = fields.integer("seconds", 1, kLongest).value_or(0) * 1'000;
    if (request.groups.empty()) fields.refuse("\"count\" is missing");
    return request;
}

AdmissionRequest release_request(base::JsonFields& fields) {
    AdmissionRequest request;
    fields.require("id");
    request.release = static_cast<net::ReservationId>(
        static_cast<std::uint32_t>(fields.integer("id", 1, UINT32_MAX).value_or(0)));
    return request;
}

std::string admission_json(const AdmissionReport& report) {
    auto groups = Json::array();
    for (const auto& group : report.groups)
        groups.push_back(group_json(group));
    auto resources = Json::array();
    for (const auto& row : report.resources) {
        resources.push_back({{"resource", name_of(row.resource)},
                             {"used", known(row.used)},
                             {"capacity", known(row.capacity)},
                             {"headroom", known(row.headroom)},
                             {"needed", known(row.needed)},
                             {"per_connection", known(row.per_connection)},
                             {"known", name_of(row.known)},
                             {"note", row.note}});
    }
    auto reservations = Json::array();
    for (const auto& reservation : report.reservations) {
        reservations.push_back({{"id", static_cast<std::uint32_t>(reservation.id)},
                                {"address", reservation.peer.ip_text()},
                                {"count", reservation.count},
                                {"left", reservation.left},
                                {"ends_in_ms", reservation.until_ms - report.steady_ms}});
    }
    auto reserved = Json::array();
    for (const auto id : report.reserved)
        reserved.push_back(static_cast<std::uint32_t>(id));
    const Json json{{"at_ms", report.at_ms},
                    {"admitted", report.admitted},
                    {"refused", report.refused},
                    {"groups", std::move(groups)},
                    {"resources", std::move(resources)},
                    {"room", report.room},
                    {"next_binding", name_of(report.next_binding)},
                    {"open", report.open},
                    {"held", report.held},
                    {"reservations", std::move(reservations)},
                    {"reserved", std::move(reserved)}};
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace adit::manager
