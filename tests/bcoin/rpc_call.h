// One JSON-RPC call over HTTP, for tests: synchronous, with a deadline. No state; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace adit::tests {

struct RpcEndpoint {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::string user;
    std::string password;
    std::string path = "/";
};

// An error that the server answered with (code from the reply, or the HTTP status when there is no
// JSON in it).
class RpcError : public std::runtime_error {
 public:
    RpcError(std::int64_t error_code, const std::string& message)
        : std::runtime_error(message), code(error_code) {}
    std::int64_t code;
};

// The result. Throws RpcError for an error in the reply, std::runtime_error when there is no reply.
nlohmann::json rpc_call(const RpcEndpoint& endpoint, std::string_view method,
                        const nlohmann::json& params, std::int64_t deadline_ms = 60'000);

}  // namespace adit::tests
