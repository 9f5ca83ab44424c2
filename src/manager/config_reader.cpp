#include "manager/config_reader.h"

#include "base/nearest.h"

#include <toml++/toml.h>

namespace adit::manager {

struct ConfigDocument::State {
    std::string path;
    toml::table table;
    bool readable = false;
    std::vector<ConfigFault> faults;
};

struct TableReader::Node {
    const toml::table* table;
    std::string prefix;  // "pool." for messages
    ConfigDocument::State* state;
    std::vector<std::string> known;

    const toml::node* find(std::string_view key) {
        known.emplace_back(key);
        return table->get(key);
    }
    void fault(const toml::node* at, std::string what, std::string instead) const {
        const auto line = (at != nullptr ? at : table)->source().begin.line;
        state->faults.push_back({state->path, line, std::move(what), std::move(instead)});
    }
};

void TableReader::text(std::string_view key, std::string& value, std::string_view example) {
    const auto* found = node_->find(key);
    if (found == nullptr) return;
    if (const auto* text = found->as_string()) {
        value = text->get();
    } else {
        node_->fault(found, fmt::format("{}{} must be a text", node_->prefix, key),
                     fmt::format("{} = {}", key, example));
    }
}

void TableReader::required_text(std::string_view key, std::string& value,
                                std::string_view example) {
    if (!node_->table->contains(key)) {
        node_->known.emplace_back(key);
        node_->fault(nullptr, fmt::format("{}{} is missing", node_->prefix, key),
                     fmt::format("{} = {}", key, example));
        return;
    }
    text(key, value, example);
    if (value.empty() && node_->table->get(key)->is_string()) {
        fault(key, fmt::format("{}{} is empty", node_->prefix, key),
              fmt::format("{} = {}", key, example));
    }
}

bool TableReader::has(std::string_view key) {
    return node_->find(key) != nullptr;
}

void TableReader::flag(std::string_view key, bool& value) {
    const auto* found = node_->find(key);
    if (found == nullptr) return;
    if (const auto* boolean = found->as_boolean()) {
        value = boolean->get();
    } else {
        node_->fault(found, fmt::format("{}{} must be true or false", node_->prefix, key),
                     fmt::format("{} = true", key));
    }
}

void TableReader::texts(std::string_view key, std::vector<std::string>& values,
                        std::string_view example) {
    const auto* found = node_->find(key);
    if (found == nullptr) return;
    const auto* array = found->as_array();
    const bool all_texts =
        array != nullptr && (array->empty() || array->is_homogeneous(toml::node_type::string));
    if (!all_texts) {
        node_->fault(found, fmt::format("{}{} must be an array of texts", node_->prefix, key),
                     fmt::format("{} = {}", key, example));
        return;
    }
    values.clear();
    for (const auto& element : *array)
        values.push_back(element.as_string()->get());
}

void TableReader::integer(std::string_view key, std::int64_t& value, std::int64_t least,
                          std::int64_t most) {
    const auto* found = node_->find(key);
    if (found == nullptr) return;
    const auto* integer = found->as_integer();
    if (integer != nullptr && integer->get() >= least && integer->get() <= most) {
        value = integer->get();
    } else {
        node_->fault(found,
                     fmt::format("{}{} must be a whole number from {} to {}", node_->prefix, key,
                                 least, most),
                     fmt::format("{} = {}", key, value));
    }
}

void TableReader::number(std::string_view key, double& value, double least, double most) {
    const auto* found = node_->find(key);
    if (found == nullptr) return;
    const auto given = found->value<double>();
    if (found->is_number() && given && *given >= least && *given <= most) {
        value = *given;
    } else {
        node_->fault(
            found,
            fmt::format("{}{} must be a number from {} to {}", node_->prefix, key, least, most),
            fmt::format("{} = {}", key, value));
    }
}

std::optional<TableReader> TableReader::child(std::string_view key) {
    const auto* found = node_->find(key);
    if (found == nullptr) return std::nullopt;
    const auto* table = found->as_table();
    if (table == nullptr) {
        node_->fault(found, fmt::format("{}{} must be a table", node_->prefix, key),
                     fmt::format("[{}{}]", node_->prefix, key));
        return std::nullopt;
    }
    return TableReader(std::make_shared<Node>(
        Node{table, fmt::format("{}{}.", node_->prefix, key), node_->state, {}}));
}

std::vector<TableReader> TableReader::children(std::string_view key) {
    std::vector<TableReader> readers;
    const auto* found = node_->find(key);
    if (found == nullptr) return readers;
    const auto* array = found->as_array();
    if (array == nullptr || !array->is_homogeneous(toml::node_type::table)) {
        node_->fault(found, fmt::format("{}{} must be an array of tables", node_->prefix, key),
                     fmt::format("[[{}{}]] (two brackets)", node_->prefix, key));
        return readers;
    }
    for (const auto& element : *array) {
        readers.push_back(TableReader(std::make_shared<Node>(
            Node{element.as_table(), fmt::format("{}{}.", node_->prefix, key), node_->state, {}})));
    }
    return readers;
}

void TableReader::fault(std::string_view key, std::string what, std::string instead) {
    node_->fault(node_->table->get(key), std::move(what), std::move(instead));
}

std::uint32_t TableReader::line() const {
    return node_->table->source().begin.line;
}

void TableReader::finish() {
    for (const auto& [key, value] : *node_->table) {
        const std::string name(key.str());
        if (std::find(node_->known.begin(), node_->known.end(), name) != node_->known.end()) {
            continue;
        }
        const auto suggestion = base::nearest(name, node_->known);
        node_->fault(&value, fmt::format("unknown key {}{}", node_->prefix, name),
                     suggestion ? fmt::format("\"{}\"", *suggestion)
                                : "a key that docs/configuration.md lists, or remove the line");
    }
}

ConfigDocument::ConfigDocument(std::string_view text, std::string path)
    : state_(std::make_unique<State>()) {
    state_->path = std::move(path);
    try {
        state_->table = toml::parse(text);
        state_->readable = true;
    } catch (const toml::parse_error& error) {
        state_->faults.push_back({state_->path, error.source().begin.line,
                                  fmt::format("this is no TOML: {}", error.description()), ""});
    }
}

ConfigDocument::~ConfigDocument() = default;

bool ConfigDocument::readable() const {
    return state_->readable;
}

TableReader ConfigDocument::root() {
    return TableReader(std::make_shared<TableReader::Node>(
        TableReader::Node{&state_->table, "", state_.get(), {}}));
}

const std::vector<ConfigFault>& ConfigDocument::faults() const {
    return state_->faults;
}

}  // namespace adit::manager
