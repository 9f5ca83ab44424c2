// Any target, method and credential: the parts of a request that are parsed without sockets.
#include "base/check.h"
#include "http/events.h"
#include "http/response_text.h"
#include "http/router.h"
#include "http/url.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace adit;

namespace {

// Accepts nobody.
class Closed final : public auth::Gatekeeper {
    std::expected<auth::Principal, auth::Denial> identify(std::string_view credential) override {
        return std::unexpected(credential.empty() ? auth::Denial::missing : auth::Denial::invalid);
    }
};

const http::Router& router() {
    static Closed gatekeeper;
    static http::Router router(gatekeeper);
    if (router.routes().empty()) {
        const auto add = [](http::Method method, std::string pattern, auth::Permission permission) {
            router.add({.method = method,
                        .pattern = std::move(pattern),
                        .permission = permission,
                        .summary = "For fuzzing.",
                        .handler = [](const http::Request& request) {
                            return http::json_response(http::json_text(request.path));
                        }});
        };
        add(http::Method::get, "/", auth::Permission::anyone);
        add(http::Method::get, "/a/{x}", auth::Permission::anyone);
        add(http::Method::get, "/a/b", auth::Permission::anyone);
        add(http::Method::get, "/{x}/{y}/c", auth::Permission::anyone);
        add(http::Method::post, "/a/{x}", auth::Permission::operate_pool);
    }
    return router;
}

void check_target(std::string_view text) {
    const auto target = http::parse_target(text);
    if (!target) {
        ADIT_CHECK(!http::describe(target.error()).empty(), "every refusal has words");
        return;
    }
    ADIT_CHECK(target->segments.size() <= http::kMaxSegments, "segments are bounded");
    ADIT_CHECK(target->query.size() <= http::kMaxQueryParams, "parameters are bounded");
    std::size_t bytes = 0;
    for (const auto& segment : target->segments) {
        bytes += segment.size();
        ADIT_CHECK(http::valid_utf8(segment), "segments are UTF-8");
        ADIT_CHECK(segment != "." && segment != "..", "no segment climbs");
        ADIT_CHECK(segment.find('/') == std::string::npos, "a segment is one segment");
    }
    for (const auto& [name, value] : target->query)
        bytes += name.size() + value.size();
    ADIT_CHECK(bytes <= text.size(), "decoding never adds");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto space = input.find(' ');
    const auto line = input.find('\n');
    const auto method = input.substr(0, space);
    const auto target =
        space == std::string_view::npos ? input : input.substr(space + 1, line - space - 1);
    check_target(target);

    http::Request request;
    if (line != std::string_view::npos) {
        const auto rest = input.substr(line + 1);
        request.headers.emplace_back("Authorization", rest);
        request.headers.emplace_back("Last-Event-ID", rest);
    }
    auto response = router().handle(method, target, request);
    ADIT_CHECK(response.status != 500 && response.status != 0, "a handler runs on good input only");
    ADIT_CHECK(response.status < 400 || response.body.starts_with("{\"error\":{"),
               "every refusal is a JSON error");

    // Whatever a handler puts into a header, there is one end of the head.
    response.headers.emplace_back(method, target);
    response.content_type = target;
    const auto head = http::head_text(response, {});
    ADIT_CHECK(head.find("\r\n\r\n") == head.size() - 4, "a header cannot end the head");
    for (std::size_t at = 0; (at = head.find('\n', at)) != std::string::npos; ++at)
        ADIT_CHECK(at > 0 && head[at - 1] == '\r', "a header cannot begin another");

    const auto event = http::event_text("1", "topic", input);
    ADIT_CHECK(event.find("\n\n") == event.size() - 2, "data cannot end an event");
    return 0;
}
