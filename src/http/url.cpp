#include "http/url.h"

namespace adit::http {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Without the query and, for a target in absolute form (RFC 9112, 3.2.2), without the host.
std::expected<std::string_view, TargetError> path_of(std::string_view target) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!target.starts_with(scheme)) continue;
        target.remove_prefix(scheme.size());
        const auto slash = target.find('/');
        if (slash == 0 || slash == std::string_view::npos)
            return std::unexpected(TargetError::not_a_path);
        return target.substr(slash);
    }
    if (!target.starts_with('/')) return std::unexpected(TargetError::not_a_path);
    return target;
}

std::expected<std::string, TargetError> segment_of(std::string_view raw) {
    auto segment = percent_decode(raw, false);
    if (!segment) return segment;
    if (*segment == "." || *segment == "..") return std::unexpected(TargetError::dot_segment);
    if (segment->find_first_of("/\\") != std::string::npos)
        return std::unexpected(TargetError::escaped_slash);
    return segment;
}

std::expected<Fields, TargetError> query_of(std::string_view raw) {
    Fields fields;
    while (!raw.empty()) {
        const auto end = raw.find('&');
        const auto part = raw.substr(0, end);
        raw = end == std::string_view::npos ? std::string_view() : raw.substr(end + 1);
        if (part.empty()) continue;
        if (fields.size() == kMaxQueryParams) return std::unexpected(TargetError::too_many_parts);
        const auto equals = part.find('=');
        auto name = percent_decode(part.substr(0, equals), true);
        if (!name) return std::unexpected(name.error());
        auto value = equals == std::string_view::npos
                         ? std::expected<std::string, TargetError>()
                         : percent_decode(part.substr(equals + 1), true);
        if (!value) return std::unexpected(value.error());
        // Two values of one name are read differently by different programs on the way.
        for (const auto& known : fields) {
            if (known.first == *name) return std::unexpected(TargetError::repeated_name);
        }
        fields.emplace_back(std::move(*name), std::move(*value));
    }
    return fields;
}

}  // namespace

std::string_view describe(TargetError error) {
    switch (error) {
        case TargetError::not_a_path:
            return "the target must be a path that begins with /";
        case TargetError::bad_escape:
            return "% must be followed by two hex digits";
        case TargetError::control_character:
            return "control characters are not allowed in a target";
        case TargetError::not_utf8:
            return "the target must be UTF-8";
        case TargetError::dot_segment:
            return "\".\" and \"..\" are not resolved; send the path itself";
        case TargetError::escaped_slash:
            return "a part of the path must hold no slash, not even an escaped one";
        case TargetError::too_many_parts:
            return "the target has too many parts";
        case TargetError::repeated_name:
            return "a query parameter may be given once";
        case TargetError::forbidden_raw:
            return "spaces, quotes, angle brackets, # and bytes above 126 must be escaped";
    }
    return "unknown";
}

bool valid_utf8(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto lead = static_cast<unsigned char>(text[at]);
        if (lead < 0x80) {
            ++at;
            continue;
        }
        const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || more >= text.size() - at) return false;
        std::uint32_t code = lead & (0x3fU >> more);
        for (std::size_t i = 1; i <= more; ++i) {
            const auto byte = static_cast<unsigned char>(text[at + i]);
            if ((byte & 0xc0U) != 0x80U) return false;
            code = code << 6U | (byte & 0x3fU);
        }
        const bool overlong = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
        if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
        at += more + 1;
    }
    return true;
}

std::expected<std::string, TargetError> percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (text.size() - i < 3) return std::unexpected(TargetError::bad_escape);
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::unexpected(TargetError::bad_escape);
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (static_cast<unsigned char>(c) > 0x7e || std::string_view(" \"<>#").contains(c)) {
            return std::unexpected(TargetError::forbidden_raw);
        }
        if (is_control(c)) return std::unexpected(TargetError::control_character);
        out += c;
    }
    if (!valid_utf8(out)) return std::unexpected(TargetError::not_utf8);
    return out;
}

std::string Target::path() const {
    if (segments.empty()) return "/";
    std::string out;
    for (const auto& segment : segments) {
        out += '/';
        out += segment;
    }
    return out;
}

std::expected<Target, TargetError> parse_target(std::string_view text) {
    const auto whole = path_of(text);
    if (!whole) return std::unexpected(whole.error());
    const auto question = whole->find('?');
    auto path = whole->substr(1, question == std::string_view::npos ? question : question - 1);
    Target target;
    while (true) {
        const auto slash = path.find('/');
        if (target.segments.size() == kMaxSegments)
            return std::unexpected(TargetError::too_many_parts);
        auto segment = segment_of(path.substr(0, slash));
        if (!segment) return std::unexpected(segment.error());
        target.segments.push_back(std::move(*segment));
        if (slash == std::string_view::npos) break;
        path.remove_prefix(slash + 1);
    }
    if (target.segments.size() == 1 && target.segments.front().empty()) target.segments.clear();
    if (question != std::string_view::npos) {
        auto query = query_of(whole->substr(question + 1));
        if (!query) return std::unexpected(query.error());
        target.query = std::move(*query);
    }
    return target;
}

}  // namespace adit::http
