#include "miner/stratum_client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace adit::miner {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kOutboxLimit = 4 << 20;  // a pool that does not read for so long is gone
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

// One TCP or TLS connection and what is to be written to it. Kept alive by its pending operations.
struct Connection {
    explicit Connection(asio::io_context& io) : plain(io) {}

    tcp::socket plain;
    std::optional<asio::ssl::stream<tcp::socket&>> tls;
    std::string outbox;
    std::string sending;
    bool writing = false;
    std::string why;  // the reason why it was closed, first come

    void close(std::string_view reason) {
        if (why.empty()) why = reason;
        error_code ignored;
        plain.close(ignored);
    }
};
using ConnectionRef = std::shared_ptr<Connection>;

void flush(const ConnectionRef& connection) {
    if (connection->writing || connection->outbox.empty()) return;
    connection->writing = true;
    connection->sending = std::exchange(connection->outbox, {});
    const auto written = [connection](error_code error, std::size_t) {
        connection->writing = false;
        if (error) return connection->close(error.message());
        flush(connection);
    };
    const auto bytes = asio::buffer(connection->sending);
    if (connection->tls) {
        asio::async_write(*connection->tls, bytes, written);
    } else {
        asio::async_write(connection->plain, bytes, written);
    }
}

asio::ssl::context make_tls(const ConnectionSettings& settings) {
    asio::ssl::context tls(asio::ssl::context::tls_client);
    if (!settings.pool.tls) return tls;
    if (!settings.verify_tls) {
        tls.set_verify_mode(asio::ssl::verify_none);
        return tls;
    }
    tls.set_verify_mode(asio::ssl::verify_peer);
    if (settings.ca_file.empty()) {
        tls.set_default_verify_paths();
    } else {
        tls.load_verify_file(settings.ca_file);
    }
    return tls;
}

}  // namespace

struct StratumClient::Shell {
    ConnectionSettings settings;
    ClientEvents events;
    asio::io_context io{1};
    asio::ssl::context tls;
    ClientProtocol protocol;
    tcp::resolver resolver{io};
    asio::steady_timer watchdog{io};
    asio::steady_timer pause{io};
    asio::steady_timer drain{io};
    ConnectionRef connection;  // null between connections
    PoolUrl target;
    std::uint32_t failures = 0;  // in a row
    std::uint32_t requested_wait_ms = 0;
    std::atomic<std::size_t> queued{0};  // shares on their way to this thread
    bool stopping = false;
    bool draining = false;
    std::thread thread;

    Shell(ConnectionSettings what, ClientEvents sinks)
        : settings(std::move(what)),
          events(std::move(sinks)),
          tls(make_tls(settings)),
          protocol(settings.client),
          target(settings.pool) {}

    asio::awaitable<void> live() {
        while (!stopping) {
            connection = std::make_shared<Connection>(io);
            const std::string why = co_await connect_and_serve(connection);
            connection->close(why);
            watchdog.cancel();
            protocol.on_disconnected();
            if (stopping) break;
            const auto wait_ms = next_pause_ms();
            if (events.on_lost) events.on_lost(connection->why, wait_ms);
            connection.reset();
            pause.expires_after(std::chrono::milliseconds(wait_ms));
            co_await pause.async_wait(kTuple);
        }
        connection.reset();
        handle(protocol.give_up());
    }

    std::uint32_t next_pause_ms() {
        if (requested_wait_ms != 0) return std::exchange(requested_wait_ms, 0);
        constexpr std::uint32_t kMaxShift = 16;
        const auto factor = std::uint64_t{1} << std::min(failures++, kMaxShift);
        if (failures > 1) target = settings.pool;  // a redirection that leads nowhere is forgotten
        return static_cast<std::uint32_t>(
            std::min<std::uint64_t>(settings.first_pause_ms * factor, settings.longest_pause_ms));
    }

    // Returns why the connection ended.
    asio::awaitable<std::string> connect_and_serve(ConnectionRef current) {
        guard(current, settings.connect_timeout_ms, "connecting took too long");
        auto [resolve_error, endpoints] =
            co_await resolver.async_resolve(target.host, std::to_string(target.port), kTuple);
        if (resolve_error) co_return fmt::format("{}: {}", target.host, resolve_error.message());
        auto [connect_error, where] =
            co_await asio::async_connect(current->plain, endpoints, kTuple);
        if (connect_error) co_return connect_error.message();
        error_code ignored;
        current->plain.set_option(tcp::no_delay(true), ignored);
        current->plain.set_option(asio::socket_base::keep_alive(true), ignored);
        if (!settings.preamble.empty()) {
            auto [error, sent] =
                co_await asio::async_write(current->plain, asio::buffer(settings.preamble), kTuple);
            if (error) co_return error.message();
        }
        if (target.tls) {
            guard(current, settings.connect_timeout_ms, "the TLS handshake took too long");
            current->tls.emplace(current->plain, tls);
            SSL_set_tlsext_host_name(current->tls->native_handle(), target.host.c_str());
            if (settings.verify_tls) {
                current->tls->set_verify_callback(asio::ssl::host_name_verification(target.host));
            }
            auto [error] =
                co_await current->tls->async_handshake(asio::ssl::stream_base::client, kTuple);
            if (error) co_return fmt::format("TLS: {}", error.message());
        }
        guard(current, settings.connect_timeout_ms, "the pool did not answer the subscription");
        if (events.on_connected) events.on_connected();
        handle(protocol.on_connected());
        if (current->tls) co_return co_await serve(current, *current->tls);
        co_return co_await serve(current, current->plain);
    }

