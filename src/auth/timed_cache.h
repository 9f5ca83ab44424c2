// What was read from the store a moment ago, so that a request costs no query. Bounded in entries
// and in the age of what it gives. Time is passed in. Not synchronised.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace adit::auth {

template <class Key, class Value, class Hash = std::hash<Key>>
class TimedCache {
 public:
    TimedCache(std::size_t most, std::int64_t keep_ms) : most_(most), keep_ms_(keep_ms) {}

    std::optional<Value> get(const Key& key, std::int64_t now_ms) const {
        const auto found = entries_.find(key);
        if (found == entries_.end() || now_ms - found->second.at_ms >= keep_ms_) {
            return std::nullopt;
        }
        return found->second.value;
    }
    // When it is full and nothing is too old, all is forgotten: that costs queries, nothing else.
    void put(const Key& key, Value value, std::int64_t now_ms) {
        if (entries_.size() >= most_ && !entries_.contains(key)) {
            std::erase_if(entries_, [&](const auto& entry) {
                return now_ms - entry.second.at_ms >= keep_ms_;
            });
            if (entries_.size() >= most_) entries_.clear();
        }
        entries_.insert_or_assign(key, Entry{std::move(value), now_ms});
    }
    void forget(const Key& key) { entries_.erase(key); }
    void clear() { entries_.clear(); }
    std::size_t size() const { return entries_.size(); }

 private:
    struct Entry {
        Value value;
        std::int64_t at_ms;
    };
    std::size_t most_;
    std::int64_t keep_ms_;
    std::unordered_map<Key, Entry, Hash> entries_;
};

}  // namespace adit::auth
