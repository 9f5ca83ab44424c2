#include "manager/admission.h"

#include "manager/admission_json.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace adit::manager {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const auto kHome = net::Address::v4(0xc0000201, 0);  // 192.0.2.1

// A pool of 1,000 places with 100 taken; every resource has room for far more.
AdmissionFacts wide() {
    AdmissionFacts facts;
    facts.connections = {1'000, 100, 0};
    facts.open_from = [](const net::Address&) { return 0U; };
    facts.extranonces_used = 100;
    facts.extranonces = 1'000'000;
    facts.files_open = 150;
    facts.files_limit = 1'000'000;
    facts.memory_total = 1e12;
    facts.memory_available = 9e11;
    facts.bytes_per_connection = MeasuredCost{2'000, 100};
    facts.processors = 1'000;
    facts.cpu_ratio = 0.5;
    facts.cpu_per_share = MeasuredCost{1e-4, 10'000};
    facts.cpu_per_connection = MeasuredCost{1e-3, 100'000};
    return facts;
}

AdmissionReport ask(const AdmissionFacts& facts, std::vector<MinerGroup> groups) {
    AdmissionRequest request;
    request.groups = std::move(groups);
    return admit(request, facts);
}

const ResourceReport& row_of(const AdmissionReport& report, Resource resource) {
    return *std::ranges::find(report.resources, resource, &ResourceReport::resource);
}

struct Binding {
    const char* what;
    std::function<void(AdmissionFacts&)> narrow;
    MinerGroup group;
    std::uint32_t admitted;
    Resource binding;
    const char* reason;
};

// 50 connections are asked for, and one resource has too little.
std::vector<Binding> bindings() {
    return {
        {"limit",
         [](auto& facts) { facts.connections.max = 110; },
         {{}, 50, {}},
         10,
         Resource::connections,
         "limits.miners leaves 10"},
        {"limit below what is open",
         [](auto& facts) { facts.connections.max = 90; },
         {{}, 50, {}},
         0,
         Resource::connections,
         "limits.miners leaves 0"},
        {"held for others",
         [](auto& facts) { facts.connections.held = 895; },
         {{}, 50, {}},
         5,
         Resource::connections,
         "limits.miners leaves 5"},
        {"address",
         [](auto& facts) {
             facts.per_address = 20;
             facts.open_from = [](const net::Address& peer) { return peer == kHome ? 7U : 0U; };
         },
         {kHome, 50, {}},
         13,
         Resource::address,
         "limits.per_ip leaves 13 for 192.0.2.1"},
        {"extranonces",
         [](auto& facts) { facts.extranonces = 103; },
         {{}, 50, {}},
         3,
         Resource::extranonces,
         "3 extranonces are left"},
        {"files",
         [](auto& facts) { facts.files_limit = 160; },
         {{}, 50, {}},
         10,
         Resource::files,
         "10 file descriptors are left"},
        {"memory",
         [](auto& facts) {
             facts.memory_total = 1e6;
             facts.memory_available = 1e5;  // 50,000 of it are not planned with
         },
         {{}, 50, {}},
         25,
         Resource::memory,
         "memory for 25"},
        {"cpu of connections",
         [](auto& facts) { facts.processors = 0.65; },
         {{}, 50, {}},
         20,
         Resource::cpu,
         "time for 20"},
        {"cpu of shares",
         [](auto& facts) { facts.processors = 0.65; },
         {{}, 50, 600},
         20,
         Resource::cpu,
         "time for 20"},
        {"cpu is used up",
         [](auto& facts) { facts.cpu_ratio = 900; },
         {{}, 50, 6},
         0,
         Resource::cpu,
         "time for 0"},
    };
}

TEST(Admission, EachResourceBindsInTurn) {
    for (const auto& one : bindings()) {
        auto facts = wide();
        one.narrow(facts);
        const auto report = ask(facts, {one.group});
        const auto& group = report.groups.at(0);
        EXPECT_EQ(group.admitted, one.admitted) << one.what;
        EXPECT_EQ(group.refused, 50 - one.admitted) << one.what;
        EXPECT_EQ(group.binding, one.binding) << one.what;
        ASSERT_THAT(group.reasons, SizeIs(1)) << one.what;
        EXPECT_THAT(group.reasons[0], HasSubstr(one.reason)) << one.what;
        EXPECT_EQ(report.admitted, one.admitted) << one.what;
    }
}

TEST(Admission, WhatIsNotKnownBindsNothingAndIsSaidToBeUnknown) {
    auto facts = wide();
    facts.bytes_per_connection.reset();
    facts.cpu_ratio.reset();
    facts.cpu_per_share.reset();
    facts.cpu_per_connection.reset();
    facts.files_limit.reset();
    const auto report = ask(facts, {{{}, 50, 6}});
    EXPECT_EQ(report.refused, 0U);
    EXPECT_THAT(report.groups[0].reasons, IsEmpty());
    EXPECT_EQ(row_of(report, Resource::connections).known, Known::counted);
    EXPECT_EQ(row_of(report, Resource::files).known, Known::unknown);
    EXPECT_FALSE(row_of(report, Resource::files).headroom);
    EXPECT_EQ(row_of(report, Resource::memory).known, Known::documented);
    EXPECT_THAT(row_of(report, Resource::memory).note, HasSubstr("not measured here"));
    EXPECT_DOUBLE_EQ(*row_of(report, Resource::memory).needed, 50 * 1.11 * 1'024);
    EXPECT_EQ(row_of(report, Resource::cpu).known, Known::unknown);
    EXPECT_FALSE(row_of(report, Resource::cpu).needed);
    EXPECT_THAT(row_of(report, Resource::cpu).note, HasSubstr("60 s"));
}

TEST(Admission, GroupsTakeTheRoomOneAfterTheOther) {
    auto facts = wide();
    facts.connections.max = 130;
    facts.per_address = 8;
    const auto report = ask(facts, {{kHome, 6, {}}, {{}, 20, {}}, {kHome, 6, {}}, {{}, 9, {}}});
    std::vector<std::uint32_t> admitted;
    for (const auto& group : report.groups)
        admitted.push_back(group.admitted);
    EXPECT_THAT(admitted, ElementsAre(6, 20, 2, 2));
    EXPECT_EQ(report.groups[2].binding, Resource::address);
    // Two resources have too little for it, the tighter one first.
    ASSERT_THAT(report.groups[2].reasons, SizeIs(2));
    EXPECT_THAT(report.groups[2].reasons[1], HasSubstr("limits.miners leaves 4"));
    EXPECT_EQ(report.groups[3].binding, Resource::connections);
    EXPECT_EQ(report.room, 0U);
    EXPECT_EQ(report.next_binding, Resource::connections);
    EXPECT_DOUBLE_EQ(*row_of(report, Resource::connections).needed, 41);
}

TEST(Admission, WhatIsReservedIsThereForItsPeerAndForNobodyElse) {
    auto facts = wide();
    facts.connections = {110, 100, 10};
    facts.reservations = {{net::ReservationId{1}, kHome, 10, 10, 5'000}};
    auto report = ask(facts, {{{}, 1, {}}, {kHome, 4, {}}, {kHome, 8, {}}});
    EXPECT_EQ(report.groups[0].admitted, 0U);
    EXPECT_EQ(report.groups[1].admitted, 4U);
    EXPECT_EQ(report.groups[1].reserved, 4U);
    EXPECT_EQ(report.groups[2].admitted, 6U);
    EXPECT_THAT(report.groups[2].reasons.at(0), HasSubstr("limits.miners leaves 6"));
    EXPECT_DOUBLE_EQ(*row_of(report, Resource::memory).used, 1e11 + 10 * 2'000);

    AdmissionRequest more;  // comes on top
    more.groups = {{kHome, 1, {}}};
    more.reserve_for_ms = 1'000;
    report = admit(more, facts);
    EXPECT_EQ(report.groups[0].admitted, 0U);
}

TEST(Admission, WithoutGroupsItTellsTheRoom) {
    const auto report = ask(wide(), {});
    EXPECT_EQ(report.room, 900U);
    EXPECT_EQ(report.next_binding, Resource::connections);
    EXPECT_THAT(report.resources, SizeIs(5));
}

class AdmissionMeterTest : public ::testing::Test {
 protected:
    // So many seconds with these connections, each second `cpu` more and `shares` more.
    void run(int seconds, std::uint32_t connections, double bytes, double cpu = 0,
             std::uint64_t shares = 0) {
        for (int i = 0; i < seconds; ++i) {
            sample.steady_ms += 1'000;
            sample.connections = connections;
            sample.resident_bytes = bytes;
            sample.cpu_seconds += cpu;
            sample.shares += shares;
            meter.add(sample);
        }
    }
    LoadSample sample;
    AdmissionMeter meter;
};

TEST_F(AdmissionMeterTest, MeasuresMemoryOverNewConnectionsOnly) {
    run(10, 0, 50e6);
    run(1, 60, 50e6 + 60 * 3'000);
    EXPECT_FALSE(meter.bytes_per_connection());  // too few yet
    run(100, 60, 90e6);                          // grows for other reasons
    run(1, 10, 90e6);
    run(1, 60, 90e6);  // they find the memory of those that left
    run(1, 65, 95e6);  // a few, among whatever else
    run(1, 105, 95e6 + 40 * 3'000);
    const auto cost = meter.bytes_per_connection();
    ASSERT_TRUE(cost);
    EXPECT_DOUBLE_EQ(cost->value, 3'000);
    EXPECT_DOUBLE_EQ(cost->measured_on, 100);
}

TEST_F(AdmissionMeterTest, MemoryThatDidNotGrowIsNoMeasure) {
    run(1, 0, 50e6);
    run(1, 500, 50e6);
    EXPECT_FALSE(meter.bytes_per_connection());
}

TEST_F(AdmissionMeterTest, MeasuresProcessorTimeOfTheLastMinutes) {
    run(60, 100, 50e6, 0.2, 100);
    EXPECT_FALSE(meter.cpu_ratio());
    run(1, 100, 50e6, 0.2, 100);
    EXPECT_NEAR(*meter.cpu_ratio(), 0.2, 1e-9);
    EXPECT_NEAR(meter.cpu_per_share()->value, 0.002, 1e-9);
    EXPECT_NEAR(meter.cpu_per_connection()->value, 0.002, 1e-9);
    // What is older than the window counts no more.
    run(2 * AdmissionMeter::kSeconds, 200, 50e6, 0.8, 10);
    EXPECT_NEAR(*meter.cpu_ratio(), 0.8, 1e-9);
    EXPECT_NEAR(meter.cpu_per_share()->value, 0.08, 1e-9);
    EXPECT_NEAR(meter.cpu_per_connection()->value, 0.004, 1e-9);
    EXPECT_NEAR(meter.cpu_per_connection()->measured_on, 200.0 * AdmissionMeter::kSeconds, 1e-3);
}

TEST_F(AdmissionMeterTest, FewSharesOrConnectionsAreNoMeasure) {
    run(100, 9, 50e6, 0.2, 10);
    EXPECT_TRUE(meter.cpu_ratio());
    EXPECT_FALSE(meter.cpu_per_share());
    EXPECT_FALSE(meter.cpu_per_connection());
}

std::string fault_of(const std::string& json, AdmissionRequest (*read)(base::JsonFields&)) {
    base::JsonFields fields(json);
    read(fields);
    return fields.finish().value_or("none");
}

TEST(AdmissionJson, ReadsRequestsStrictly) {
    base::JsonFields one(R"({"count":5,"address":"2001:db8::1","shares_per_minute":6})");
    const auto single = admission_request(one);
    EXPECT_FALSE(one.finish());
    ASSERT_THAT(single.groups, SizeIs(1));
    EXPECT_EQ(single.groups[0].address->ip_text(), "2001:db8::1");
    base::JsonFields many(R"({"groups":[{"count":5},{"count":6,"address":"192.0.2.1"}]})");
    const auto groups = admission_request(many);
    EXPECT_FALSE(many.finish());
    ASSERT_THAT(groups.groups, SizeIs(2));
    EXPECT_EQ(groups.groups[1].address, kHome);
    base::JsonFields held(R"({"count":5,"address":"192.0.2.1","seconds":60})");
    EXPECT_EQ(reserve_request(held).reserve_for_ms, 60'000);
    EXPECT_FALSE(held.finish());

    const std::vector<std::tuple<const char*, AdmissionRequest (*)(base::JsonFields&), const char*>>
        cases{
            {"{}", admission_request, "none"},
            {R"({"count":0})", admission_request, "\"count\""},
            {R"({"count":1000001})", admission_request, "\"count\""},
            {R"({"address":"192.0.2.1"})", admission_request, "\"count\" is missing"},
            {R"({"count":1,"address":"example.org"})", admission_request, "IP address"},
            {R"({"count":1,"shares_per_minute":-1})", admission_request, "shares_per_minute"},
            {R"({"count":1,"groups":[]})", admission_request, "instead of"},
            {R"({"groups":[{"address":"192.0.2.1"}]})", admission_request, "in \"groups\""},
            {R"({"groups":[{"count":1,"peer":"a"}]})", admission_request, "\"peer\""},
            {R"({"groups":[1]})", admission_request, "a list of at most 64 objects"},
            {R"({"count":1,"address":"192.0.2.1"})", reserve_request, "\"seconds\" is missing"},
            {R"({"seconds":1})", reserve_request, "\"count\" is missing"},
            {R"({"count":1,"seconds":86401})", reserve_request, "\"seconds\""},
            {"{}", release_request, "\"id\" is missing"},
            {R"({"id":4294967296})", release_request, "\"id\""},
        };
    for (const auto& [json, read, fault] : cases)
        EXPECT_THAT(fault_of(json, read), HasSubstr(fault)) << json;
}

TEST(AdmissionJson, TellsWhatIsUnknownAsNull) {
    auto facts = wide();
    facts.cpu_ratio.reset();
    facts.reservations = {{net::ReservationId{3}, kHome, 10, 4, 5'000}};
    auto report = ask(facts, {{kHome, 5, {}}});
    report.steady_ms = 2'000;
    const auto json = nlohmann::json::parse(admission_json(report));
    EXPECT_EQ(json["groups"][0]["address"], "192.0.2.1");
    EXPECT_EQ(json["groups"][0]["admitted"], 5);
    EXPECT_EQ(json["reservations"][0]["ends_in_ms"], 3'000);
    const auto& cpu = json["resources"][4];
    EXPECT_EQ(cpu["resource"], "cpu");
    EXPECT_TRUE(cpu["headroom"].is_null());
    EXPECT_EQ(cpu["known"], "unknown");
}

}  // namespace
}  // namespace adit::manager
