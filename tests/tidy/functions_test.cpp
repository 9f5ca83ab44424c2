#include "tests/tidy/functions.h"

#include <gtest/gtest.h>

namespace adit::tidy {
namespace {

std::vector<std::string> names(std::string text) {
    std::vector<std::string> result;
    for (const auto& function : functions_of(make_source("src/a/b.cpp", std::move(text)))) {
        result.push_back(fmt::format("{}:{}+{}", function.name, function.line, function.length));
    }
    return result;
}
using Names = std::vector<std::string>;

TEST(Functions, AreFoundInFilesNamespacesAndClasses) {
    EXPECT_EQ(names("int f() {\n  return 1;\n}\n"), Names{"f:1+3"});
    EXPECT_EQ(names("namespace a::b {\nnamespace {\nvoid f(int x) {\n}\n}\n}\n"), Names{"f:3+2"});
    EXPECT_EQ(names("class C final : public B {\n public:\n    int g() const override {\n}\n};\n"),
              Names{"g:2+3"});
    EXPECT_EQ(names("template <class T>\nvoid f() {\n}\n"), Names{"f:1+3"});
    EXPECT_EQ(names("TEST(A, B) {\n}\n"), Names{"TEST:1+2"});
    EXPECT_EQ(names("auto f() -> int {\n}\n"), Names{"f:1+2"});
    EXPECT_EQ(names("extern \"C\" int f(int a) {\n}\n").size(), 0U);  // its scope is the linkage's
}

TEST(Functions, CountTheLinesOfSignatureAndBody) {
    EXPECT_EQ(names("C::C(int a,\n     int b)\n    : a_(a) {\n  x();\n}\n"), Names{"C::C:1+5"});
}

TEST(Functions, KeepTheirLambdasLoopsAndLocalClasses) {
    EXPECT_EQ(names("void f() {\n  auto g = [](int x) {\n    return x;\n  };\n  for (;;) {\n  }\n"
                    "  struct L { int h() { return 1; } };\n}\n"),
              Names{"f:1+8"});
}

TEST(Functions, AreNotTablesNorEnumsNorTextInLiterals) {
    EXPECT_TRUE(names("const Row kRows[] = {\n {1},\n {f(2)},\n};\n").empty());
    EXPECT_TRUE(names("enum class E { a, b };\n").empty());
    EXPECT_TRUE(names("const char* s = \"void f() {\";\nconst char c = '{';\n// g() {\n").empty());
    EXPECT_TRUE(names("#define M(x) void x() { \\\n }\n").empty());
    EXPECT_TRUE(names("std::atomic<int> n{0};\n").empty());
}

TEST(Functions, SurviveRawLiteralsAndDigitSeparators) {
    EXPECT_EQ(names("const auto s = R\"x(} { \" )x\";\nint f() {\n  return 1'000;\n}\n"),
              Names{"f:2+3"});
}

}  // namespace
}  // namespace adit::tidy
