// The second factor: enrolment, codes, backup codes.
#include "auth/accounts.h"
#include "auth/totp.h"
#include "base/random.h"

namespace adit::auth {
namespace {

constexpr std::size_t kBackupCodes = 10;
constexpr std::size_t kBackupCodeBytes = 10;  // 80 bits: nobody guesses one from its hash

// Four groups of four letters and digits, joined by dashes.
std::string make_backup_code() {
    std::array<std::uint8_t, kBackupCodeBytes> bytes;
    base::fill_random(bytes);
    const auto text = to_base32(bytes);
    return fmt::format("{}-{}-{}-{}", text.substr(0, 4), text.substr(4, 4), text.substr(8, 4),
                       text.substr(12, 4));
}

// People leave dashes out and write small letters.
Digest digest_of_backup_code(std::string_view code) {
    std::string plain;
    for (const char c : code.substr(0, 64)) {
        if (c == '-' || c == ' ') continue;
        plain.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    }
    return chain::sha256(base::as_bytes(plain));
}

}  // namespace

Outcome<void> Accounts::check_code(const Attempt& attempt, const UserRow& user,
                                   std::string_view code) {
    const auto now_s = clock_.wall_ms() / 1'000;
    const auto digest = digest_of_backup_code(code);
    std::size_t backup_codes_left = 0;
    bool by_backup_code = false;
    // In the store's own turn, so that a code works once however many try it together.
    const auto used = store_.change_user(user.id, [&](UserRow& row, std::int64_t) {
        if (row.second_factor != SecondFactor::on) return false;
        if (const auto step = totp_step(row.totp_secret, code, now_s, row.totp_used_step)) {
            row.totp_used_step = *step;
            return true;
        }
        by_backup_code = std::erase(row.backup_codes, digest) > 0;
        backup_codes_left = row.backup_codes.size();
        return by_backup_code;
    });
    if (!used) {
        forgive(attempt);
        return store_failed(used.error());
    }
    if (!*used) return fail(attempt, user.id, Refusal::wrong_code);
    if (by_backup_code) {
        record(EventKind::backup_code_used, user.id, user.name, attempt.peer,
               fmt::format("{} left", backup_codes_left));
    }
    return {};
}

Outcome<Enrolment> Accounts::offer_second_factor(const Principal& who, std::string_view password,
                                                 std::string_view peer) {
    // A stolen token shall not lock its owner out.
    const auto attempt = begin_attempt(who.name, peer);
    if (!attempt) return std::unexpected(attempt.error());
    const auto user = check_password(*attempt, password);
    if (!user) return std::unexpected(user.error());
    // Not a success: that would forget guesses at the codes.
    forgive(*attempt);
    base::Bytes secret(kTotpSecretBytes);
    base::fill_random(secret);
    auto why = std::optional(Refusal::no_such_user);
    const auto changed = store_.change_user(user->id, [&](UserRow& row, std::int64_t) {
        why = row.second_factor == SecondFactor::on ? std::optional(Refusal::second_factor_on)
                                                    : std::nullopt;
        if (why) return false;
        row.second_factor = SecondFactor::offered;
        row.totp_secret = secret;
        row.totp_used_step = 0;
        return true;
    });
    if (!changed) return store_failed(changed.error());
    if (why) return refuse(*why);
    Enrolment enrolment;
    enrolment.secret = to_base32(secret);
    enrolment.uri = totp_uri(settings_.pool_name, user->name, enrolment.secret);
    return enrolment;
}

Outcome<std::vector<std::string>> Accounts::confirm_second_factor(const Principal& who,
                                                                  std::string_view code) {
    std::vector<std::string> codes;
    std::vector<Digest> digests;
    for (std::size_t i = 0; i < kBackupCodes; ++i) {
        codes.push_back(make_backup_code());
        digests.push_back(digest_of_backup_code(codes.back()));
    }
    const auto now = clock_.wall_ms();
    auto why = std::optional(Refusal::no_such_user);
    const auto changed = store_.change_user(who.user, [&](UserRow& row, std::int64_t) {
        why = std::nullopt;
        if (row.second_factor == SecondFactor::on) why = Refusal::second_factor_on;
        if (row.second_factor == SecondFactor::off) why = Refusal::second_factor_not_offered;
        if (why) return false;
        const auto step = totp_step(row.totp_secret, code, now / 1'000, row.totp_used_step);
        if (!step) {
            why = Refusal::wrong_code;
            return false;
        }
        row.second_factor = SecondFactor::on;
        row.totp_used_step = *step;
        row.backup_codes = digests;
        row.changed_ms = now;
        return true;
    });
    if (!changed) return store_failed(changed.error());
    if (why) return refuse(*why);
    record(EventKind::second_factor_on, who.user, who.name, "", "");
    return codes;
}

Outcome<void> Accounts::remove_second_factor(const Principal& who, std::string_view password,
                                             std::string_view code, std::string_view peer) {
    const auto attempt = begin_attempt(who.name, peer);
    if (!attempt) return std::unexpected(attempt.error());
    const auto user = check_password(*attempt, password);
    if (!user) return std::unexpected(user.error());
    if (user->second_factor != SecondFactor::on) {
        forgive(*attempt);
        return refuse(Refusal::second_factor_off);
    }
    if (const auto checked = check_code(*attempt, *user, code); !checked) {
        return std::unexpected(checked.error());
    }
    succeed(*attempt);
    const auto changed = change(user->id, [&](UserRow& row) {
        row.second_factor = SecondFactor::off;
        row.totp_secret.clear();
        row.backup_codes.clear();
    });
    if (!changed) return std::unexpected(changed.error());
    record(EventKind::second_factor_off, user->id, user->name, peer, "");
    return {};
}

}  // namespace adit::auth
