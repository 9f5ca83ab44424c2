// The rules of the house, each a pure function from a file to its violations. CONTRIBUTING.md says
// why they are there; docs/architecture.md draws the layers.
#pragma once

#include "tests/tidy/source.h"

namespace adit::tidy {

struct Finding {
    std::string path;
    std::size_t line = 0;
    std::string what;
};

// src/LAYER/ includes only its own layer and layers on a lower floor.
std::vector<Finding> check_layers(const Source& source);
// The same for the DEPS of an adit_layer() call in a CMakeLists.txt.
std::vector<Finding> check_dependencies(const std::string& path, const std::string& text);
// At most 600 lines a file, 70 a function, 100 columns.
std::vector<Finding> check_sizes(const Source& source);
// Calls and words that must not appear; the list with reasons is in rules.cpp.
std::vector<Finding> check_banned(const Source& source);
// Metrics are called adit_..., in lower case, counters ..._total.
std::vector<Finding> check_metrics(const Source& source);
// A header begins with a comment and has #pragma once.
std::vector<Finding> check_header(const Source& source);
// Every folder of src is named in the text of docs/architecture.md.
std::vector<Finding> check_documented(const std::vector<std::string>& folders,
                                      const std::string& architecture);

// The number of the floor a layer is on; nullopt for a folder that is no layer.
std::optional<int> floor_of(std::string_view layer);

}  // namespace adit::tidy
