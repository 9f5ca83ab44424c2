#include "manager/control_socket.h"

#include "manager/control_address.h"
#include "manager/control_protocol.h"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace adit::manager {
namespace {

constexpr int kTickMs = 250;  // patience runs by the injected clock
constexpr int kBacklog = 16;
constexpr std::size_t kReadSize = 16u << 10;

// A descriptor that closes itself.
class Descriptor {
 public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    int get() const { return fd_; }

 private:
    int fd_;
};

std::unexpected<std::string> failed(std::string_view what, const std::filesystem::path& path) {
    return std::unexpected(
        fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

// Removes what a dead pool left; never anything but a socket.
std::expected<void, std::string> clear_way(const std::filesystem::path& path) {
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0) {
        if (errno == ENOENT) return {};
        return failed("look at", path);
    }
    if (!S_ISSOCK(found.st_mode)) {
        return std::unexpected(fmt::format(
            "{} is in the way of the control socket and is no socket; move it", path.string()));
    }
    if (::unlink(path.c_str()) != 0) return failed("remove the old socket", path);
    return {};
}

std::expected<Descriptor, std::string> listen_at(const std::filesystem::path& path) {
    const auto address = control_address(path);
    if (!address) return std::unexpected(address.error());
    if (const auto cleared = clear_way(path); !cleared) return std::unexpected(cleared.error());
    Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (listener.get() < 0) return failed("make a socket for", path);
    const auto* generic = reinterpret_cast<const sockaddr*>(&*address);
    if (::bind(listener.get(), generic, sizeof *address) != 0) return failed("bind", path);
    // Nobody can connect before listen().
    if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) return failed("set the mode of", path);
    if (::listen(listener.get(), kBacklog) != 0) return failed("listen at", path);
    return listener;
}

}  // namespace

class ControlSocket::Core {
 public:
    Core(Descriptor listener, std::filesystem::path path, ControlHandlers handlers,
         ControlSettings settings, const base::Clock& clock, base::Logger& logger)
        : path_(std::move(path)),
          handlers_(std::move(handlers)),
          settings_(settings),
          clock_(clock),
          logger_(logger),
          listener_(std::move(listener)),
          wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          thread_([this](const std::stop_token& stop) { run(stop); }) {}

    void stop() {
        if (!thread_.joinable()) return;
        thread_.request_stop();
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
        thread_.join();
        clients_.clear();
        ::unlink(path_.c_str());
        listener_ = Descriptor();
    }

 private:
    struct Client {
        Descriptor socket;
        std::string input;
        std::string output;
        std::size_t sent = 0;
        std::int64_t deadline_ms = 0;  // for the rest of a line, or for taking the reply
        bool ended = false;            // nothing more comes from it
        bool closing = false;          // once its output is out
        bool dead = false;

        bool has_output() const { return sent < output.size(); }
    };

