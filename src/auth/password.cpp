#include "auth/password.h"

#include "base/check.h"
#include "base/random.h"

#include <sodium.h>
#include <stdexcept>

namespace adit::auth {
namespace {

// nullopt: the system has not the memory for it.
std::optional<std::string> hash_with(const PasswordSettings& settings, std::string_view password) {
    std::array<char, crypto_pwhash_STRBYTES> out;
    const int failed =
        crypto_pwhash_str_alg(out.data(), password.data(), password.size(), settings.operations,
                              settings.memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
    if (failed != 0) return std::nullopt;
    return std::string(out.data());
}

}  // namespace

// One of the places for hashing, for as long as it lives.
class Passwords::Turn {
 public:
    explicit Turn(Passwords& owner) : owner_(owner) {
        std::unique_lock lock(owner_.mutex_);
        if (owner_.running_ >= owner_.settings_.at_once) {
            if (owner_.waiting_ >= owner_.settings_.waiting) {
                owner_.refused_.add();
                return;
            }
            ++owner_.waiting_;
            owner_.freed_.wait(lock, [&] { return owner_.running_ < owner_.settings_.at_once; });
            --owner_.waiting_;
        }
        ++owner_.running_;
        taken_ = true;
        started_ns_ = owner_.clock_.steady_ns();
    }
    ~Turn() {
        if (!taken_) return;
        owner_.took_.observe(static_cast<double>(owner_.clock_.steady_ns() - started_ns_) / 1e6);
        const std::lock_guard lock(owner_.mutex_);
        --owner_.running_;
        owner_.freed_.notify_one();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    bool taken() const { return taken_; }

 private:
    Passwords& owner_;
    bool taken_ = false;
    std::int64_t started_ns_ = 0;
};

Passwords::Passwords(const PasswordSettings& settings, const base::Clock& clock,
                     metrics::Registry& registry)
    : settings_(settings),
      clock_(clock),
      took_(registry.histogram("adit_auth_password_hash_milliseconds",
                               "Time that one password took to hash.",
                               metrics::latency_bounds_ms())),
      refused_(registry.counter("adit_auth_password_busy_total",
                                "Passwords not checked because too many were under way.")) {
    ADIT_CHECK(sodium_init() >= 0, "libsodium starts");
    const auto nobodys = hash_with(settings_, random_password());
    if (!nobodys) {
        throw std::runtime_error(
            fmt::format("hashing a password takes {} MiB, which the system does not give: lower it",
                        settings_.memory_bytes >> 20));
    }
    nobodys_ = *nobodys;
}

std::optional<std::string> Passwords::hash(std::string_view password) {
    const Turn turn(*this);
    if (!turn.taken()) return std::nullopt;
    return hash_with(settings_, password);
}

std::optional<bool> Passwords::check(std::string_view password, const std::string& hash) {
    const Turn turn(*this);
    if (!turn.taken()) return std::nullopt;
    const auto& against = hash.empty() ? nobodys_ : hash;
    const bool right =
        crypto_pwhash_str_verify(against.c_str(), password.data(), password.size()) == 0;
    return right && !hash.empty();
}

bool Passwords::is_outdated(const std::string& hash) const {
    return crypto_pwhash_str_needs_rehash(hash.c_str(), settings_.operations,
                                          settings_.memory_bytes) != 0;
}

std::string random_password() {
    constexpr std::string_view kAlphabet =
        "23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
    std::string password;
    while (password.size() < 20) {
        std::array<std::uint8_t, 32> bytes;
        base::fill_random(bytes);
        for (const auto byte : bytes) {
            // The rest of the bytes would make some characters likelier.
            if (byte >= 256 / kAlphabet.size() * kAlphabet.size()) continue;
            if (password.size() < 20) password.push_back(kAlphabet[byte % kAlphabet.size()]);
        }
    }
    return password;
}

}  // namespace adit::auth
