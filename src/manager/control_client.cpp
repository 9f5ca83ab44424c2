#include "manager/control_client.h"

#include "base/clock.h"
#include "manager/control_address.h"
#include "manager/control_protocol.h"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace adit::manager {
namespace {

constexpr std::size_t kMaxReply = 64u << 20;  // more than any pool sends

std::unexpected<ControlFailure> failure(ControlFault fault, std::string message) {
    return std::unexpected(ControlFailure{fault, std::move(message)});
}

// One request over one connection.
class Call {
 public:
    Call(const std::filesystem::path& data_dir, int timeout_ms)
        : data_dir_(data_dir), timeout_ms_(timeout_ms), end_ms_(clock_.steady_ms() + timeout_ms) {}
    ~Call() {
        if (socket_ >= 0) ::close(socket_);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    std::expected<void, ControlFailure> connect() {
        const auto address = control_address(control_path(data_dir_));
        if (!address) return failure(ControlFault::no_access, address.error());
        socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        // A pool whose queue of connections is full makes connect() wait, for as long as sending.
        const timeval limit{.tv_sec = timeout_ms_ / 1'000, .tv_usec = timeout_ms_ % 1'000 * 1'000L};
        ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        const auto* generic = reinterpret_cast<const sockaddr*>(&*address);
        if (::connect(socket_, generic, sizeof *address) == 0) return {};
        switch (errno) {
            case ENOENT:
            case ENOTDIR:
            case ECONNREFUSED:
                return failure(ControlFault::no_pool,
                               fmt::format("no pool is running on {}; start it with adit run",
                                           data_dir_.string()));
            case EACCES:
            case EPERM:
                return failure(ControlFault::no_access,
                               fmt::format("the pool on {} runs as another user; run this command "
                                           "as that user or as root",
                                           data_dir_.string()));
            case EAGAIN:
                return failure(ControlFault::no_access,
                               fmt::format("the pool on {} is too busy to take this command; "
                                           "nothing was done, try again",
                                           data_dir_.string()));
            default:
                return failure(ControlFault::no_access,
                               fmt::format("cannot reach the pool on {}: {}", data_dir_.string(),
                                           std::strerror(errno)));
        }
    }

    std::expected<void, ControlFailure> send(std::string_view text) {
        while (!text.empty()) {
            const auto sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0 && errno == EAGAIN) return late();
            if (sent < 0) {
                // It said why, perhaps, before it closed.
                return {};
            }
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return {};
    }

    std::expected<std::string, ControlFailure> receive_line() {
        std::string input;
        std::array<char, 65536> buffer;
        while (true) {
            pollfd ready{socket_, POLLIN, 0};
            const auto left_ms = end_ms_ - clock_.steady_ms();
            if (left_ms <= 0) return late();
            ::poll(&ready, 1, static_cast<int>(left_ms));
            if (ready.revents == 0) continue;
            const auto got = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (got <= 0) {
                return failure(ControlFault::unanswered,
                               fmt::format("the pool on {} ended before it answered; look whether "
                                           "this was done before you repeat it",
                                           data_dir_.string()));
            }
            const std::string_view fresh(buffer.data(), static_cast<std::size_t>(got));
            const auto end = fresh.find('\n');
            input.append(fresh.substr(0, end));
            if (end != std::string_view::npos) return input;
            if (input.size() > kMaxReply) {
                return failure(ControlFault::unanswered, "the pool's answer does not end");
            }
        }
    }

 private:
    std::unexpected<ControlFailure> late() const {
        return failure(ControlFault::unanswered,
                       fmt::format("the pool on {} has not answered within {} ms; it may still do "
                                   "what was asked, look before you repeat it",
                                   data_dir_.string(), timeout_ms_));
    }

    const std::filesystem::path data_dir_;
    const int timeout_ms_;
    const base::SystemClock clock_;
    const std::int64_t end_ms_;
    int socket_ = -1;
};

}  // namespace

std::expected<std::string, ControlFailure> ask_pool(const std::filesystem::path& data_dir,
                                                    std::string_view method,
                                                    std::string_view params, int timeout_ms) {
    Call call(data_dir, timeout_ms);
    if (const auto connected = call.connect(); !connected) {
        return std::unexpected(connected.error());
    }
    const auto sent = call.send(control_request_line(method, params) + "\n");
    if (!sent) return std::unexpected(sent.error());
    const auto line = call.receive_line();
    if (!line) return std::unexpected(line.error());
    auto reply = parse_control_reply(*line);
    if (!reply) return failure(ControlFault::unanswered, reply.error());
    if (!reply->ok) return failure(ControlFault::refused, std::move(reply->body));
    return std::move(reply->body);
}

}  // namespace adit::manager
