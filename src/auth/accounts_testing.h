// Accounts in memory, under a clock that stands still, with the weakest passwords that libsodium
// makes. Tests only.
#pragma once

#include "auth/accounts.h"
#include "auth/memory_auth_store_testing.h"

#include <gmock/gmock.h>

namespace adit::auth::testing {

inline AccountSettings quick_settings() {
    AccountSettings settings;
    settings.passwords.operations = 1;
    settings.passwords.memory_bytes = 8'192;
    settings.passwords.waiting = 1'000;
    settings.pool_name = "test pool";
    return settings;
}

inline constexpr std::string_view kPeer = "192.0.2.1";
inline constexpr std::string_view kPassword = "correct horse battery";

class AccountsTest : public ::testing::Test {
 protected:
    AccountsTest() { reopen(quick_settings()); }

    void reopen(AccountSettings settings) {
        settings.listener = [this](const Event& event) {
            const std::lock_guard lock(heard_mutex_);
            heard_.push_back(event);
        };
        auto opened = Accounts::open(std::move(settings), store_, clock_, registry_, log_);
        if (!opened) throw std::runtime_error(opened.error());
        accounts_ = std::move(*opened);
        if (auto first = accounts_->first_admin()) first_ = *first;
        admin_.name = first_.name;
        admin_.user = store_.user_named("admin").value()->id;
        admin_.role = Role::admin;
        admin_.permissions = Permissions::of(Role::admin);
    }
    // A user with kPassword.
    Principal make(std::string_view name, Role role = Role::miner) {
        const auto id = accounts_->create_user(admin_, name, kPassword, role);
        if (!id) throw std::runtime_error(id.error().text);
        return {*id, std::string(name), role, Permissions::of(role)};
    }
    Outcome<Tokens> login(std::string_view name, std::string_view password = kPassword,
                          std::string_view code = "", std::string_view peer = kPeer) {
        return accounts_->login({name, password, code, peer});
    }
    Tokens logged_in(std::string_view name, std::string_view password = kPassword) {
        auto tokens = login(name, password);
        if (!tokens) throw std::runtime_error(tokens.error().text);
        return std::move(*tokens);
    }
    std::optional<Denial> denial(std::string_view credential) {
        const auto who = accounts_->identify(credential);
        return who ? std::nullopt : std::optional(who.error());
    }
    int heard(EventKind kind) {
        const std::lock_guard lock(heard_mutex_);
        return static_cast<int>(std::ranges::count(heard_, kind, &Event::kind));
    }

    MemoryAuthStore store_;
    base::ManualClock clock_;
    metrics::Registry registry_;
    base::Logger log_{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    std::mutex heard_mutex_;
    std::vector<Event> heard_;
    std::unique_ptr<Accounts> accounts_;
    FirstAdmin first_;
    Principal admin_;
};

// Why an outcome was refused; nullopt when it was not.
template <class T>
std::optional<Refusal> refusal(const Outcome<T>& outcome) {
    return outcome ? std::nullopt : std::optional(outcome.error().why);
}

inline void PrintTo(Refusal why, std::ostream* out) {
    *out << name_of(why);
}

}  // namespace adit::auth::testing
