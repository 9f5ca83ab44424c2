#include "http/events.h"
#include "http/response_text.h"
#include "http/server_core.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include <sys/socket.h>

namespace adit::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using Parser = beast::http::request_parser<beast::http::string_body>;
using ParseError = beast::http::error;

namespace {

constexpr std::size_t kMaxFields = 100;
constexpr std::size_t kReadAhead = 16 * 1024;
constexpr std::size_t kMaxLinger = 4 * 1024 * 1024;  // bytes read and dropped before a close
constexpr std::chrono::milliseconds kLingerTime{2'000};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kHeartbeat = ": \n\n";

// What a worker needs, apart from the connection, which may be long gone.
struct Job {
    Request request;
    const Route* route = nullptr;
};

enum class Phase : std::uint8_t {
    idle,       // nothing of a request has come
    header,     // some of it has
    body,       // and the rest of it has not
    handling,   // queued or with a handler
    writing,    // the answer
    streaming,  // events
    lingering,  // reading what nobody wants, so that the peer gets the answer
    closed,
};

class BeastConnection final : public Connection,
                              public std::enable_shared_from_this<BeastConnection> {
 public:
    BeastConnection(std::shared_ptr<ServerCore> core, tcp::socket socket, net::Address peer)
        : core_(std::move(core)),
          socket_(std::move(socket)),
          strand_(socket_.get_executor()),
          peer_(peer),
          timer_(strand_),
          heartbeat_(strand_),
          buffer_(core_->settings.max_header_bytes + kReadAhead) {
        core_->metrics.connections.add(1);
    }

    ~BeastConnection() override {
        if (events_) leave_stream();
        core_->metrics.connections.add(-1);
        core_->per_address.release(peer_);
        core_->budget.release();
        core_->leave(this);
    }

    void start() {
        asio::post(strand_, [self = shared_from_this()] { self->next_request(); });
    }

    void drain() override {
        asio::post(strand_, [self = shared_from_this()] {
            if (self->phase_ == Phase::idle) self->shut();
            if (self->events_)
                self->events_->finish("closing", R"({"message":"the pool is stopping"})");
        });
    }
    void cancel() override {
        asio::post(strand_, [self = shared_from_this()] { self->stop_.request_stop(); });
    }
    void close() override {
        asio::post(strand_, [self = shared_from_this()] { self->shut(); });
    }

 private:
    // --- reading -------------------------------------------------------------------------------

    void next_request() {
        const auto& settings = core_->settings;
        if (core_->draining || served_ >= settings.max_requests_per_connection) return shut();
        parser_.emplace();
        parser_->header_limit(settings.max_header_bytes);
        parser_->body_limit(boost::none);  // judged when it is known where the request goes
        timed_out_ = false;
        if (buffer_.size() > 0) return read_header();
        buffer_.shrink_to_fit();
        phase_ = Phase::idle;
        arm(served_ == 0 ? settings.header_timeout : settings.idle_timeout);
        socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
            if (self->phase_ != Phase::idle) return;
            if (error) return self->shut();
            self->read_header();
        });
    }

    void read_header() {
        phase_ = Phase::header;
        began_ns_ = core_->clock.steady_ns();
        arm(core_->settings.header_timeout);
        beast::http::async_read_header(socket_, buffer_, *parser_,
                                       [self = shared_from_this()](error_code error, std::size_t) {
                                           self->header_read(error);
                                       });
    }

    void header_read(error_code error) {
        if (phase_ != Phase::header) return;
        ++served_;
        method_ = "other";
        route_ = nullptr;
        head_only_ = false;
        stop_ = std::stop_source();
        if (error) return read_failed(error);
        job_ = std::make_shared<Job>();
        if (auto refusal = judge_header()) return refuse(std::move(*refusal));
        if (parser_->is_done()) return dispatch();
        read_body();
    }

    // Everything that can be said before the body is read: a peer without a right costs no body.
    std::optional<Response> judge_header() {
        const auto& message = parser_->get();
        auto& request = job_->request;
        const std::string_view name(message.method_string().data(), message.method_string().size());
        if (parse_method(name)) method_ = name_of(*parse_method(name));
        head_only_ = method_ == "HEAD";
        request.stop = stop_.get_token();
        if (auto refusal = take_fields()) return refusal;
        request.peer = asker();
        if (const auto wait_ms = core_->limiter.take(request.peer))
            return too_many(*wait_ms, Rejection::rate);
        auto route = core_->router.match(
            name, std::string_view(message.target().data(), message.target().size()), request);
        if (!route) return std::move(route.error());
        route_ = job_->route = *route;
        if (route_->strict_rate) {
            if (const auto wait_ms = core_->strict_limiter.take(request.peer))
                return too_many(*wait_ms, Rejection::strict_rate);
        }
        if (auto refusal = core_->router.authorize(*route_, request)) return refusal;
        const auto most = core_->settings.max_body_bytes;
        if (parser_->content_length().value_or(0) > most) return body_too_large();
        const auto expect = request.header("expect");
        if (!expect.empty() && !equal_without_case(expect, "100-continue"))
            return error_response(417, "expectation",
                                  "only \"Expect: 100-continue\" is understood");
        return std::nullopt;
    }

