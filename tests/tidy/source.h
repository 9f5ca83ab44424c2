// A source file as the tidy rules see it: its text, and the same text with comments, or comments
// and literals, blanked out, so that columns and lines stay where they are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace adit::tidy {

struct Source {
    std::string path;  // relative to the project, with '/'
    std::string text;
    std::string without_comments;
    std::string code;  // without comments, string and character literals
};

Source make_source(std::string path, std::string text);

// Every *.h and *.cpp below src, tests and bench, in order of their paths.
std::vector<Source> read_project(const std::filesystem::path& root);

std::string read_file(const std::filesystem::path& path);
std::vector<std::string_view> split_lines(std::string_view text);
// The 1-based line of an offset.
std::size_t line_at(std::string_view text, std::size_t offset);

}  // namespace adit::tidy
