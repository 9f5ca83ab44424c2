#include "net/connection.h"

#include "base/check.h"
#include "net/connection_io.h"
#include "net/loop.h"
#include "net/proxy_header.h"
#include "net/tls.h"

#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace adit::net {
namespace {

constexpr std::int64_t kLingerMs = 500;  // and up to 500 more until the loop's sweep sees it

}  // namespace

struct Connection::Io {
    enum Kind { moved, again, ended, failed } kind = again;
    std::size_t bytes = 0;
    bool more = false;  // TLS: decrypted bytes may wait that epoll does not tell of
};

void ConnectionHandler::on_protocol_error(Connection& connection, ProtocolError) {
    connection.close_gracefully(CloseReason::protocol_error);
}

void ConnectionHandler::on_input_end(Connection& connection) {
    connection.close_gracefully(CloseReason::peer);
}

void ConnectionHandler::on_deadline(Connection& connection) {
    connection.abort(CloseReason::timeout);
}

Connection::Connection(Loop& loop, ConnectionId id, int fd, const Address& peer,
                       std::shared_ptr<const ConnectionSettings> settings, const Place& place)
    : loop_(loop), settings_(std::move(settings)), id_(id), fd_(fd), place_(place), peer_(peer) {}

Connection::~Connection() {
    if (reset_) {
        const linger immediate{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &immediate, sizeof immediate);
    }
    tls_.reset();
    close(fd_);
    if (counted_address_) settings_->per_address->release(peer_);
    settings_->budget->release(place_);
}

// ---- opening

void Connection::start() {
    loop_.deadlines_of(id_).idle = loop_.now_ms() + settings_->handshake_timeout_ms;
    epoll_event event{.events = EPOLLIN, .data = {.u64 = static_cast<std::uint64_t>(id_)}};
    interest_ = EPOLLIN;
    if (epoll_ctl(loop_.epoll_, EPOLL_CTL_ADD, fd_, &event) != 0) {
        refuse(RefuseReason::no_descriptor);  // no memory, or max_user_watches reached
    } else if (settings_->proxy_protocol) {
        phase_ = Phase::proxy;
    } else {
        admit_peer();
    }
}

void Connection::read_proxy_header() {
    // Looks first and takes only what belongs to the header, so that nothing read too far has to be
    // handed to TLS. Of an incomplete header all bytes are taken: epoll must not report them again.
    auto* const buffer = loop_.buffer_.get();
    const auto held = input_ ? input_->size() : 0;
    if (held != 0) std::memcpy(buffer, input_->data(), held);
    const auto n = recv(fd_, buffer + held, kMaxProxyV2, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return end(Phase::dead, n == 0 ? CloseReason::peer : CloseReason::reset);
    const auto have = held + static_cast<std::size_t>(n);
    const auto header = parse_proxy_header({buffer, have});
    if (!header) return abort(CloseReason::handshake_failed);
    const auto wanted = *header ? (*header)->size - held : static_cast<std::size_t>(n);
    if (recv(fd_, buffer + held, wanted, 0) != static_cast<ssize_t>(wanted)) {
        return end(Phase::dead, CloseReason::reset);
    }
    loop_.bytes_in_ += wanted;
    if (!*header) {
        if (!input_) input_ = std::make_unique<std::string>();
        input_->assign(buffer, have);
        return;
    }
    input_.reset();
    if ((*header)->source) peer_ = *(*header)->source;
    admit_peer();
}

void Connection::admit_peer() {
    if (settings_->proxy_protocol && !settings_->budget->settle(place_, peer_, loop_.now_ms())) {
        return refuse(RefuseReason::max_connections);
    }
    if (settings_->admit && !settings_->admit(peer_)) return refuse(RefuseReason::filtered);
    if (settings_->per_address != nullptr) {
        if (!settings_->per_address->acquire(peer_)) return refuse(RefuseReason::per_address);
        counted_address_ = true;
    }
    if (!settings_->tls) return open();
    tls_ = settings_->tls->accept(fd_);
    phase_ = Phase::handshake;
    if (!tls_) abort(CloseReason::handshake_failed);
}

void Connection::continue_handshake() {
    const auto status = tls_->handshake();
    blocked_ = status == TlsStatus::want_write;
    update_interest();
    if (status == TlsStatus::want_read || status == TlsStatus::want_write) return;
    // Not RST: OpenSSL has written an alert that says why.
    if (status != TlsStatus::done) return end(Phase::dead, CloseReason::handshake_failed);
    open();
    if (phase_ == Phase::open) read_lines();  // the first line may have come with the handshake
}

void Connection::open() {
    phase_ = Phase::open;
    loop_.deadlines_of(id_).idle = Loop::kNever;
    if (settings_->handler->on_open(*this)) {
        owes_on_closed_ = true;
    } else {
        refuse(RefuseReason::filtered);
    }
}

void Connection::refuse(RefuseReason reason) {
    loop_.metrics_.refused(reason).add();
    refused_ = true;
    reset_ = true;
    end(Phase::dead, CloseReason::server);
}

// ---- reading

void Connection::on_events(std::uint32_t events) {
    bool readable = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    switch (phase_) {
        case Phase::proxy:
            return read_proxy_header();
        case Phase::handshake:
            return continue_handshake();
        case Phase::open:
        case Phase::deaf:
        case Phase::draining:
        case Phase::lingering:
            break;
        case Phase::dead:
            return;
    }
    if ((events & EPOLLOUT) != 0) {
        blocked_ = false;
        if (output_ && !dirty_) flush();
        readable = std::exchange(paused_, false) || readable;
        if (!blocked_) loop_.deadlines_of(id_).stalled = Loop::kNever;
        update_interest();
    }
    if (!readable) return;
    if (peer_ended_) {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) end(Phase::dead, CloseReason::reset);
    } else if (listens()) {
        read_lines();
    } else if (phase_ != Phase::dead) {
        discard_input();
    }
}

