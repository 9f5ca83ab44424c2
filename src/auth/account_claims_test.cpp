// Claimed settings: what is refused, what waits, and what becomes of it.
#include "auth/accounts_testing.h"
#include "auth/base64url.h"
#include "auth/claim_message.h"
#include "auth/signed_message_testing.h"
#include "chain/address.h"
#include "chain/script.h"

namespace adit::auth {
namespace {

using ::testing::HasSubstr;
using testing::kPeer;
using testing::quick_settings;
using testing::refusal;

// The owner of an address.
class Wallet {
 public:
    explicit Wallet(std::uint8_t number) {
        secret_.fill(number);
        secp256k1_pubkey key;
        EXPECT_EQ(secp256k1_ec_pubkey_create(context_.get(), &key, secret_.data()), 1);
        std::array<std::uint8_t, 33> bytes;
        auto size = bytes.size();
        secp256k1_ec_pubkey_serialize(context_.get(), bytes.data(), &size, &key,
                                      SECP256K1_EC_COMPRESSED);
        address_ = chain::address_of_script(chain::p2wpkh_script(chain::hash160(bytes)),
                                            chain::params(chain::Network::main))
                       .value();
    }
    const std::string& address() const { return address_; }
    std::string sign(std::string_view message) const {
        return testing::sign_message(context_.get(), secret_, message, 39);
    }

