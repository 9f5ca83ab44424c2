#include "sim/rpc_amount.h"

#include "sim/tx_rules.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <random>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

TEST(RpcAmount, IsWrittenWithEightPlaces) {
    EXPECT_EQ(bitcoins_text(0), "0.00000000");
    EXPECT_EQ(bitcoins_text(1), "0.00000001");
    EXPECT_EQ(bitcoins_text(-1), "-0.00000001");
    EXPECT_EQ(bitcoins_text(4'999'999'999), "49.99999999");
    EXPECT_EQ(bitcoins_text(kMaxMoney), "21000000.00000000");
    const Json json{{"list", {amount_json(10'000'000), amount_json(-4'999'999'999)}},
                    {"object", {{"a\"b", amount_json(1)}, {"n", nullptr}}},
                    {"text", "0.1"},
                    {"whole", 3}};
    EXPECT_EQ(write_json(json),
              R"({"list":[0.10000000,-49.99999999],"object":{"a\"b":0.00000001,"n":null},)"
              R"("text":"0.1","whole":3})");
}

TEST(RpcAmount, ComesBackExactThroughAnyJsonLibrary) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 20'000; ++i) {
        const auto range = i % 2 == 0 ? kMaxMoney : 100 * kCoin;
        const auto sat =
            static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(range + 1));
        std::int64_t read = -1;
        ASSERT_FALSE(read_amount(Json::parse(write_json(amount_json(sat))), read));
        ASSERT_EQ(read, sat);
        ASSERT_EQ(parse_decimal(write_json(amount_json(sat)), 8), sat);
    }
}

TEST(RpcAmount, DecimalsAreReadExactlyOrNotAtAll) {
    const std::vector<std::tuple<std::string, int, std::optional<std::int64_t>>> rows{
        {"0", 8, 0},
        {"-0", 8, 0},
        {"1", 8, 100'000'000},
        {"0.1", 8, 10'000'000},
        {"-0.00000001", 8, -1},
        {"0.000000010", 8, 1},
        {"0.000000001", 8, std::nullopt},
        {"1e-8", 8, 1},
        {"1E-9", 8, std::nullopt},
        {"2.5e+1", 3, 25'000},
        {"21000000", 8, kMaxMoney},
        {"10000000000.00000001", 8, std::nullopt},
        {"1e30", 8, std::nullopt},
        {"1e31", 8, std::nullopt},
        {"0e30", 8, 0},
        {"1.", 8, std::nullopt},
        {".5", 8, std::nullopt},
        {"", 8, std::nullopt},
        {"-", 8, std::nullopt},
        {"+1", 8, std::nullopt},
        {"1 ", 8, std::nullopt},
        {"1e", 8, std::nullopt},
        {"1e5x", 8, std::nullopt},
        {"0x10", 8, std::nullopt},
        {"1.5", 3, 1'500},
        {"1.0005", 3, std::nullopt},
    };
    for (const auto& [text, places, expected] : rows) {
        EXPECT_EQ(parse_decimal(text, places), expected) << text;
    }
}

TEST(RpcAmount, RefusesWhatIsNoAmount) {
    const std::vector<std::pair<Json, std::string>> rows{
        {true, "Amount is not a number or string"},
        {nullptr, "Amount is not a number or string"},
        {"x", "Invalid amount"},
        {0.123456789, "Invalid amount"},
        {-0.1, "Amount out of range"},
        {21'000'001, "Amount out of range"},
    };
    for (const auto& [value, message] : rows) {
        std::int64_t sat = 0;
        const auto failure = read_amount(value, sat);
        EXPECT_EQ(failure.code, rpc_code::kType) << value.dump();
        EXPECT_EQ(failure.message, message) << value.dump();
    }
    std::int64_t rate = 0;
    EXPECT_FALSE(read_fee_rate(Json(12.345), rate));
    EXPECT_EQ(rate, 12'345);
    EXPECT_TRUE(read_fee_rate(Json(0.0001), rate));
}

}  // namespace
}  // namespace adit::sim