    std::optional<Response> take_fields() {
        const auto& message = parser_->get();
        std::size_t hosts = 0;
        for (const auto& field : message) {
            auto& fields = job_->request.headers;
            if (fields.size() == kMaxFields) {
                core_->metrics.rejected(Rejection::header_size);
                return error_response(431, "header_too_large",
                                      fmt::format("at most {} headers are taken", kMaxFields));
            }
            hosts += field.name() == beast::http::field::host ? 1 : 0;
            fields.emplace_back(std::string(field.name_string()), std::string(field.value()));
        }
        if (hosts > 1 || (hosts == 0 && message.version() >= 11)) {
            core_->metrics.rejected(Rejection::malformed);
            return error_response(400, "bad_host", "send the header Host once");
        }
        return std::nullopt;
    }

    // Behind a trusted proxy, whom it speaks for: the last address, which it has written itself.
    net::Address asker() const {
        const auto& trusted = core_->settings.trusted_proxies;
        if (std::ranges::find(trusted, peer_.ip_text()) == trusted.end()) return peer_;
        std::string_view last;
        for (const auto& [name, value] : job_->request.headers) {
            if (equal_without_case(name, "x-forwarded-for")) last = value;
        }
        last = last.substr(last.rfind(',') + 1);
        last.remove_prefix(std::min(last.find_first_not_of(' '), last.size()));
        error_code error;
        const auto ip = asio::ip::make_address(std::string(last), error);
        if (error) return peer_;
        const tcp::endpoint endpoint(ip, peer_.port);
        return net::Address::from(endpoint.data());
    }

    void read_body() {
        phase_ = Phase::body;
        parser_->body_limit(core_->settings.max_body_bytes);
        arm(core_->settings.body_timeout);
        if (job_->request.header("expect").empty()) return read_body_bytes();
        asio::async_write(socket_, asio::buffer(kContinue),
                          [self = shared_from_this()](error_code error, std::size_t) {
                              if (self->phase_ != Phase::body) return;
                              if (error) return self->read_failed(error);
                              self->read_body_bytes();
                          });
    }

    void read_body_bytes() {
        beast::http::async_read(socket_, buffer_, *parser_,
                                [self = shared_from_this()](error_code error, std::size_t) {
                                    if (self->phase_ != Phase::body) return;
                                    if (error) return self->read_failed(error);
                                    self->dispatch();
                                });
    }

    void read_failed(error_code error) {
        if (timed_out_) {
            const bool header = phase_ == Phase::header;
            core_->metrics.rejected(header ? Rejection::header_timeout : Rejection::body_timeout);
            return refuse(error_response(408, "request_timeout",
                                         "the request did not arrive in time; send it whole"));
        }
        if (error == ParseError::header_limit || error == ParseError::buffer_overflow) {
            core_->metrics.rejected(Rejection::header_size);
            return refuse(error_response(431, "header_too_large",
                                         fmt::format("at most {} bytes of headers are taken",
                                                     core_->settings.max_header_bytes)));
        }
        if (error == ParseError::body_limit) return refuse(body_too_large());
        const bool gone =
            error == ParseError::end_of_stream || error == ParseError::partial_message;
        static const auto& kParsing = make_error_code(ParseError::bad_version).category();
        if (gone || error.category() != kParsing) return shut();
        core_->metrics.rejected(Rejection::malformed);
        refuse(error_response(400, "bad_request",
                              fmt::format("this is not HTTP/1.1: {}", error.message())));
    }

    Response too_many(std::int64_t wait_ms, Rejection why) {
        core_->metrics.rejected(why);
        return retry_response(
            429, "too_many_requests",
            "too many requests from this address; wait as long as Retry-After says",
            std::chrono::milliseconds(wait_ms));
    }

    Response body_too_large() {
        core_->metrics.rejected(Rejection::body_size);
        return error_response(
            413, "body_too_large",
            fmt::format("at most {} bytes of body are taken", core_->settings.max_body_bytes));
    }

    // --- handling ------------------------------------------------------------------------------