 private:
    struct Destroy {
        void operator()(secp256k1_context* context) const { secp256k1_context_destroy(context); }
    };
    std::unique_ptr<secp256k1_context, Destroy> context_{
        secp256k1_context_create(SECP256K1_CONTEXT_SIGN)};
    std::array<std::uint8_t, 32> secret_{};
    std::string address_;
};

class AccountClaimsTest : public testing::AccountsTest {
 protected:
    ClaimMessage message(Setting setting = Setting::threshold, std::string value = "100000") {
        return {"test pool", wallet_.address(),        setting,
                value,       clock_.wall_ms() / 1'000, fmt::format("nonce{:08}", ++nonce_)};
    }
    Outcome<PendingChange> claim(const ClaimMessage& message) {
        const auto text = claim_text(message);
        return accounts_->claim({text, wallet_.sign(text), kPeer});
    }

    Wallet wallet_{7};
    int nonce_ = 0;
};

TEST_F(AccountClaimsTest, HoldsBackWhatMovesPayouts) {
    const auto change = claim(message());
    ASSERT_TRUE(change) << change.error().text;
    EXPECT_EQ(change->address, wallet_.address());
    EXPECT_EQ(change->setting, "threshold");
    EXPECT_EQ(change->value, "100000");
    EXPECT_EQ(change->apply_at_ms, clock_.wall_ms() + 24 * 3'600'000);
    EXPECT_EQ(heard(EventKind::change_announced), 1);
    EXPECT_TRUE(accounts_->due_changes(change->apply_at_ms - 1)->empty());
    const auto due = accounts_->due_changes(change->apply_at_ms);
    ASSERT_TRUE(due);
    ASSERT_EQ(due->size(), 1U);
    EXPECT_EQ((*due)[0].id, change->id);
    ASSERT_TRUE(accounts_->settle_change(change->id, ChangeState::applied, "position 7"));
    EXPECT_TRUE(accounts_->due_changes(change->apply_at_ms)->empty());
    EXPECT_EQ(heard(EventKind::change_applied), 1);
    EXPECT_EQ((*accounts_->changes_of(wallet_.address()))[0].state, ChangeState::applied);
    EXPECT_EQ(refusal(accounts_->settle_change(change->id, ChangeState::applied, "")),
              Refusal::no_such_change);
}

TEST_F(AccountClaimsTest, AppliesAtOnceWhatDoesNot) {
    const auto change = claim(message(Setting::notify, "https://example.org/hook"));
    ASSERT_TRUE(change);
    EXPECT_EQ(accounts_->due_changes(clock_.wall_ms())->size(), 1U);
    EXPECT_TRUE(claim(message(Setting::notify, "me@example.org")));
    EXPECT_TRUE(claim(message(Setting::notify, "off")));
}

TEST_F(AccountClaimsTest, CancelsAndReplaces) {
    const auto first = claim(message());
    const auto second = claim(message(Setting::threshold, "200000"));
    const auto other = claim(message(Setting::donation, "5000"));
    ASSERT_TRUE(first && second && other);
    ASSERT_TRUE(accounts_->settle_change(other->id, ChangeState::cancelled, "asked by its owner"));
    EXPECT_EQ(heard(EventKind::change_cancelled), 1);
    const auto due = accounts_->due_changes(second->apply_at_ms);
    ASSERT_EQ(due->size(), 1U);
    EXPECT_EQ((*due)[0].value, "200000");
    EXPECT_EQ(refusal(accounts_->settle_change(first->id, ChangeState::applied, "")),
              Refusal::no_such_change);
    EXPECT_EQ(refusal(accounts_->settle_change(second->id, ChangeState::waiting, "")),
              Refusal::no_such_change);
}

TEST_F(AccountClaimsTest, TakesAMessageOnceWithinTenMinutes) {
    const auto text = claim_text(message());
    const auto signature = wallet_.sign(text);
    const SignedClaim claim{text, signature, kPeer};
    clock_.step_wall_ms(-600'000);
    ASSERT_TRUE(accounts_->claim(claim));
    for (int i = 0; i <= 20; ++i) {
        EXPECT_EQ(refusal(accounts_->claim(claim)), Refusal::nonce_used);
        ASSERT_TRUE(accounts_->tidy());
        clock_.advance_ms(60'000);
    }
    EXPECT_EQ(refusal(accounts_->claim(claim)), Refusal::stale_message);
}

TEST_F(AccountClaimsTest, RefusesEveryMessageThatIsNotTheOwners) {
    using enum Refusal;
    struct Row {
        std::string what;
        std::string text;
        std::string signature;  // empty: by the owner
        Refusal why;
    };
    const auto with = [&](auto change) {
        auto changed = message();
        change(changed);
        return claim_text(changed);
    };
    const auto good = claim_text(message());
    const auto old = wallet_.sign(good);
    auto upper = good;
    upper.replace(upper.find("threshold"), 9, "Threshold");
    const std::vector<Row> rows{
        {"nothing", "", "", bad_message},
        {"another text", "I am the owner.", "", bad_message},
        {"a line more", good + "\n", "", bad_message},
        {"a line less", good.substr(0, good.rfind('\n')), "", bad_message},
        {"carriage returns", good + "\r", "", bad_message},
        {"too long", good + std::string(2'000, '0'), "", bad_message},
        {"a short nonce", with([](auto& m) { m.nonce = "short"; }), "", bad_message},
        {"a nonce with a space", with([](auto& m) { m.nonce = "12345678 9"; }), "", bad_message},
        {"a time before time", with([](auto& m) { m.time_s = -1; }), "", bad_message},
        {"another pool", with([](auto& m) { m.pool = "other pool"; }), "", bad_message},
        {"an unknown setting", upper, "", bad_setting},
        {"a value of zero", with([](auto& m) { m.value = "0"; }), "", bad_value},
        {"a value with a sign", with([](auto& m) { m.value = "+5"; }), "", bad_value},
        {"more than all coins", with([](auto& m) { m.value = "2100000000000001"; }), "", bad_value},
        {"a donation above all", with([](auto& m) {
             m.setting = Setting::donation;
             m.value = "1000001";
         }),
         "", bad_value},
        {"a place that is none", with([](auto& m) {
             m.setting = Setting::notify;
             m.value = "ftp://x";
         }),
         "", bad_value},
        {"too old", with([](auto& m) { m.time_s -= 601; }), "", stale_message},
        {"too new", with([](auto& m) { m.time_s += 601; }), "", stale_message},
        {"no address", with([](auto& m) { m.address = "bc1q"; }), "", bad_address},
        {"a script's address", with([](auto& m) {
             m.address = "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9";
         }),
         "", unsupported_address},
        {"another's address", with([](auto& m) { m.address = Wallet(8).address(); }), "",
         bad_signature},
        {"signed by another", good, Wallet(8).sign(good), bad_signature},
        {"another message's signature", with([](auto& m) { m.value = "1"; }), old, bad_signature},
        {"no signature", good, "?", bad_signature},
    };
    for (const auto& row : rows) {
        const auto signature = row.signature.empty() ? wallet_.sign(row.text) : row.signature;
        const auto claimed = accounts_->claim({row.text, signature, kPeer});
        ASSERT_FALSE(claimed) << row.what;
        EXPECT_EQ(claimed.error().why, row.why) << row.what << ": " << claimed.error().text;
    }
    EXPECT_TRUE(accounts_->changes_of(wallet_.address())->empty());
    // The one that most rows change is sound.
    EXPECT_TRUE(accounts_->claim({good, old, kPeer}));
    EXPECT_THAT(registry_.text(), HasSubstr(R"(adit_auth_claims_total{result="bad_value"} 5)"));
}

TEST_F(AccountClaimsTest, OneAddressHasOneSpelling) {
    auto shouted = message();
    for (auto& c : shouted.address)
        c = static_cast<char>(std::toupper(c));
    const auto change = claim(shouted);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->address, wallet_.address());
    // Nor does another spelling make the nonce another one.
    auto again = shouted;
    again.address = wallet_.address();
    EXPECT_EQ(refusal(claim(again)), Refusal::nonce_used);
}

TEST_F(AccountClaimsTest, BoundsWhatWaits) {
    auto settings = quick_settings();
    settings.most_changes = 2;
    reopen(settings);
    EXPECT_TRUE(claim(message()));
    EXPECT_TRUE(claim(message(Setting::donation, "0")));
    EXPECT_EQ(refusal(claim(message(Setting::notify, "off"))), Refusal::too_many_changes);
}

}  // namespace
}  // namespace adit::auth
