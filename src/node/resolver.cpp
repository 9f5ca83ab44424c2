#include "node/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>

namespace adit::node {
namespace {

bool is_literal(const std::string& host) {
    in6_addr address{};
    return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
           inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

std::vector<std::string> addresses_of(const addrinfo* list) {
    std::vector<std::string> addresses;
    for (const auto* at = list; at != nullptr; at = at->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        if (getnameinfo(at->ai_addr, at->ai_addrlen, text.data(), text.size(), nullptr, 0,
                        NI_NUMERICHOST) == 0) {
            addresses.emplace_back(text.data());
        }
    }
    return addresses;
}

}  // namespace

std::expected<std::vector<std::string>, std::string> Resolver::resolve(const std::string& host,
                                                                       int timeout_ms) {
    if (is_literal(host)) return std::vector{host};
    std::shared_ptr<LookUp> look_up;
    {
        const std::lock_guard lock(mutex_);
        if (cancelled_) return std::unexpected("cancelled");
        if (!look_up_) {
            look_up_ = std::make_shared<LookUp>();
            std::thread([look_up = look_up_, host] {
                addrinfo hints{};
                hints.ai_socktype = SOCK_STREAM;
                addrinfo* list = nullptr;
                const int code = getaddrinfo(host.c_str(), nullptr, &hints, &list);
                const std::lock_guard guard(look_up->mutex);
                if (code != 0)
                    look_up->error = gai_strerror(code);
                else
                    look_up->addresses = addresses_of(list);
                if (list != nullptr) freeaddrinfo(list);
                look_up->done = true;
                look_up->done_or_cancelled.notify_all();
            }).detach();
        }
        look_up = look_up_;
    }
    std::unique_lock lock(look_up->mutex);
    look_up->done_or_cancelled.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                                        [&] { return look_up->done || look_up->cancelled; });
    if (!look_up->done) {
        return std::unexpected(look_up->cancelled ? "cancelled"
                                                  : "the name look-up takes too long");
    }
    const std::lock_guard guard(mutex_);
    look_up_.reset();
    if (!look_up->addresses.empty()) return look_up->addresses;
    return std::unexpected(look_up->error.empty() ? "the name has no address" : look_up->error);
}

void Resolver::cancel() {
    const std::lock_guard guard(mutex_);
    cancelled_ = true;
    if (!look_up_) return;
    const std::lock_guard lock(look_up_->mutex);
    look_up_->cancelled = true;
    look_up_->done_or_cancelled.notify_all();
}

void Resolver::reset() {
    const std::lock_guard guard(mutex_);
    cancelled_ = false;
    if (look_up_) {
        const std::lock_guard lock(look_up_->mutex);
        look_up_->cancelled = false;
    }
}

}  // namespace adit::node