    void dispatch() {
        phase_ = Phase::handling;
        job_->request.body = std::move(parser_->get().body());
        keep_alive_ = wants_more();
        arm(route_->timeout);
        watch_for_end();
        const auto number = served_;
        auto& workers = route_->slow ? *core_->slow_workers : *core_->workers;
        const bool queued = workers.post([self = shared_from_this(), job = job_, number]() mutable {
            std::string what;
            auto response = job->request.stop.stop_requested()
                                ? error_response(503, "stopped", "the request was given up")
                                : self->core_->router.run(*job->route, job->request, &what);
            if (!what.empty())
                self->core_->log.error("http", "a handler failed",
                                       {{"route", job->route->pattern}, {"error", what}});
            job.reset();
            auto* raw = self.get();
            asio::post(raw->strand_,
                       [self = std::move(self), number, response = std::move(response)]() mutable {
                           self->handled(number, std::move(response));
                       });
        });
        job_.reset();
        if (queued) return;
        core_->metrics.rejected(Rejection::queue_full);
        respond(retry_response(503, "busy", "all workers are busy; try again soon",
                               std::chrono::seconds(1)));
    }

    // HTTP/1.0 knew several ways to keep a connection; one request each is what all understand.
    bool wants_more() const {
        return parser_->get().version() >= 11 && parser_->get().keep_alive();
    }

    void handled(std::uint64_t number, Response response) {
        // The answer of a handler whose time was up comes too late.
        const bool wanted = phase_ == Phase::handling && number == served_;
        if (wanted) return respond(std::move(response));
        if (response.events) response.events->close();
    }

    // The handler is told when the peer goes. Bytes that wait are another request's; with them
    // there, an end behind them is not seen before they are read.
    void watch_for_end() {
        socket_.async_wait(tcp::socket::wait_read,
                           [self = shared_from_this(), number = served_](error_code error) {
                               if (error || self->phase_ != Phase::handling ||
                                   number != self->served_ || !self->peer_ended())
                                   return;
                               self->core_->metrics.disconnects.add();
                               self->keep_alive_ = false;
                               self->stop_.request_stop();
                           });
    }

    bool peer_ended() {
        char byte = 0;
        const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    }

    // --- answering -----------------------------------------------------------------------------

    // An answer instead of a handler's. The rest of the request may be on its way still.
    void refuse(Response response) {
        unread_ = !parser_->is_done();
        keep_alive_ = !unread_ && wants_more();
        job_.reset();
        respond(std::move(response));
    }

    void respond(Response response) {
        stop_.request_stop();
        stop_ = std::stop_source(std::nostopstate);
        keep_alive_ = keep_alive_ && !core_->draining && !response.events &&
                      served_ < core_->settings.max_requests_per_connection;
        head_ = head_text(response, {.keep_alive = keep_alive_, .wall_ms = core_->clock.wall_ms()});
        core_->metrics.answered(method_,
                                route_ != nullptr ? std::string_view(route_->pattern) : "none",
                                response.status);
        core_->metrics.request_ms.observe(
            static_cast<double>(core_->clock.steady_ns() - began_ns_) / 1e6);
        parser_.reset();
        const bool bodiless =
            head_only_ || response.status == 204 || response.status == 304 || response.events;
        body_ = bodiless ? std::string() : std::move(response.body);
        if (response.events && !head_only_) return stream(std::move(response));
        if (response.events) response.events->close();
        phase_ = Phase::writing;
        arm(core_->settings.write_timeout * static_cast<int>(1 + body_.size() / (1U << 20U)));
        const std::array<asio::const_buffer, 2> parts{asio::buffer(head_), asio::buffer(body_)};
        asio::async_write(
            socket_, parts,
            [self = shared_from_this()](error_code error, std::size_t) { self->written(error); });
    }

    void written(error_code error) {
        if (phase_ != Phase::writing) return;
        head_ = {};
        body_ = {};
        if (error) return shut();
        if (keep_alive_) return next_request();
        if (!unread_) return shut();
        // Closing with unread bytes would reset the connection and take the answer with it.
        phase_ = Phase::lingering;
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
        arm(kLingerTime);
        linger();
    }

    void linger() {
        socket_.async_read_some(asio::buffer(scratch_),
                                [self = shared_from_this()](error_code error, std::size_t bytes) {
                                    self->lingered_ += bytes;
                                    if (error || self->lingered_ > kMaxLinger) return self->shut();
                                    self->linger();
                                });
    }

    // --- events --------------------------------------------------------------------------------

    void stream(Response response) {
        phase_ = Phase::streaming;
        events_ = std::move(response.events);
        still_allowed_ = std::move(response.still_allowed);
        core_->metrics.streams.add(1);
        timer_.cancel();
        ++timer_number_;
        if (core_->draining) events_->finish("closing", R"({"message":"the pool is stopping"})");
        outgoing_.push_back(std::make_shared<const std::string>(std::move(head_)));
        events_->on_ready([weak = weak_from_this(), strand = strand_] {
            asio::post(strand, [weak] {
                if (const auto self = weak.lock()) self->pump();
            });
        });
        read_nothing();
        beat();
        pump();
    }

