#include "tests/tidy/functions.h"

#include <regex>

namespace adit::tidy {

namespace {

enum class Scope { outer, function, other };

std::string_view trim(std::string_view text) {
    const auto begin = text.find_first_not_of(" \n\t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \n\t") - begin + 1);
}

// What a brace opens, told from the text between it and the previous ';', '{' or '}'.
Scope scope_of(std::string_view head) {
    static const std::regex kOuter(R"((^|[\s>])(namespace|class|struct|union|extern)\b[^()=]*$)");
    static const std::regex kEnum(R"(\benum\b)");
    const std::string text(head);
    if (std::regex_search(text, kEnum)) return Scope::other;
    if (std::regex_search(text, kOuter) || text.starts_with("extern")) return Scope::outer;
    if (text.empty() || text.ends_with('=') || text.find('(') == std::string::npos) {
        return Scope::other;
    }
    return Scope::function;
}

// Preprocessor lines would otherwise look like the beginning of what follows.
std::string without_directives(std::string code) {
    bool directive = false;
    bool line_start = true;
    for (std::size_t i = 0; i < code.size(); ++i) {
        if (code[i] == '\n') {
            directive = directive && i > 0 && code[i - 1] == '\\';
            line_start = true;
            continue;
        }
        if (line_start && code[i] == '#') directive = true;
        if (code[i] != ' ') line_start = false;
        if (directive && code[i] != '\\') code[i] = ' ';
    }
    return code;
}

std::string name_of(std::string_view head) {
    const auto before = trim(head.substr(0, head.find('(')));
    const auto space = before.find_last_of(" \n*&");
    return std::string(space == std::string_view::npos ? before : before.substr(space + 1));
}

}  // namespace

std::vector<Function> functions_of(const Source& source) {
    struct Open {
        Scope scope;
        std::size_t function;  // index into result
    };
    const std::string code = without_directives(source.code);
    std::vector<Function> result;
    std::vector<Open> stack;
    std::size_t head_begin = 0;
    std::size_t parentheses = 0;  // braces inside them belong to an expression
    for (std::size_t i = 0; i < code.size(); ++i) {
        const char c = code[i];
        const bool outside =
            std::ranges::all_of(stack, [](const Open& open) { return open.scope == Scope::outer; });
        if (outside && c == '(') ++parentheses;
        if (outside && c == ')' && parentheses > 0) --parentheses;
        if (c == '{') {
            const auto head = trim(std::string_view(code).substr(head_begin, i - head_begin));
            Open open{outside && parentheses == 0 ? scope_of(head) : Scope::other, 0};
            if (open.scope == Scope::function) {
                const auto at = static_cast<std::size_t>(head.data() - code.data());
                open.function = result.size();
                result.push_back({name_of(head), line_at(code, at), 0});
            }
            stack.push_back(open);
        } else if (c == '}' && !stack.empty()) {
            if (stack.back().scope == Scope::function) {
                Function& function = result[stack.back().function];
                function.length = line_at(code, i) - function.line + 1;
            }
            stack.pop_back();
        }
        if (c == ';' || c == '{' || c == '}') head_begin = i + 1;
    }
    return result;
}

}  // namespace adit::tidy