void Connection::read_lines() {
    if (resuming_) return;  // lines of an earlier read come first
    auto* const buffer = loop_.buffer_.get();
    const auto held = input_ ? input_->size() : 0;
    if (held != 0) std::memcpy(buffer, input_->data(), held);
    const auto io = read_some(buffer + held, kReadPerTurn);
    if (io.kind == Io::again) return;
    if (io.kind == Io::ended) return end_of_input();
    if (io.kind == Io::failed) return end(Phase::dead, CloseReason::reset);
    loop_.bytes_in_ += io.bytes;
    if (phase_ != Phase::open) late_bytes_ += static_cast<std::uint32_t>(io.bytes);
    serve_buffer({buffer, held + io.bytes}, held);
    if (io.more && phase_ == Phase::open) go_on_next_turn();
}

// `searched` bytes at the front are what input_ holds, and have no line feed.
void Connection::serve_buffer(std::string_view buffer, std::size_t searched) {
    const std::size_t max_line = settings_->max_line;
    std::size_t begin = 0;
    std::size_t lines = 0;
    for (auto end = buffer.find('\n', searched); end != buffer.npos;
         end = buffer.find('\n', begin)) {
        auto line = buffer.substr(begin, end - begin);
        begin = end + 1;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        if (line.size() > max_line) return fail_line();
        if (phase_ == Phase::open) {
            settings_->handler->on_line(*this, line);
        } else {
            settings_->handler->on_late_line(*this, line);
        }
        if (phase_ != Phase::open && !is_late()) {
            input_.reset();
            return;
        }
        if (++lines == kLinesPerTurn && begin < buffer.size()) {
            input_ = std::make_unique<std::string>(buffer.substr(begin));
            return go_on_next_turn();
        }
    }
    const auto rest = buffer.substr(begin);
    if (rest.empty()) {
        input_.reset();
    } else if (rest.size() > max_line + (rest.ends_with('\r') ? 1 : 0)) {
        fail_line();
    } else if (begin == 0 && input_) {
        input_->append(rest.substr(searched));
    } else {
        input_ = std::make_unique<std::string>(rest);
    }
}

void Connection::fail_line() {
    input_.reset();
    late_bytes_ = kLateBytes;
    if (phase_ != Phase::open) return;
    phase_ = Phase::deaf;
    settings_->handler->on_protocol_error(*this, ProtocolError::line_too_long);
}

void Connection::go_on_next_turn() {
    if (std::exchange(resuming_, true)) return;
    loop_.resuming_.push_back(id_);
}

void Connection::resume() {
    resuming_ = false;
    if (phase_ != Phase::open && !is_late()) return;
    if (input_ && input_->find('\n') != input_->npos) {
        const auto waiting = std::move(input_);
        serve_buffer(*waiting, 0);
    }
    // Plain sockets are reported again by epoll; TLS may hold decrypted bytes.
    if (tls_ && listens()) read_lines();
}

