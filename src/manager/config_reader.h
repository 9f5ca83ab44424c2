// Typed access to a TOML document that collects faults instead of stopping at the first: wrong
// types, numbers out of range, missing keys, and keys that nobody asked for. Hides toml++.
#pragma once

#include "manager/config.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::manager {

// One table of the document. Valid while its ConfigDocument lives. Call finish() when every known
// key has been asked for.
class TableReader {
 public:
    // Each leaves `value` alone when the key is absent; `example` is what to write instead.
    void text(std::string_view key, std::string& value, std::string_view example);
    void required_text(std::string_view key, std::string& value, std::string_view example);
    void texts(std::string_view key, std::vector<std::string>& values, std::string_view example);
    void flag(std::string_view key, bool& value);
    // Whether the key is there. It counts as asked for.
    bool has(std::string_view key);
    void integer(std::string_view key, std::int64_t& value, std::int64_t least, std::int64_t most);
    void number(std::string_view key, double& value, double least, double most);
    // A sub-table; nullopt when absent (or, with a fault, when it is no table).
    std::optional<TableReader> child(std::string_view key);
    // The tables of an array of tables ([[key]]).
    std::vector<TableReader> children(std::string_view key);
    // Records a fault at the key's line (the table's when the key is absent).
    void fault(std::string_view key, std::string what, std::string instead);
    // The line on which the table begins.
    std::uint32_t line() const;
    // Reports every key that was never asked for, with the nearest known name.
    void finish();

 private:
    friend class ConfigDocument;
    struct Node;
    explicit TableReader(std::shared_ptr<Node> node) : node_(std::move(node)) {}
    std::shared_ptr<Node> node_;
};

class ConfigDocument {
 public:
    ConfigDocument(std::string_view text, std::string path);
    ~ConfigDocument();
    // False when the text is no TOML at all; the fault is recorded.
    bool readable() const;
    TableReader root();
    const std::vector<ConfigFault>& faults() const;

    struct State;

 private:
    std::unique_ptr<State> state_;
};

}  // namespace adit::manager
