// Finds functions by their braces: good enough for code formatted by clang-format, without a
// parser.
#pragma once

#include "tests/tidy/source.h"

namespace adit::tidy {

struct Function {
    std::string name;  // what stands before the first parenthesis
    std::size_t line = 0;
    std::size_t length = 0;  // lines from the name to the closing brace
};

// The bodies that stand in a file, a namespace or a class. Lambdas and local classes belong to the
// function around them.
std::vector<Function> functions_of(const Source& source);

}  // namespace adit::tidy
