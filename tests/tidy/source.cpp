#include "tests/tidy/source.h"

#include <fstream>
#include <sstream>

namespace adit::tidy {

namespace {

void blank(std::string& text, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to && i < text.size(); ++i) {
        if (text[i] != '\n') text[i] = ' ';
    }
}

// The offset behind the literal that begins with the quote at `from`.
std::size_t end_of_literal(std::string_view text, std::size_t from) {
    const char quote = text[from];
    std::size_t i = from + 1;
    while (i < text.size() && text[i] != quote && text[i] != '\n')
        i += text[i] == '\\' ? 2 : 1;
    return std::min(i + 1, text.size());
}

// The offset behind R"delimiter(...)delimiter" whose quote is at `from`.
std::size_t end_of_raw_literal(std::string_view text, std::size_t from) {
    const auto open = text.find('(', from);
    if (open == std::string_view::npos) return text.size();
    const auto closing = fmt::format("){}\"", text.substr(from + 1, open - from - 1));
    const auto end = text.find(closing, open);
    return end == std::string_view::npos ? text.size() : end + closing.size();
}

bool is_word(char c) {
    return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0;
}

}  // namespace

Source make_source(std::string path, std::string text) {
    Source source{std::move(path), text, text, text};
    const std::string_view view = source.text;
    std::size_t i = 0;
    while (i < view.size()) {
        std::size_t end = i + 1;
        if (view.substr(i, 2) == "//") {
            end = std::min(view.find('\n', i), view.size());
            blank(source.without_comments, i, end);
            blank(source.code, i, end);
        } else if (view.substr(i, 2) == "/*") {
            const auto close = view.find("*/", i + 2);
            end = close == std::string_view::npos ? view.size() : close + 2;
            blank(source.without_comments, i, end);
            blank(source.code, i, end);
        } else if (view[i] == '"') {
            const bool raw = i > 0 && view[i - 1] == 'R';
            end = raw ? end_of_raw_literal(view, i) : end_of_literal(view, i);
            blank(source.code, i + 1, end - 1);
        } else if (view[i] == '\'' && !(i > 0 && is_word(view[i - 1]))) {  // no digit separator
            end = end_of_literal(view, i);
            blank(source.code, i + 1, end - 1);
        }
        i = end;
    }
    return source;
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::vector<Source> read_project(const std::filesystem::path& root) {
    namespace fs = std::filesystem;
    std::vector<Source> sources;
    for (const char* folder : {"src", "tests", "bench"}) {
        fs::recursive_directory_iterator at(root / folder);
        for (const auto end = fs::end(at); at != end; ++at) {
            if (at->path().filename() == "node_modules") at.disable_recursion_pending();
            const auto extension = at->path().extension();
            if (!at->is_regular_file() || (extension != ".h" && extension != ".cpp")) continue;
            sources.push_back(make_source(fs::relative(at->path(), root).generic_string(),
                                          read_file(at->path())));
        }
    }
    std::ranges::sort(sources, {}, &Source::path);
    return sources;
}

std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::size_t line_at(std::string_view text, std::size_t offset) {
    return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, offset), '\n'));
}

}  // namespace adit::tidy
