// A request's body as JSON fields (base/json_fields.h). Used by the handler's thread.
//
//   base::JsonFields fields(json_body(request));
//   const auto strategy = fields.text("strategy", 32);
//   if (auto refusal = refusal_of(fields)) return *refusal;
#pragma once

#include "base/json_fields.h"
#include "http/message.h"

#include <optional>
#include <string_view>

namespace adit::http {

// An empty body stands for an object without members.
inline std::string_view json_body(const Request& request) {
    return request.body.empty() ? std::string_view("{}") : std::string_view(request.body);
}

// 400 with the first fault; nullopt: every field is known and good.
inline std::optional<Response> refusal_of(base::JsonFields& fields) {
    auto fault = fields.finish();
    if (!fault) return std::nullopt;
    return error_response(400, "bad_body", *fault);
}

// 400 for the first query parameter that is none of these.
inline std::optional<Response> refusal_of_query(const Request& request,
                                                std::initializer_list<std::string_view> known) {
    const auto unknown = request.unknown_query(known);
    if (!unknown) return std::nullopt;
    return error_response(400, "bad_query",
                          std::string("unknown query parameter ").append(unknown->substr(0, 64)));
}

}  // namespace adit::http
