// A strict JSON reader (RFC 8259, UTF-8) that keeps every value as the text it came in: integers of
// any size are echoed byte for byte, and nothing is allocated. For one line of a miner at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace adit::stratum {

struct JsonValue {
    enum class Type : std::uint8_t { null, boolean, number, text, array, object };
    Type type = Type::null;
    std::string_view raw;  // with quotes or brackets, without surrounding space

    bool is_null() const { return type == Type::null; }
    // True for numbers without fraction and exponent.
    bool is_integer() const;
    // The number; nullopt for other types. Beyond the range of doubles it is infinite or zero.
    std::optional<double> number() const;
    // The text with escapes resolved, a view of `raw` when there are none and of `buffer`
    // otherwise; nullopt for other types and for a lone surrogate.
    std::optional<std::string_view> text(std::string& buffer) const;
};

// True when the whole of `line` is one JSON value (space around it allowed) in valid UTF-8 with at
// most max_depth nested arrays and objects.
bool valid_json(std::string_view line, unsigned max_depth);

// Reads the members of one array or object of already valid JSON, in order.
class JsonReader {
 public:
    // `raw` is the text of an array or object, perhaps with space behind it; anything else reads as
    // empty.
    explicit JsonReader(std::string_view raw);

    // The next element of an array; nullopt at the end.
    std::optional<JsonValue> element();
    // The next member of an object; nullopt at the end. The key is a text value.
    struct Member {
        JsonValue key;
        JsonValue value;
    };
    std::optional<Member> member();

 private:
    JsonValue value();
    const char* at_;
    const char* end_;
};

// Appends `text` as a JSON string with its quotes; bytes that are no UTF-8 become '?'.
void append_json_text(std::string& out, std::string_view text);

}  // namespace adit::stratum