    template <class Stream>
    asio::awaitable<std::string> serve(ConnectionRef current, Stream& stream) {
        std::string partial;
        std::vector<char> buffer(kReadSize);
        while (true) {
            auto [error, size] = co_await stream.async_read_some(asio::buffer(buffer), kTuple);
            if (error == asio::error::eof) co_return "the pool closed the connection";
            if (error) co_return error.message();
            partial.append(buffer.data(), size);
            std::size_t begin = 0;
            for (std::size_t end = 0; (end = partial.find('\n', begin)) != std::string::npos;
                 begin = end + 1) {
                const auto line = std::string_view(partial).substr(begin, end - begin);
                handle(protocol.on_line(line));
                if (!current->plain.is_open()) co_return "closed";
            }
            partial.erase(0, begin);
            if (partial.size() > ClientProtocol::kMaxLine) handle(protocol.on_line(partial));
            if (!current->plain.is_open()) co_return "closed";
            if (protocol.ready()) {
                guard(current, settings.silence_timeout_ms, "the pool fell silent");
            }
        }
    }

    // Closes the connection when nothing renews the guard in time.
    void guard(const ConnectionRef& current, std::uint32_t ms, const char* why) {
        watchdog.expires_after(std::chrono::milliseconds(ms));
        watchdog.async_wait([this, current, why](error_code error) {
            if (error) return;
            resolver.cancel();
            current->close(why);
        });
    }

    void handle(Actions actions) {
        for (auto& each : actions) {
            std::visit([this](auto& one) { perform(one); }, each);
        }
        if (connection) flush(connection);
        if (draining && protocol.pending() == 0) finish();
    }

    void perform(action::Send& send) {
        if (!connection) return;
        connection->outbox += send.line;
        if (connection->outbox.size() > kOutboxLimit) connection->close("the pool does not read");
    }
    void perform(action::Ready& ready) {
        failures = 0;
        if (events.on_ready) events.on_ready(ready.resumed);
    }
    void perform(action::Work& work) {
        if (events.on_job) events.on_job(std::move(work.job));
    }
    void perform(action::Replied& replied) {
        if (events.on_reply) events.on_reply(replied.reply);
    }
    void perform(action::Message& message) {
        if (events.on_message) events.on_message(message.text);
    }
    void perform(action::Reconnect& reconnect) {
        if (!reconnect.host.empty() && !may_redirect(target.host, reconnect.host)) {
            const auto text =
                fmt::format("ignored the pool's order to go to another domain: {}", reconnect.host);
            if (events.on_message) events.on_message(text);
        } else {
            if (!reconnect.host.empty()) target.host = reconnect.host;
            if (reconnect.port != 0) target.port = reconnect.port;
        }
        requested_wait_ms = std::max(reconnect.wait_s * 1000, 1U);
        if (connection) connection->close("the pool asked to connect again");
    }
    void perform(action::Fail& failure) {
        if (events.on_refused) events.on_refused(failure.error, failure.detail);
        if (!connection) return;
        connection->close(failure.detail.empty()
                              ? std::string(describe(failure.error))
                              : fmt::format("{}: {}", describe(failure.error), failure.detail));
    }

    void finish() {
        if (std::exchange(stopping, true)) return;
        drain.cancel();
        resolver.cancel();
        watchdog.cancel();
        pause.cancel();
        if (connection) connection->close("stopped");
    }

    void begin_stop(std::uint32_t drain_ms) {
        if (drain_ms == 0 || protocol.pending() == 0 || !protocol.ready()) return finish();
        draining = true;
        drain.expires_after(std::chrono::milliseconds(drain_ms));
        drain.async_wait([this](error_code error) {
            if (!error) finish();
        });
    }
};

StratumClient::StratumClient(ConnectionSettings settings, ClientEvents events)
    : shell_(std::make_unique<Shell>(std::move(settings), std::move(events))) {}

StratumClient::~StratumClient() {
    stop();
}

void StratumClient::start() {
    Shell& shell = *shell_;
    if (shell.thread.joinable()) return;
    asio::co_spawn(shell.io, shell.live(), asio::detached);
    shell.thread = std::thread([&shell] { shell.io.run(); });
}

void StratumClient::stop(std::uint32_t drain_ms) {
    Shell& shell = *shell_;
    if (!shell.thread.joinable()) return;
    asio::post(shell.io, [&shell, drain_ms] { shell.begin_stop(drain_ms); });
    shell.thread.join();
}

bool StratumClient::submit(Share&& share) {
    Shell& shell = *shell_;
    if (shell.queued.fetch_add(1) >= kMaxQueued) {
        --shell.queued;
        return false;
    }
    asio::post(shell.io, [&shell, share = std::move(share)]() mutable {
        --shell.queued;
        shell.handle(shell.protocol.submit(std::move(share)));
    });
    return true;
}

void StratumClient::drop_connection() {
    Shell& shell = *shell_;
    asio::post(shell.io, [&shell] {
        if (shell.connection) shell.connection->close("dropped on request");
    });
}

}  // namespace adit::miner
