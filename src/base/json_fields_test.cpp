#include "base/json_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::base {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(JsonFields, ReadsWhatIsThere) {
    JsonFields fields(
        R"({"i":-5,"n":2.5,"f":true,"t":"x","l":["a","b"],"o":{"k":[1]},"e":"","s":[{},{"k":2}]})");
    fields.require("i");
    EXPECT_EQ(fields.integer("i", -5, 5), -5);
    EXPECT_EQ(fields.number("n", 0, 10), 2.5);
    EXPECT_TRUE(fields.flag("f"));
    EXPECT_EQ(fields.text("t", 1), "x");
    EXPECT_THAT(fields.texts("l", 2, 1), ElementsAre("a", "b"));
    EXPECT_EQ(fields.object("o"), R"({"k":[1]})");
    EXPECT_THAT(fields.objects("s", 2), ElementsAre("{}", R"({"k":2})"));
    EXPECT_EQ(fields.optional_text("e", 1), "");
    EXPECT_FALSE(fields.integer("absent", 0, 1));
    EXPECT_FALSE(fields.number("absent", 0, 1));
    EXPECT_FALSE(fields.optional_flag("absent"));
    EXPECT_FALSE(fields.optional_text("absent", 1));
    EXPECT_FALSE(fields.object("absent"));
    EXPECT_FALSE(fields.has("absent"));
    EXPECT_FALSE(fields.finish());
}

TEST(JsonFields, SaysWhatIsWrong) {
    struct Row {
        const char* json;
        const char* fault;
    };
    const Row rows[] = {
        {"", "send a JSON object"},
        {"[]", "send a JSON object"},
        {"{\"i\":1", "send a JSON object"},
        {"{\"i\":1} x", "send a JSON object"},
        {R"({"i":1,"i":2})", "\"i\" is there twice"},
        {R"({"i":11})", "\"i\" must be a whole number from 0 to 10"},
        {R"({"i":1.0})", "\"i\" must be a whole number"},
        {R"({"i":"1"})", "\"i\" must be a whole number"},
        {R"({"i":18446744073709551615})", "\"i\" must be a whole number"},
        {R"({"n":"1"})", "\"n\" must be a number from 0 to 1"},
        {R"({"n":1.5})", "\"n\" must be a number from 0 to 1"},
        {R"({"flag":1})", "\"flag\" must be true or false"},
        {R"({"flag":null})", "\"flag\" must be true or false"},
        {R"({"text":1})", "\"text\" must be a text"},
        {R"({"text":"12345"})", "\"text\" is 5 bytes long, 4 are allowed"},
        {R"({"text":"a\nb"})", "\"text\" must have no line ends"},
        {R"({"list":["a","b","c"]})", "\"list\" must be a list of at most 2 texts"},
        {R"({"list":[1]})", "\"list\" must be a text"},
        {R"({"object":[]})", "\"object\" must be an object"},
        {R"({"objects":{}})", "\"objects\" must be a list of at most 1 objects"},
        {R"({"objects":[1]})", "\"objects\" must be a list of at most 1 objects"},
        {R"({"objects":[{},{}]})", "\"objects\" must be a list of at most 1 objects"},
        {R"({"txet":"a"})", "\"txet\" is no field of this request; did you mean \"text\"?"},
        {R"({"frobnicate":"a"})", "\"frobnicate\" is no field of this request"},
    };
    for (const auto& row : rows) {
        JsonFields fields(row.json);
        fields.integer("i", 0, 10);
        fields.number("n", 0, 1);
        fields.flag("flag");
        fields.text("text", 4);
        fields.texts("list", 2, 4);
        fields.object("object");
        fields.objects("objects", 1);
        const auto fault = fields.finish();
        ASSERT_TRUE(fault) << row.json;
        EXPECT_THAT(*fault, HasSubstr(row.fault)) << row.json;
    }
}

TEST(JsonFields, KeepsTheFirstFault) {
    JsonFields fields(R"({"a":1,"b":2})", "parameter of this method");
    fields.require("c");
    fields.refuse("not today");
    EXPECT_EQ(fields.finish(), "\"c\" is missing");
    JsonFields unknown("{\"a\":1}", "parameter of this method");
    EXPECT_EQ(unknown.finish(), "\"a\" is no parameter of this method");
}

TEST(JsonFields, TakesDeepNestingWithoutFallingOver) {
    const std::string deep =
        "{\"o\":" + std::string(500'000, '[') + std::string(500'000, ']') + "}";
    JsonFields fields(deep);
    EXPECT_FALSE(fields.object("o"));
    EXPECT_EQ(fields.finish(), "\"o\" must be an object");
}

}  // namespace
}  // namespace adit::base