    void run(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            std::vector<pollfd> watched{{wake_.get(), POLLIN, 0}};
            // One more than the most is let in, to be told.
            const bool accepting = !paused_ && clients_.size() <= settings_.max_clients;
            watched.push_back({accepting ? listener_.get() : -1, POLLIN, 0});
            for (const auto& client : clients_) {
                const short events =
                    client->has_output() ? POLLOUT : (client->ended ? short{0} : POLLIN);
                watched.push_back({client->socket.get(), events, 0});
            }
            ::poll(watched.data(), watched.size(), kTickMs);
            paused_ = false;
            // Only those that were polled; accept_all() adds behind them.
            const auto polled = clients_.size();
            if (watched[1].revents != 0) accept_all();
            for (std::size_t i = 0; i < polled && !stop.stop_requested(); ++i)
                serve(*clients_[i], watched[i + 2].revents, stop);
            const auto now_ms = clock_.steady_ms();
            std::erase_if(clients_, [&](const std::unique_ptr<Client>& client) {
                return client->dead || now_ms >= client->deadline_ms;
            });
        }
    }

    void accept_all() {
        while (clients_.size() <= settings_.max_clients) {
            Descriptor socket(
                ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (socket.get() < 0) {
                // Out of descriptors: those waiting keep their places until the next turn.
                paused_ = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
                return;
            }
            auto client = std::make_unique<Client>();
            client->socket = std::move(socket);
            grant_time(*client);
            if (clients_.size() >= settings_.max_clients) {
                refuse(*client, "too many commands at once; try again in a moment");
                client->closing = true;
            }
            clients_.push_back(std::move(client));
        }
    }

    void grant_time(Client& client) const {
        client.deadline_ms = clock_.steady_ms() + settings_.patience_ms;
    }

    void serve(Client& client, short events, const std::stop_token& stop) {
        if ((events & (POLLERR | POLLNVAL)) != 0) client.dead = true;
        if (client.dead) return;
        if ((events & (POLLIN | POLLHUP)) != 0 && !client.has_output() && !client.ended) {
            receive(client);
        }
        if (!client.dead && !client.has_output() && !client.closing) handle_next(client, stop);
        if (!client.dead && client.has_output()) send(client);
        if (client.has_output()) return;
        const bool waits_for_more = client.input.find('\n') == std::string::npos;
        if (client.closing || (client.ended && waits_for_more)) client.dead = true;
    }

    void receive(Client& client) {
        std::array<char, kReadSize> buffer;
        const auto got = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
        if (got > 0) {
            client.input.append(buffer.data(), static_cast<std::size_t>(got));
        } else if (got == 0) {
            client.ended = true;
        } else if (errno != EAGAIN && errno != EINTR) {
            client.dead = true;
        }
    }

    // At most one request, so that clients take turns.
    void handle_next(Client& client, const std::stop_token& stop) {
        const auto end = client.input.find('\n');
        const auto length = end == std::string::npos ? client.input.size() : end;
        if (length > settings_.max_line) {
            refuse(client, fmt::format("a request may have {} bytes at most", settings_.max_line));
            client.input.clear();
            client.closing = true;
            return;
        }
        if (end == std::string::npos) return;
        const auto line = client.input.substr(0, end);
        client.input.erase(0, end + 1);
        answer(client, line, stop);
    }

    void answer(Client& client, std::string_view line, const std::stop_token& stop) {
        auto request = parse_control_request(line, settings_.max_nesting);
        if (!request) return refuse(client, request.error());
        const auto handler = handlers_.find(request->method);
        if (handler == handlers_.end()) {
            return refuse(client, fmt::format("the pool knows no command \"{}\"; is it of another "
                                              "version?",
                                              request->method.substr(0, 64)));
        }
        request->stop = stop;
        put(client, call(handler->second, *request));
    }

    // What a handler throws, a library's exception for example, must not end the pool.
    ControlReply call(const ControlHandler& handler, const ControlRequest& request) {
        try {
            return handler(request);
        } catch (const std::exception& error) {
            logger_.error("control", "a command failed",
                          {{"command", request.method}, {"why", error.what()}});
            return ControlReply::refusal(
                fmt::format("the pool could not do that ({}); see its log", error.what()));
        }
    }

    void refuse(Client& client, std::string sentence) {
        put(client, ControlReply::refusal(std::move(sentence)));
    }

    void put(Client& client, const ControlReply& reply) {
        auto line = control_reply_line(reply);
        if (line.size() > settings_.max_reply) {
            line = control_reply_line(ControlReply::refusal(
                fmt::format("the answer has {} bytes, more than the {} that are sent; ask for less",
                            line.size(), settings_.max_reply)));
        }
        client.output = std::move(line) + '\n';
        client.sent = 0;
        grant_time(client);
    }

    void send(Client& client) {
        const auto rest = std::string_view(client.output).substr(client.sent);
        const auto sent = ::send(client.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            client.dead = errno != EAGAIN && errno != EINTR;
            return;
        }
        client.sent += static_cast<std::size_t>(sent);
        if (client.has_output()) return;
        client.output = {};
        client.sent = 0;
        grant_time(client);
    }

    const std::filesystem::path path_;
    const ControlHandlers handlers_;
    const ControlSettings settings_;
    const base::Clock& clock_;
    base::Logger& logger_;
    Descriptor listener_;
    Descriptor wake_;
    // Of the thread.
    std::vector<std::unique_ptr<Client>> clients_;
    bool paused_ = false;
    std::jthread thread_;
};

ControlSocket::ControlSocket(std::unique_ptr<Core> core) : core_(std::move(core)) {}

ControlSocket::~ControlSocket() {
    stop();
}

void ControlSocket::stop() {
    core_->stop();
}

std::expected<std::unique_ptr<ControlSocket>, std::string> ControlSocket::open(
    const std::filesystem::path& data_dir, ControlHandlers handlers, ControlSettings settings,
    const base::Clock& clock, base::Logger& logger) {
    const auto path = control_path(data_dir);
    auto listener = listen_at(path);
    if (!listener) return std::unexpected(listener.error());
    return std::unique_ptr<ControlSocket>(new ControlSocket(std::make_unique<Core>(
        std::move(*listener), path, std::move(handlers), settings, clock, logger)));
}

}  // namespace adit::manager
