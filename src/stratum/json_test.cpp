#include "stratum/json.h"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace adit::stratum {
namespace {

const std::string kRows[] = {
    "{}",
    "[]",
    " [ ] ",
    "null",
    "true",
    "false",
    "nul",
    "truex",
    "0",
    "-0",
    "01",
    "-",
    "1.",
    ".5",
    "1.5",
    "1e5",
    "1e",
    "1E+5",
    "1e-",
    "+1",
    "\"\"",
    "\"a",
    "\"\\n\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12fg\"",
    "\"\\u00e9\"",
    "\"\t\"",
    "\"\x01\"",
    "\"\x7f\"",
    "\"\xc3\xa9\"",
    "\"\xc3\"",
    "\"\xff\"",
    "\"\xed\xa0\x80\"",
    "[1,2]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1",
    "1]",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{\"a\"}",
    "{a:1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1,\"b\":[{}]}",
    "{1:2}",
    "",
    " ",
    "[] []",
    "{}x",
    "\xef\xbb\xbf{}",
    std::string("[\0]", 3),
    "[[[[]]]]",
    "{\"a\":{}}",
    "[\"\\\\\"]",
    "[\"\\\"]",
    "[nan]",
    "[\"a\"\n,\r\"b\"]",
    "[1e400]",
    "[-]",
    "[0x1]",
};

TEST(Json, AgreesWithSimdjsonOnWhatIsValid) {
    simdjson::dom::parser parser;
    for (const auto& row : kRows) {
        const auto padded = simdjson::padded_string(row);
        const auto error = parser.parse(padded).error();
        if (error == simdjson::NUMBER_ERROR && row.contains("e400")) continue;  // valid JSON
        EXPECT_EQ(valid_json(row, 8), error == simdjson::SUCCESS)
            << row << ": " << simdjson::error_message(error);
    }
    EXPECT_TRUE(valid_json("[1e400]", 8));
    EXPECT_TRUE(valid_json("123456789012345678901234567890", 8));
}

TEST(Json, BoundsTheDepth) {
    EXPECT_TRUE(valid_json("[[[]]]", 3));
    EXPECT_FALSE(valid_json("[[[[]]]]", 3));
    EXPECT_FALSE(valid_json("[[{\"a\":[]}]]", 3));
    EXPECT_TRUE(valid_json("[[[]],[[]]]", 3));
    EXPECT_FALSE(valid_json(std::string(100'000, '['), 8));
}

TEST(Json, ReadsMembersAndElementsAsTheyAre) {
    JsonReader object(
        R"({ "a" : [1, {"x":"]}"}] ,"b":"q\"r" , "c":123456789012345678901, "d":null })");
    const std::pair<std::string_view, std::string_view> expected[] = {
        {"\"a\"", R"([1, {"x":"]}"}])"},
        {"\"b\"", R"("q\"r")"},
        {"\"c\"", "123456789012345678901"},
        {"\"d\"", "null"},
    };
    for (const auto& [key, value] : expected) {
        const auto member = object.member();
        ASSERT_TRUE(member);
        EXPECT_EQ(member->key.raw, key);
        EXPECT_EQ(member->value.raw, value);
    }
    EXPECT_FALSE(object.member());

    JsonReader array(R"([true,"x",[],{}, -1.5e3])");
    using Type = JsonValue::Type;
    for (const auto type : {Type::boolean, Type::text, Type::array, Type::object, Type::number}) {
        const auto element = array.element();
        ASSERT_TRUE(element);
        EXPECT_EQ(element->type, type);
    }
    EXPECT_FALSE(array.element());
    EXPECT_FALSE(JsonReader("").element());
    EXPECT_FALSE(JsonReader("7").element());
}

JsonValue text_value(std::string_view raw) {
    return {JsonValue::Type::text, raw};
}

TEST(Json, ResolvesEscapes) {
    std::string buffer;
    EXPECT_EQ(text_value(R"("plain")").text(buffer), "plain");
    EXPECT_EQ(text_value(R"("\"\\\/\b\f\n\r\t")").text(buffer), "\"\\/\b\f\n\r\t");
    EXPECT_EQ(text_value(R"("\u0041\u00e9\u20ac\ud83d\ude00")").text(buffer),
              "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    EXPECT_EQ(text_value(R"("\u0000")").text(buffer), std::string_view("\0", 1));
    for (const auto* lone :
         {R"("\ud800")", R"("\ud800x")", R"("\ud800\u0041")", R"("\udc00")", R"("\ud800\n")"}) {
        EXPECT_EQ(text_value(lone).text(buffer), std::nullopt) << lone;
    }
    EXPECT_EQ((JsonValue{JsonValue::Type::number, "5"}.text(buffer)), std::nullopt);
}

TEST(Json, ReadsNumbers) {
    const auto number = [](std::string_view raw) {
        return JsonValue{JsonValue::Type::number, raw}.number().value();
    };
    EXPECT_EQ(number("1024"), 1024);
    EXPECT_EQ(number("-1.5e3"), -1500);
    EXPECT_EQ(number("0.001"), 0.001);
    EXPECT_TRUE(std::isinf(number("1e999")));
    EXPECT_EQ(number("1e-999"), 0);
    EXPECT_EQ(text_value("\"5\"").number(), std::nullopt);
    EXPECT_TRUE((JsonValue{JsonValue::Type::number, "5"}.is_integer()));
    EXPECT_FALSE((JsonValue{JsonValue::Type::number, "5e1"}.is_integer()));
}

TEST(Json, WritesTexts) {
    std::string out;
    append_json_text(out, "a\"b\\c\n\xc3\xa9");
    EXPECT_EQ(out, "\"a\\\"b\\\\c\\u000a\xc3\xa9\"");
    EXPECT_TRUE(valid_json(out, 1));
    out.clear();
    append_json_text(out, "\xff\xfe");
    EXPECT_EQ(out, "\"??\"");
}

TEST(JsonReader, ToleratesSpaceBehindTheValue) {
    JsonReader empty("{} ");
    EXPECT_FALSE(empty.member());
    JsonReader array("[1, 2]\t ");
    EXPECT_EQ(array.element()->raw, "1");
    EXPECT_EQ(array.element()->raw, "2");
    EXPECT_FALSE(array.element());
}

}  // namespace
}  // namespace adit::stratum
