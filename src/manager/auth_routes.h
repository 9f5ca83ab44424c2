// The REST routes of the auth service: logins, second factors, API keys, users, the audit log.
// Values; the service outlives them and is called on the server's worker threads.
#pragma once

#include "auth/auth_service.h"
#include "http/router.h"

namespace adit::manager {

std::vector<http::Route> auth_routes(auth::AuthService& auth);
// What an auth refusal is over HTTP: its status, {"error":{"code","message"}}, Retry-After.
http::Response response_of(const auth::Refused& refused);

}  // namespace adit::manager