    void pump() {
        if (phase_ != Phase::streaming || writing_) return;
        auto batch = events_->take();
        outgoing_.insert(outgoing_.end(), batch.texts.begin(), batch.texts.end());
        if (outgoing_.empty()) {
            if (batch.finished) end_stream();
            return;
        }
        std::vector<asio::const_buffer> parts;
        for (const auto& text : outgoing_)
            parts.push_back(asio::buffer(*text));
        writing_ = true;
        arm(core_->settings.write_timeout);
        asio::async_write(socket_, parts,
                          [self = shared_from_this()](error_code error, std::size_t) {
                              if (self->phase_ != Phase::streaming) return;
                              self->writing_ = false;
                              self->outgoing_.clear();
                              self->timer_.cancel();
                              ++self->timer_number_;
                              if (error) return self->shut();
                              self->pump();
                          });
    }

    void beat() {
        heartbeat_.expires_after(core_->settings.heartbeat);
        heartbeat_.async_wait([self = shared_from_this()](error_code error) {
            if (error || self->phase_ != Phase::streaming) return;
            if (self->still_allowed_ && !self->still_allowed_()) {
                self->still_allowed_ = nullptr;
                self->events_->finish(
                    "expired", R"({"message":"the credential is no longer valid; log in again"})");
            } else if (!self->writing_) {
                self->outgoing_.push_back(std::make_shared<const std::string>(kHeartbeat));
                self->pump();
            }
            self->beat();
        });
    }

    // Whatever a subscriber sends is dropped; its end is what matters.
    void read_nothing() {
        socket_.async_read_some(asio::buffer(scratch_),
                                [self = shared_from_this()](error_code error, std::size_t) {
                                    if (self->phase_ != Phase::streaming) return;
                                    if (error) return self->shut();
                                    self->read_nothing();
                                });
    }

    void end_stream() {
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
        shut();
    }

    void leave_stream() {
        events_->close();
        events_.reset();
        core_->metrics.streams.add(-1);
    }

    // --- time and end --------------------------------------------------------------------------

    void arm(std::chrono::milliseconds after) {
        timer_.expires_after(after);
        timer_.async_wait([self = shared_from_this(), number = ++timer_number_](error_code error) {
            if (!error && number == self->timer_number_) self->time_is_up();
        });
    }

    void time_is_up() {
        switch (phase_) {
            case Phase::header:
            case Phase::body: {
                // The read ends with an error, and read_failed() answers.
                timed_out_ = true;
                error_code ignored;
                socket_.cancel(ignored);
                return;
            }
            case Phase::handling:
                core_->metrics.handler_timeouts.add();
                keep_alive_ = false;
                return respond(retry_response(503, "timeout", "this took too long and was given up",
                                              std::chrono::seconds(5)));
            case Phase::writing:
            case Phase::streaming:
                core_->metrics.slow_readers.add();
                return shut();
            case Phase::idle:
            case Phase::lingering:
            case Phase::closed:
                return shut();
        }
    }

    void shut() {
        if (phase_ == Phase::closed) return;
        phase_ = Phase::closed;
        stop_.request_stop();
        ++timer_number_;
        timer_.cancel();
        heartbeat_.cancel();
        if (events_) leave_stream();
        still_allowed_ = nullptr;
        error_code ignored;
        socket_.close(ignored);
    }

    std::shared_ptr<ServerCore> core_;
    tcp::socket socket_;
    const tcp::socket::executor_type strand_;
    const net::Address peer_;
    asio::steady_timer timer_;
    asio::steady_timer heartbeat_;
    beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    Phase phase_ = Phase::idle;
    std::uint64_t timer_number_ = 0;  // an expiry with another number comes too late
    std::uint64_t served_ = 0;        // requests, this one included
    bool timed_out_ = false;
    bool keep_alive_ = false;
    bool unread_ = false;
    bool head_only_ = false;
    std::int64_t began_ns_ = 0;
    std::string_view method_;
    const Route* route_ = nullptr;
    std::shared_ptr<Job> job_;
    std::stop_source stop_{std::nostopstate};
    std::string head_;
    std::string body_;
    std::size_t lingered_ = 0;
    std::array<char, 2048> scratch_{};
    // Events.
    std::shared_ptr<EventStream> events_;
    std::function<bool()> still_allowed_;
    std::vector<EventText> outgoing_;
    bool writing_ = false;
};

}  // namespace

void open_connection(std::shared_ptr<ServerCore> core, tcp::socket socket, net::Address peer) {
    auto connection = std::make_shared<BeastConnection>(core, std::move(socket), peer);
    core->enter(connection.get(), connection);
    connection->start();
}

}  // namespace adit::http
