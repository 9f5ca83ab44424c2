#include "stratum/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <limits>

namespace adit::stratum {

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Moves over one value after the other; false at the first byte that is no JSON.
class Checker {
 public:
    Checker(std::string_view text, unsigned max_depth)
        : at_(text.data()), end_(text.data() + text.size()), depth_left_(max_depth) {}

    bool whole() {
        skip_space();
        if (!value()) return false;
        skip_space();
        return at_ == end_;
    }

 private:
    void skip_space() {
        while (at_ != end_ && is_space(*at_))
            ++at_;
    }
    bool take(char c) {
        if (at_ == end_ || *at_ != c) return false;
        ++at_;
        return true;
    }
    bool word(std::string_view expected) {
        if (!std::string_view(at_, end_).starts_with(expected)) return false;
        at_ += expected.size();
        return true;
    }
    bool digits() {
        if (at_ == end_ || !is_digit(*at_)) return false;
        while (at_ != end_ && is_digit(*at_))
            ++at_;
        return true;
    }
    bool number() {
        take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
            ++at_;
            if (!take('+')) take('-');
            if (!digits()) return false;
        }
        return true;
    }
    bool text() {
        if (!take('"')) return false;
        while (at_ != end_) {
            const char c = *at_++;
            if (c == '"') return true;
            if (static_cast<unsigned char>(c) < 0x20) return false;
            if (c == '\\' && !escape()) return false;
        }
        return false;
    }
    bool escape() {
        if (at_ == end_) return false;
        const char c = *at_++;
        if (c != 'u') return std::string_view("\"\\/bfnrt").contains(c);
        for (int i = 0; i < 4; ++i) {
            if (at_ == end_ || hex_value(*at_++) < 0) return false;
        }
        return true;
    }
    bool members(char close, bool keys) {
        if (depth_left_ == 0) return false;
        --depth_left_;
        ++at_;
        skip_space();
        if (!take(close)) {
            do {
                skip_space();
                if (keys) {
                    if (!text()) return false;
                    skip_space();
                    if (!take(':')) return false;
                    skip_space();
                }
                if (!value()) return false;
                skip_space();
            } while (take(','));
            if (!take(close)) return false;
        }
        ++depth_left_;
        return true;
    }
    bool value() {
        if (at_ == end_) return false;
        switch (*at_) {
            case '{':
                return members('}', true);
            case '[':
                return members(']', false);
            case '"':
                return text();
            case 't':
                return word("true");
            case 'f':
                return word("false");
            case 'n':
                return word("null");
            default:
                return number();
        }
    }

    const char* at_;
    const char* end_;
    unsigned depth_left_;
};

// The end of a text that begins at `at` (its opening quote), in valid JSON.
const char* text_end(const char* at, const char* end) {
    for (++at; at != end && *at != '"'; ++at) {
        if (*at == '\\' && at + 1 != end) ++at;
    }
    return at == end ? end : at + 1;
}

// The end of any value in valid JSON. Brackets inside texts do not count.
const char* value_end(const char* at, const char* end) {
    unsigned depth = 0;
    while (at != end) {
        const char c = *at;
        if (c == '"') {
            at = text_end(at, end);
            if (depth == 0) return at;
            continue;
        }
        if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']') {
            if (depth == 0) return at;
            if (--depth == 0) return at + 1;
        } else if (depth == 0 && (c == ',' || c == ':' || is_space(c))) {
            return at;
        }
        ++at;
    }
    return at;
}

JsonValue::Type type_of(char first) {
    switch (first) {
        case '{':
            return JsonValue::Type::object;
        case '[':
            return JsonValue::Type::array;
        case '"':
            return JsonValue::Type::text;
        case 't':
        case 'f':
            return JsonValue::Type::boolean;
        case 'n':
            return JsonValue::Type::null;
        default:
            return JsonValue::Type::number;
    }
}

unsigned read_hex4(const char* at) {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i)
        value = value * 16 + static_cast<unsigned>(hex_value(at[i]));
    return value;
}

void append_utf8(std::string& out, unsigned code) {
    const auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xc0 | code >> 6);
        put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        put(0xe0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    } else {
        put(0xf0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3f));
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    }
}

// Appends the character of a \u escape whose digits begin at `at`; the end of what was read, or
// null for a lone surrogate (RFC 8259 section 8.2 leaves it open; no miner's name has one).
const char* append_unicode_escape(std::string& out, const char* at, const char* end) {
    unsigned code = read_hex4(at);
    at += 4;
    if (code >= 0xdc00 && code < 0xe000) return nullptr;
    if (code >= 0xd800 && code < 0xdc00) {
        if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return nullptr;
        const unsigned low = read_hex4(at + 2);
        if (low < 0xdc00 || low >= 0xe000) return nullptr;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    append_utf8(out, code);
    return at;
}

char unescaped(char c) {
    switch (c) {
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return c;
    }
}

}  // namespace

bool JsonValue::is_integer() const {
    return type == Type::number && raw.find_first_of(".eE") == std::string_view::npos;
}

std::optional<double> JsonValue::number() const {
    if (type != Type::number) return std::nullopt;
    double value = 0;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
    if (error == std::errc::result_out_of_range) {
        const bool tiny = raw.contains("e-") || raw.contains("E-") || raw.starts_with("0.") ||
                          raw.starts_with("-0.");
        return tiny ? 0.0 : std::numeric_limits<double>::infinity();
    }
    if (error != std::errc{} || end != raw.data() + raw.size()) return std::nullopt;
    return value;
}

std::optional<std::string_view> JsonValue::text(std::string& buffer) const {
    if (type != Type::text) return std::nullopt;
    const auto inner = raw.substr(1, raw.size() - 2);
    if (!inner.contains('\\')) return inner;
    buffer.clear();
    const char* at = inner.data();
    const char* end = at + inner.size();
    while (at != end) {
        if (*at != '\\') {
            buffer += *at++;
        } else if (at[1] == 'u') {
            at = append_unicode_escape(buffer, at + 2, end);
            if (at == nullptr) return std::nullopt;
        } else {
            buffer += unescaped(at[1]);
            at += 2;
        }
    }
    return std::string_view(buffer);
}

bool valid_json(std::string_view line, unsigned max_depth) {
    return Checker(line, max_depth).whole() && simdjson::validate_utf8(line.data(), line.size());
}

JsonReader::JsonReader(std::string_view raw) : at_(raw.data()), end_(raw.data() + raw.size()) {
    while (!raw.empty() && is_space(raw.back())) {
        raw.remove_suffix(1);
        --end_;
    }
    if (raw.size() < 2 || (raw.front() != '[' && raw.front() != '{')) {
        at_ = end_;
        return;
    }
    ++at_;
    --end_;
}

JsonValue JsonReader::value() {
    const char* begin = at_;
    at_ = value_end(at_, end_);
    return {type_of(*begin), std::string_view(begin, at_)};
}

std::optional<JsonValue> JsonReader::element() {
    while (at_ != end_ && (is_space(*at_) || *at_ == ',' || *at_ == ':'))
        ++at_;
    if (at_ == end_) return std::nullopt;
    return value();
}

std::optional<JsonReader::Member> JsonReader::member() {
    const auto key = element();
    if (!key) return std::nullopt;
    const auto content = element();
    if (!content) return std::nullopt;
    return Member{*key, *content};
}

void append_json_text(std::string& out, std::string_view text) {
    const bool utf8 = simdjson::validate_utf8(text.data(), text.size());
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        } else {
            out += byte >= 0x80 && !utf8 ? '?' : c;
        }
    }
    out += '"';
}

}  // namespace adit::stratum
