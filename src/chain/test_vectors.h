// For tests: the published vectors in tests/vectors.
#pragma once

#include "base/bytes.h"
#include "chain/hash.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <stdexcept>

namespace adit::chain {

inline nlohmann::json test_vectors(std::string_view name) {
    std::ifstream file(fmt::format("{}/tests/vectors/{}.json", ADIT_SOURCE_DIR, name));
    if (!file) throw std::runtime_error(fmt::format("no vectors {}", name));
    return nlohmann::json::parse(file);
}

// One member of the file, by value: what a range-for may run over.
inline nlohmann::json test_vectors(std::string_view name, std::string_view member) {
    return test_vectors(name).at(std::string(member));
}

inline base::Bytes hex_of(const nlohmann::json& text) {
    return base::from_hex(text.get<std::string>()).value();
}

inline Hash256 hash_of(const nlohmann::json& text) {
    return Hash256::from_rpc_hex(text.get<std::string>()).value();
}

}  // namespace adit::chain
