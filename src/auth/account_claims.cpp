// Settings of addresses, claimed by signed messages.
#include "auth/accounts.h"
#include "auth/claim_message.h"
#include "auth/signed_message.h"
#include "chain/address.h"

namespace adit::auth {
namespace {

constexpr std::int64_t kMostDue = 1'000;

Refusal refusal_of(SignatureFault fault) {
    switch (fault) {
        case SignatureFault::bad_address:
            return Refusal::bad_address;
        case SignatureFault::unsupported_address:
            return Refusal::unsupported_address;
        case SignatureFault::malformed:
        case SignatureFault::wrong:
            return Refusal::bad_signature;
    }
    return Refusal::bad_signature;
}

Outcome<ClaimMessage> checked_message(const SignedClaim& claim, const AccountSettings& settings,
                                      std::int64_t now_ms) {
    auto message = parse_claim_message(claim.message);
    if (!message) return refuse(message.error());
    if (message->pool != settings.pool_name) {
        return refuse(Refusal::bad_message,
                      fmt::format("The message is not for this pool: write \"pool: {}\".",
                                  settings.pool_name));
    }
    if (std::abs(now_ms / 1'000 - message->time_s) > kClaimLife_s) {
        return refuse(Refusal::stale_message);
    }
    const auto& network = chain::params(settings.network);
    const auto address = chain::canonical_address(message->address, network);
    if (!address) {
        return refuse(Refusal::bad_address, std::string(chain::describe(address.error())));
    }
    const auto verified = verify_message(message->address, claim.message, claim.signature, network);
    if (!verified) return refuse(refusal_of(verified.error()));
    message->address = *address;
    return std::move(*message);
}

}  // namespace

Outcome<PendingChange> Accounts::claim(const SignedClaim& claim) {
    const auto now = clock_.wall_ms();
    const auto message = checked_message(claim, settings_, now);
    const auto count = [&](std::string_view result) {
        registry_
            .counter("adit_auth_claims_total", "Claimed settings, by what came of them.",
                     {{"result", std::string(result)}})
            .add();
    };
    if (!message) {
        count(name_of(message.error().why));
        return std::unexpected(message.error());
    }
    PendingChange change;
    change.address = message->address;
    change.setting = name_of(message->setting);
    change.value = message->value;
    change.created_ms = now;
    change.apply_at_ms = now + (moves_payouts(message->setting) ? settings_.hold_ms : 0);
    // A nonce may come again when its message cannot any more.
    const auto nonce = chain::sha256(base::as_bytes(change.address + " " + message->nonce));
    const auto expires = (message->time_s + kClaimLife_s + 1) * 1'000;
    const auto added = store_.add_change(change, nonce, expires, settings_.most_changes);
    if (!added) return store_failed(added.error());
    switch (added->outcome) {
        case AuthStore::ChangeAdded::Outcome::added:
            break;
        case AuthStore::ChangeAdded::Outcome::nonce_used:
            count(name_of(Refusal::nonce_used));
            return refuse(Refusal::nonce_used);
        case AuthStore::ChangeAdded::Outcome::full:
            count(name_of(Refusal::too_many_changes));
            return refuse(Refusal::too_many_changes);
    }
    change.id = added->id;
    count("done");
    record(EventKind::change_announced, 0, change.address, claim.peer,
           fmt::format("number {}: {} = {}, in {} s", change.id, change.setting, change.value,
                       (change.apply_at_ms - now) / 1'000));
    return change;
}

Outcome<std::vector<PendingChange>> Accounts::due_changes(std::int64_t now_ms) {
    auto due = store_.due_changes(now_ms, kMostDue);
    if (!due) return store_failed(due.error());
    return std::move(*due);
}

Outcome<void> Accounts::settle_change(std::int64_t id, ChangeState state, std::string_view detail) {
    if (state == ChangeState::waiting) return refuse(Refusal::no_such_change);
    const auto settled = store_.settle_change(id, state);
    if (!settled) return store_failed(settled.error());
    if (!*settled) return refuse(Refusal::no_such_change);
    const auto& change = **settled;
    record(state == ChangeState::applied ? EventKind::change_applied : EventKind::change_cancelled,
           0, change.address, "",
           fmt::format("number {}: {} = {} {}", change.id, change.setting, change.value, detail));
    return {};
}

Outcome<std::vector<PendingChange>> Accounts::changes_of(std::string_view address) {
    auto changes = store_.changes_of(address);
    if (!changes) return store_failed(changes.error());
    return std::move(*changes);
}

}  // namespace adit::auth