void Connection::take_arrived() {
    const auto most = loop_.bytes_in_ + kLateBytes;
    bool more = true;
    while (more && phase_ == Phase::open) {
        const auto before = loop_.bytes_in_;
        resuming_ = false;
        if (input_ && input_->find('\n') != input_->npos) {
            const auto waiting = std::move(input_);
            serve_buffer(*waiting, 0);
        } else {
            read_lines();
            more = loop_.bytes_in_ != before && loop_.bytes_in_ < most;
        }
    }
}

void Connection::discard_input() {
    const auto io = read_some(loop_.buffer_.get(), kReadPerTurn);
    if (io.kind == Io::ended) return end_of_input();
    if (io.kind == Io::failed) return end(Phase::dead, CloseReason::reset);
    loop_.bytes_in_ += io.bytes;
}

// The peer sends no more. What is answered still leaves; the handler says when the connection ends.
void Connection::end_of_input() {
    peer_ended_ = true;
    input_.reset();
    update_interest();
    if (!is_open()) {
        return end(phase_ == Phase::lingering ? Phase::dead : Phase::draining, CloseReason::peer);
    }
    phase_ = Phase::deaf;
    settings_->handler->on_input_end(*this);
}

Connection::Io Connection::read_some(char* to, std::size_t size) {
    if (!tls_) {
        const auto n = recv(fd_, to, size, 0);
        if (n > 0) return {Io::moved, static_cast<std::size_t>(n)};
        if (n == 0) return {Io::ended};
        return {errno == EAGAIN || errno == EINTR ? Io::again : Io::failed};
    }
    std::size_t total = 0;
    while (total < size) {
        const auto io = tls_->read(to + total, size - total);
        if (io.status == TlsStatus::done) {
            total += io.bytes;
            continue;
        }
        if (io.status == TlsStatus::want_write) {
            paused_ = true;
            wait_for_room();
        }
        const bool over = io.status == TlsStatus::closed || io.status == TlsStatus::failed;
        if (total != 0) return {Io::moved, total, over};
        if (!over) return {Io::again};
        return {io.status == TlsStatus::closed ? Io::ended : Io::failed};
    }
    return {Io::moved, total, true};
}

// ---- writing

std::size_t Connection::unsent() const {
    return output_ ? output_->left() : 0;
}

void Connection::send(std::string_view bytes) {
    if (!is_open() || !keep_output(bytes)) return;
    if (blocked_ || dirty_) return;
    dirty_ = true;
    loop_.mark_dirty(*this);
}

void Connection::send_now(std::string_view first, std::string_view second) {
    if (!is_open()) return;
    if (blocked_ || tls_) {
        if (keep_output(first) && keep_output(second) && !blocked_ && !dirty_) flush();
    } else {
        write_parts(first, second);
    }
}

// False when that was too much and the connection is dead.
bool Connection::keep_output(std::string_view bytes) {
    if (unsent() + bytes.size() > settings_->max_output) {
        if (!blocked_ && output_ && phase_ != Phase::dead) flush();
        if (unsent() + bytes.size() > settings_->max_output) {
            abort(CloseReason::output_limit);
        }
        if (phase_ == Phase::dead) return false;
    }
    if (!output_) output_ = loop_.take_output();
    output_->bytes.append(bytes);
    return true;
}

void Connection::write_parts(std::string_view first, std::string_view second) {
    std::array<std::string_view, 3> parts{
        output_ ? std::string_view(output_->bytes).substr(output_->sent) : std::string_view(),
        first, second};
    std::array<iovec, 3> vectors;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        vectors[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = vectors.size();
    const auto n = sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return end(Phase::dead, CloseReason::reset);
    auto sent = n < 0 ? 0 : static_cast<std::size_t>(n);
    loop_.bytes_out_ += sent;
    const bool all = sent == parts[0].size() + first.size() + second.size();
    if (all) return drop_output();
    const auto of_pending = std::min(sent, parts[0].size());
    if (output_) output_->sent += of_pending;
    sent -= of_pending;
    const auto of_first = std::min(sent, first.size());
    wait_for_room();
    if (keep_output(first.substr(of_first))) keep_output(second.substr(sent - of_first));
}

void Connection::flush() {
    dirty_ = false;
    if (phase_ == Phase::dead || !output_ || blocked_) return;
    while (output_->left() != 0) {
        const auto io = write_some(std::string_view(output_->bytes).substr(output_->sent));
        if (io.kind == Io::failed) return end(Phase::dead, CloseReason::reset);
        loop_.bytes_out_ += io.bytes;
        output_->sent += io.bytes;
        if (io.kind == Io::again) return wait_for_room();
    }
    drop_output();
    if (phase_ == Phase::draining) end(Phase::draining, reason_);  // to finish(), once more
}

Connection::Io Connection::write_some(std::string_view bytes) {
    if (!tls_) {
        const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) return {errno == EAGAIN || errno == EINTR ? Io::again : Io::failed};
        const auto sent = static_cast<std::size_t>(n);
        return {sent == bytes.size() ? Io::moved : Io::again, sent};
    }
    const auto io = tls_->write(bytes);
    switch (io.status) {
        case TlsStatus::done:
            return {Io::moved, io.bytes};
        case TlsStatus::want_read:
        case TlsStatus::want_write:
            return {Io::again};
        case TlsStatus::closed:
        case TlsStatus::failed:
            return {Io::failed};
    }
    return {Io::failed};
}

