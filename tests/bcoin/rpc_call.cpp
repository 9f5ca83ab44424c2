#include "tests/bcoin/rpc_call.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/core/detail/base64.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

namespace adit::tests {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

std::string basic_authorization(const RpcEndpoint& endpoint) {
    const auto plain = endpoint.user + ":" + endpoint.password;
    std::string encoded(beast::detail::base64::encoded_size(plain.size()), '\0');
    encoded.resize(beast::detail::base64::encode(encoded.data(), plain.data(), plain.size()));
    return "Basic " + encoded;
}

// Runs what is pending on the stream, which ends by itself when the stream's timer does.
void finish(asio::io_context& io, const beast::error_code& error, std::string_view doing) {
    io.restart();
    io.run();
    if (error) throw std::runtime_error(fmt::format("{}: {}", doing, error.message()));
}

http::response<http::string_body> exchange(const RpcEndpoint& endpoint, std::string body,
                                           std::int64_t deadline_ms) {
    asio::io_context io;
    beast::tcp_stream stream(io);
    stream.expires_after(std::chrono::milliseconds(deadline_ms));
    beast::error_code error;
    const auto note = [&](beast::error_code e, std::size_t = 0) { error = e; };

    stream.async_connect({asio::ip::make_address(endpoint.host), endpoint.port},
                         [&](beast::error_code e) { error = e; });
    finish(io, error, "connect");

    http::request<http::string_body> request(http::verb::post, endpoint.path, 11);
    request.set(http::field::host, endpoint.host);
    request.set(http::field::authorization, basic_authorization(endpoint));
    request.set(http::field::content_type, "application/json");
    request.body() = std::move(body);
    request.prepare_payload();
    http::async_write(stream, request, note);
    finish(io, error, "send");

    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(64U << 20U);
    http::async_read(stream, buffer, parser, note);
    finish(io, error, "receive");
    return parser.release();
}

}  // namespace

nlohmann::json rpc_call(const RpcEndpoint& endpoint, std::string_view method,
                        const nlohmann::json& params, std::int64_t deadline_ms) {
    const nlohmann::json request{
        {"jsonrpc", "1.0"}, {"id", "test"}, {"method", method}, {"params", params}};
    const auto response = exchange(endpoint, request.dump(), deadline_ms);
    const auto reply = nlohmann::json::parse(response.body(), nullptr, false);
    if (!reply.is_object()) {
        throw RpcError(response.result_int(),
                       fmt::format("{}: HTTP {}", method, response.result_int()));
    }
    if (const auto error = reply.find("error"); error != reply.end() && !error->is_null()) {
        throw RpcError(error->value("code", 0),
                       fmt::format("{}: {}", method, error->value("message", "")));
    }
    return reply.at("result");
}

}  // namespace adit::tests
