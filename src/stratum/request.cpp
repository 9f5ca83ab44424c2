#include "stratum/request.h"

#include "base/bytes.h"

#include <array>

namespace adit::stratum {

namespace {

using namespace std::string_view_literals;

constexpr std::array<std::pair<std::string_view, Method>, 10> kMethods{{
    {"mining.submit", Method::submit},
    {"mining.subscribe", Method::subscribe},
    {"mining.authorize", Method::authorize},
    {"mining.configure", Method::configure},
    {"mining.suggest_difficulty", Method::suggest_difficulty},
    {"mining.suggest_target", Method::suggest_target},
    {"mining.extranonce.subscribe", Method::extranonce_subscribe},
    {"mining.get_transactions", Method::get_transactions},
    {"mining.ping", Method::ping},
    {"pong", Method::pong},
}};

Method method_of(std::string_view name) {
    for (const auto& [known, method] : kMethods) {
        if (known == name) return method;
    }
    return Method::unknown;
}

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighs = 0x8080808080808080;

// High bit set in (at least) the lowest byte that is zero; exact up to there.
constexpr std::uint64_t zero_bytes(std::uint64_t word) {
    return (word - kOnes) & ~word & kHighs;
}

// One pass over the usual line. Every function leaves `ok` false at the first thing that is not as
// usual, and the general parser decides.
class Scanner {
 public:
    explicit Scanner(std::string_view line) : at_(line.data()), end_(line.data() + line.size()) {}

    std::optional<SubmitFields> submit() {
        SubmitFields fields;
        bool id = false, method = false, params = false;
        if (!take('{')) return std::nullopt;
        do {
            const auto key = text();
            if (!ok_ || !take(':')) return std::nullopt;
            if (key == "id"sv && !id) {
                fields.id = id_value();
                id = true;
            } else if (key == "method"sv && !method) {
                if (text() != "mining.submit"sv) return std::nullopt;
                method = true;
            } else if (key == "params"sv && !params) {
                read_params(fields);
                params = true;
            } else {
                return std::nullopt;
            }
            if (!ok_) return std::nullopt;
        } while (take(','));
        if (!take('}') || !id || !method || !params) return std::nullopt;
        skip_space();
        if (at_ != end_) return std::nullopt;
        return fields;
    }

 private:
    void skip_space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r'))
            ++at_;
    }
    bool take(char c) {
        skip_space();
        if (at_ == end_ || *at_ != c) return false;
        ++at_;
        return true;
    }
    // The plain ASCII bytes up to the closing quote, eight at a time.
    std::string_view text() {
        if (!take('"')) {
            ok_ = false;
            return {};
        }
        const char* begin = at_;
        while (end_ - at_ >= 8) {
            const auto word =
                base::load_le<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(at_));
            const std::uint64_t stops = zero_bytes(word ^ kOnes * '"') |
                                        zero_bytes(word ^ kOnes * '\\') |
                                        ((word - kOnes * 0x20) & ~word & kHighs) | (word & kHighs);
            if (stops != 0) {
                at_ += std::countr_zero(stops) / 8;
                break;
            }
            at_ += 8;
        }
        while (at_ != end_ && *at_ != '"' && *at_ != '\\' && *at_ >= 0x20)
            ++at_;
        if (at_ == end_ || *at_ != '"') {
            ok_ = false;
            return {};
        }
        return {begin, at_++};
    }
    std::string_view id_value() {
        skip_space();
        const char* begin = at_;
        if (at_ == end_) {
            ok_ = false;
        } else if (*at_ == '"') {
            text();
        } else if (std::string_view(at_, end_).starts_with("null")) {
            at_ += 4;
        } else {
            if (*at_ == '-') ++at_;
            const char* digits = at_;
            while (at_ != end_ && *at_ >= '0' && *at_ <= '9')
                ++at_;
            if (at_ == digits || (*digits == '0' && at_ - digits > 1)) ok_ = false;
        }
        return {begin, at_};
    }
    void read_params(SubmitFields& fields) {
        if (!take('[')) {
            ok_ = false;
            return;
        }
        const auto next = [&](std::string_view& field) { return field = text(), take(','); };
        ok_ = next(fields.name) && ok_ && next(fields.job) && ok_ && next(fields.extranonce2) &&
              ok_ && next(fields.ntime) && ok_;
        if (!ok_) return;
        fields.nonce = text();
        if (ok_ && take(',')) fields.version_bits = text();
        if (ok_ && !take(']')) ok_ = false;
    }

    const char* at_;
    const char* end_;
    bool ok_ = true;
};

Request invalid(std::string_view id, std::string_view complaint) {
    Request request;
    request.kind = Request::Kind::invalid;
    request.id = id;
    request.complaint = complaint;
    return request;
}

bool may_be_id(const JsonValue& value) {
    return value.is_integer() || value.type == JsonValue::Type::text || value.is_null();
}

}  // namespace

std::optional<SubmitFields> scan_submit(std::string_view line) {
    return Scanner(line).submit();
}

Request parse_request(std::string_view line) {
    if (!valid_json(line, kMaxDepth)) return {};
    const auto begin = line.find_first_not_of(" \t\r\n");
    const auto end = line.find_last_not_of(" \t\r\n");
    if (line[begin] != '{') return {};

    std::optional<JsonValue> id, method, params;
    bool answers = false;
    std::string buffer;
    JsonReader reader(line.substr(begin, end - begin + 1));
    while (const auto member = reader.member()) {  // of a repeated member, the last one counts
        const auto key = member->key.text(buffer);
        if (key == "id"sv)
            id = member->value;
        else if (key == "method"sv)
            method = member->value;
        else if (key == "params"sv)
            params = member->value;
        else if (key == "result"sv || key == "error"sv)
            answers = true;
    }
    if (!method && answers) {
        Request response;
        response.kind = Request::Kind::response;
        return response;
    }
    if (id && !may_be_id(*id)) return invalid("null", "id must be an integer, a text or null");
    const std::string_view raw_id = id ? id->raw : "null"sv;
    if (!method) return invalid(raw_id, "method is missing");
    const auto name = method->text(buffer);
    if (!name) return invalid(raw_id, "method must be a text");

    Request request;
    request.kind = Request::Kind::request;
    request.id = raw_id;
    request.method = method_of(*name);
    if (params && !params->is_null()) {
        if (params->type != JsonValue::Type::array)
            return invalid(raw_id, "params must be an array");
        request.params = params->raw;
    }
    return request;
}

}  // namespace adit::stratum