void Connection::wait_for_room() {
    blocked_ = true;
    loop_.deadlines_of(id_).stalled = loop_.now_ms() + settings_->stall_timeout_ms;
    if (output_ && output_->sent > output_->bytes.size() / 2) {
        output_->bytes.erase(0, output_->sent);
        output_->sent = 0;
    }
    update_interest();
}

void Connection::drop_output() {
    if (!output_) return;
    loop_.deadlines_of(id_).stalled = Loop::kNever;
    loop_.give_back(std::move(output_));
}

void Connection::update_interest() {
    const std::uint32_t wanted =
        (peer_ended_ || paused_ ? 0u : EPOLLIN) | (blocked_ ? EPOLLOUT : 0u);
    if (wanted == interest_) return;
    interest_ = wanted;
    epoll_event event{.events = wanted, .data = {.u64 = static_cast<std::uint64_t>(id_)}};
    epoll_ctl(loop_.epoll_, EPOLL_CTL_MOD, fd_, &event);
}

// ---- ending

void Connection::close_gracefully(CloseReason reason) {
    if (is_open()) end(Phase::draining, reason);
}

void Connection::abort(CloseReason reason) {
    if (phase_ == Phase::dead) return;
    reset_ = true;
    end(Phase::dead, reason);
}

void Connection::expire_in(std::uint64_t ms) {
    loop_.deadlines_of(id_).idle =
        ms == 0 ? Loop::kNever : loop_.now_ms() + static_cast<std::int64_t>(ms);
}

void Connection::end(Phase phase, CloseReason reason) {
    if (phase_ == Phase::dead) return;
    if (phase_ != Phase::draining && phase_ != Phase::lingering) reason_ = reason;
    phase_ = phase;
    if (std::exchange(ending_, true)) return;
    loop_.ending_.push_back(this);
}

// At the end of the turn: tells the handler once, then goes on with closing as far as it can.
void Connection::finish() {
    ending_ = false;
    if (std::exchange(owes_on_closed_, false)) {
        settings_->handler->on_closed(*this, reason_);
        if (!is_late()) {
            state_.reset();
            input_.reset();
        }
        loop_.deadlines_of(id_).idle = loop_.now_ms() + settings_->stall_timeout_ms;
    }
    if (phase_ == Phase::draining && unsent() == 0) start_lingering();
    if (phase_ == Phase::dead) loop_.destroy(*this);
}

void Connection::start_lingering() {
    if (tls_) tls_->close_notify();
    if (peer_ended_ || shutdown(fd_, SHUT_WR) != 0) {
        phase_ = Phase::dead;
        return;
    }
    phase_ = Phase::lingering;
    loop_.deadlines_of(id_).idle = loop_.now_ms() + kLingerMs;
}

void Connection::on_time(std::int64_t now_ms) {
    auto& deadlines = loop_.deadlines_of(id_);
    if (now_ms >= deadlines.stalled) return abort(CloseReason::output_limit);
    deadlines.idle = Loop::kNever;
    switch (phase_) {
        case Phase::proxy:
        case Phase::handshake:
            return abort(CloseReason::timeout);
        case Phase::open:
        case Phase::deaf:
            return settings_->handler->on_deadline(*this);
        case Phase::draining:
            return abort(CloseReason::output_limit);
        case Phase::lingering:
            return end(Phase::dead, reason_);
        case Phase::dead:
            return;
    }
}

}  // namespace adit::net
