// Lines of a miner: the strict JSON reader against simdjson, and the one-pass scanner against the
// general parser.
#include "base/check.h"
#include "stratum/request.h"

#include <simdjson.h>

namespace {

using namespace adit::stratum;

void compare_with_simdjson(std::string_view line) {
    if (line.contains("\\u")) return;  // simdjson refuses lone surrogates here, we in the text
    simdjson::dom::parser parser;
    const auto error = parser.parse(simdjson::padded_string(line)).error();
    // simdjson has bounds that JSON does not: of numbers and of its own depth.
    if (error == simdjson::NUMBER_ERROR || error == simdjson::DEPTH_ERROR) return;
    ADIT_CHECK(valid_json(line, 1024) == (error == simdjson::SUCCESS), "JSON is JSON");
}

void read_all(std::string_view raw, unsigned depth) {
    std::string buffer;
    const auto visit = [&](const JsonValue& value) {
        value.text(buffer);
        value.number();
        ADIT_CHECK(valid_json(value.raw, kMaxDepth), "a value of valid JSON is valid JSON");
        if (depth > 0) read_all(value.raw, depth - 1);
    };
    JsonReader reader(raw);
    if (raw.starts_with('{')) {
        while (const auto member = reader.member())
            visit(member->value);
    } else {
        while (const auto element = reader.element())
            visit(*element);
    }
}

void compare_scanner(std::string_view line, const Request& request) {
    const auto fields = scan_submit(line);
    if (!fields) return;
    ADIT_CHECK(request.kind == Request::Kind::request && request.method == Method::submit &&
                   request.id == fields->id,
               "the scanner takes only what the general parser takes");
    JsonReader params(request.params);
    std::string buffer;
    for (const auto text :
         {fields->name, fields->job, fields->extranonce2, fields->ntime, fields->nonce}) {
        const auto value = params.element();
        ADIT_CHECK(value && value->text(buffer) == text, "both read the same");
    }
    const auto sixth = params.element();
    ADIT_CHECK(sixth.has_value() == fields->version_bits.has_value() && !params.element(),
               "both read as many");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    compare_with_simdjson(line);
    const auto request = parse_request(line);
    if (valid_json(line, kMaxDepth)) {
        read_all(line.substr(line.find_first_not_of(" \t\r\n")), kMaxDepth);
    } else {
        ADIT_CHECK(request.kind == Request::Kind::not_json, "what is no JSON is no request");
    }
    compare_scanner(line, request);
    std::string text;
    append_json_text(text, line);
    ADIT_CHECK(valid_json(text, 1), "what is written is valid");
    return 0;
}
