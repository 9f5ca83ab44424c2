// What tests of this layer share: credentials by name, and a client that writes and reads raw
// bytes. Each object is used by one thread.
#pragma once

#include "auth/principal.h"
#include "http/server.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <charconv>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace adit::http {

// Knows "miner", "operator" and "admin"; more may be let in and put out while a test runs.
class NamedGatekeeper final : public auth::Gatekeeper {
 public:
    NamedGatekeeper() {
        let_in("miner", auth::Role::miner);
        let_in("operator", auth::Role::operator_);
        let_in("admin", auth::Role::admin);
    }
    void let_in(const std::string& credential, auth::Role role) {
        const std::scoped_lock lock(mutex_);
        known_[credential] = role;
    }
    void put_out(const std::string& credential) {
        const std::scoped_lock lock(mutex_);
        known_.erase(credential);
    }
    std::expected<auth::Principal, auth::Denial> identify(std::string_view credential) override {
        if (credential.empty()) return std::unexpected(auth::Denial::missing);
        if (credential == "expired") return std::unexpected(auth::Denial::expired);
        if (credential == "no store") return std::unexpected(auth::Denial::unavailable);
        const std::scoped_lock lock(mutex_);
        const auto found = known_.find(credential);
        if (found == known_.end()) return std::unexpected(auth::Denial::invalid);
        return auth::Principal{.user = 7,
                               .name = found->first,
                               .role = found->second,
                               .permissions = auth::Permissions::of(found->second)};
    }

 private:
    std::mutex mutex_;
    std::map<std::string, auth::Role, std::less<>> known_;
};

struct RawAnswer {
    unsigned status = 0;  // 0: the connection ended first
    Fields headers;
    std::string body;

    std::string_view header(std::string_view name) const {
        for (const auto& [key, value] : headers) {
            if (equal_without_case(key, name)) return value;
        }
        return {};
    }
};

// A blocking TCP client on loopback; whatever takes more than 20 s fails.
class RawClient {
 public:
    explicit RawClient(const net::Address& address, int receive_buffer = 0) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receive_buffer > 0)
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(address.port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    }
    ~RawClient() { close(); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    // False when the server has closed.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    void finish_sending() { ::shutdown(fd_, SHUT_WR); }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

    // Up to and with `mark`; what came when the connection ends first.
    std::string read_until(std::string_view mark) {
        auto end = buffer_.find(mark);
        while (end == std::string::npos && more())
            end = buffer_.find(mark);
        const auto size = end == std::string::npos ? buffer_.size() : end + mark.size();
        auto out = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return out;
    }
    std::string read_bytes(std::size_t size) {
        while (buffer_.size() < size && more()) {
        }
        auto out = buffer_.substr(0, size);
        buffer_.erase(0, out.size());
        return out;
    }
    // Everything until the server closes.
    std::string read_all() {
        while (more()) {
        }
        return std::exchange(buffer_, {});
    }
    // True when nothing but an end comes.
    bool at_end() { return buffer_.empty() && !more(); }

    RawAnswer read_answer(bool with_body = true) {
        RawAnswer answer;
        const auto head = read_until("\r\n\r\n");
        if (!head.ends_with("\r\n\r\n") || head.size() < 12) return answer;
        std::from_chars(head.data() + 9, head.data() + 12, answer.status);
        std::string_view rest = std::string_view(head).substr(head.find("\r\n") + 2);
        std::size_t length = 0;
        while (rest != "\r\n") {
            const auto line = rest.substr(0, rest.find("\r\n"));
            const auto colon = line.find(": ");
            answer.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
            rest.remove_prefix(line.size() + 2);
        }
        const auto text = answer.header("content-length");
        std::from_chars(text.data(), text.data() + text.size(), length);
        if (with_body) answer.body = read_bytes(length);
        return answer;
    }

    RawAnswer get(std::string_view target, std::string_view credential = {}) {
        send(fmt::format("GET {} HTTP/1.1\r\nHost: pool\r\n{}\r\n", target,
                         credential.empty()
                             ? std::string()
                             : fmt::format("Authorization: Bearer {}\r\n", credential)));
        return read_answer();
    }

 private:
    bool more() {
        pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, 20'000) <= 0) {
            ADD_FAILURE() << "the server neither answered nor closed";
            return false;
        }
        std::array<char, 65536> bytes{};
        const auto got = ::recv(fd_, bytes.data(), bytes.size(), 0);
        if (got <= 0) return false;
        buffer_.append(bytes.data(), static_cast<std::size_t>(got));
        return true;
    }

    int fd_ = -1;
    std::string buffer_;
};

}  // namespace adit::http
