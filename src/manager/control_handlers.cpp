#include "manager/control_handlers.h"

#include "chain/address.h"
#include "manager/control_params.h"
#include "manager/payout_json.h"

namespace adit::manager {
namespace {

using ledger::Stored;

constexpr std::size_t kNoteBytes = 500;
constexpr std::size_t kLoggedBytes = 300;
constexpr std::int64_t kMostId = INT64_MAX;
// Most that an operation of the pool manager takes.
constexpr std::int64_t kOperationMs = 60'000;

std::string cut(const std::string& text) {
    return text.size() <= kLoggedBytes ? text : text.substr(0, kLoggedBytes) + "...";
}

template <class T>
ControlReply reply(const Stored<T>& result, std::string (*as_json)(const T&)) {
    return result ? ControlReply::result(as_json(*result)) : ControlReply::refusal(result.error());
}

// All methods; shared by their handlers.
class Methods {
 public:
    explicit Methods(ControlDesk desk) : desk_(std::move(desk)) {}

    ControlReply payout_run(const ControlRequest& request) {
        ControlParams params(request.params);
        const bool dry = params.flag("dry");
        if (auto fault = params.finish()) return ControlReply::refusal(std::move(*fault));
        if (desk_.payouts == nullptr) return no_payouts();
        return reply(desk_.payouts->run(dry, request.stop), round_json);
    }

    using Decision = Stored<ledger::PayoutRow> (PayoutDesk::*)(share::PayoutId, std::string_view,
                                                               std::stop_token);
    ControlReply decide(const ControlRequest& request, Decision decision) {
        ControlParams params(request.params);
        params.require("id");
        const auto id = params.integer("id", 1, kMostId);
        const auto note = params.text("note", kNoteBytes);
        if (auto fault = params.finish()) return ControlReply::refusal(std::move(*fault));
        if (desk_.payouts == nullptr) return no_payouts();
        return reply(
            (desk_.payouts->*decision)(static_cast<share::PayoutId>(*id), note, request.stop),
            payout_json);
    }

    ControlReply payout_explain(const ControlRequest& request) {
        ControlParams params(request.params);
        params.require("txid");
        ledger::SpendExplanation explanation;
        const auto txid = params.hash("txid");
        explanation.debit_payees = params.flag("payees");
        explanation.account = params.text("account", share::kNameLimit);
        const auto amount_sat = params.integer("amount_sat", 1, ledger::Amount::kMaxSat);
        explanation.owed_to_none = params.flag("not_accounts");
        explanation.note = params.text("note", kNoteBytes);
        const bool named = !explanation.account.empty();
        if (explanation.debit_payees && (named || amount_sat)) {
            params.refuse("\"payees\" is instead of \"account\" and \"amount_sat\"");
        }
        if (named != amount_sat.has_value()) {
            params.refuse("\"account\" and \"amount_sat\" go together");
        }
        if (auto fault = params.finish()) return ControlReply::refusal(std::move(*fault));
        if (desk_.payouts == nullptr) return no_payouts();
        if (named) {
            auto account = known_account(explanation.account);
            if (!account) return ControlReply::refusal(std::move(account.error()));
            explanation.account = std::move(*account);
        }
        explanation.txid = *txid;
        explanation.amount = ledger::Amount::of(amount_sat.value_or(0));
        return reply(desk_.payouts->explain(explanation, request.stop), explained_json);
    }

    ControlReply payout_status(const ControlRequest& request) {
        ControlParams params(request.params);
        if (auto fault = params.finish()) return ControlReply::refusal(std::move(*fault));
        if (desk_.payouts == nullptr) return no_payouts();
        return ControlReply::result(view_json(desk_.payouts->view()));
    }

    ControlReply pool_status(const ControlRequest& request) {
        ControlParams params(request.params);
        if (auto fault = params.finish()) return ControlReply::refusal(std::move(*fault));
        return ControlReply::result(desk_.pool_status());
    }

    ControlReply operate(const Operation& operation, const ControlRequest& request) const {
        auto result =
            operation.run(request.params, {desk_.clock.steady_ms() + kOperationMs, request.stop});
        return result ? ControlReply::result(std::move(*result))
                      : ControlReply::refusal(std::move(result.error().text));
    }

    // What is not named stays as it is.
    ControlReply account_set(const ControlRequest& request) {
        ControlParams params(request.params);
        params.require("account");
        const auto name = params.text("account", share::kNameLimit);
        const auto threshold_sat = params.integer("threshold_sat", 0, ledger::Amount::kMaxSat);
        const auto donation_ppm = params.integer("donation_ppm", 0, share::kPpm);
        const auto least_sat = desk_.threshold_sat();
        if (threshold_sat && *threshold_sat != 0 && *threshold_sat < least_sat) {
            params.refuse(fmt::format(
                "a threshold of {} satoshis is below the pool's, which is {}; an account can only "
                "raise it (0: the pool's)",
                *threshold_sat, least_sat));
        }
        if (!threshold_sat && !donation_ppm) {
            params.refuse("nothing to set: name \"threshold_sat\" or \"donation_ppm\"");
        }
        if (auto fault = params.finish()) return ControlReply::refusal(std::move(*fault));
        const auto account = known_account(name);
        if (!account) return ControlReply::refusal(account.error());
        const auto before = desk_.reader.settings_of(*account);
        if (!before) return ControlReply::refusal(before.error());
        auto settings = before->value_or(share::SettingsRecord{});
        settings.account = *account;
        if (threshold_sat) settings.threshold_sat = *threshold_sat;
        if (donation_ppm) settings.donation_ppm = static_cast<std::uint32_t>(*donation_ppm);
        settings.at_wall_ms = desk_.clock.wall_ms();
        if (const auto recorded = desk_.sink.record(settings); !recorded) {
            return ControlReply::refusal(recorded.error());
        }
        return account_now(*account);
    }

    // Leaves the line that says who asked for what.
    ControlReply logged(const ControlRequest& request, ControlReply answer) {
        if (answer.ok) {
            desk_.logger.info("control", "done",
                              {{"method", request.method},
                               {"params", cut(request.params)},
                               {"result", cut(answer.body)}});
        } else {
            desk_.logger.warning("control", "refused",
                                 {{"method", request.method},
                                  {"params", cut(request.params)},
                                  {"why", cut(answer.body)}});
        }
        return answer;
    }

 private:
    ControlReply no_payouts() const { return ControlReply::refusal(desk_.why_no_payouts); }

    // The account's one spelling, when it is known here.
    Stored<std::string> known_account(const std::string& name) const {
        auto account = chain::canonical_address(name, chain::params(desk_.network)).value_or(name);
        const auto known = desk_.knows_account(account);
        if (!known) return std::unexpected(known.error());
        if (*known && !account.starts_with(':')) return account;
        return std::unexpected(fmt::format(
            "no account \"{}\" has mined here; adit balance lists those with a balance", name));
    }

    ControlReply account_now(const std::string& account) const {
        const auto settings = desk_.reader.settings_of(account);
        if (!settings) return ControlReply::refusal(settings.error());
        if (!*settings) {
            return ControlReply::refusal("the ledger did not take the settings; nothing changed");
        }
        return ControlReply::result(settings_json(**settings, desk_.threshold_sat()));
    }

    const ControlDesk desk_;
};

}  // namespace

ControlHandlers control_handlers(ControlDesk desk) {
    const auto operations = desk.operations;
    const auto methods = std::make_shared<Methods>(std::move(desk));
    using Method = ControlReply (Methods::*)(const ControlRequest&);
    ControlHandlers handlers;
    const auto add = [&](const char* name, Method method) {
        handlers[name] = [methods, method](const ControlRequest& request) {
            return methods->logged(request, ((*methods).*method)(request));
        };
    };
    const auto add_decision = [&](const char* name, Methods::Decision decision) {
        handlers[name] = [methods, decision](const ControlRequest& request) {
            return methods->logged(request, methods->decide(request, decision));
        };
    };
    add("payout.run", &Methods::payout_run);
    add_decision("payout.approve", &PayoutDesk::approve);
    add_decision("payout.cancel", &PayoutDesk::cancel);
    add_decision("payout.replace", &PayoutDesk::replace_anchor);
    add("payout.explain", &Methods::payout_explain);
    add("payout.status", &Methods::payout_status);
    add("account.set", &Methods::account_set);
    add("pool.status", &Methods::pool_status);
    for (const auto& operation : operations) {
        handlers["manager." + operation.name] = [methods,
                                                 operation](const ControlRequest& request) {
            auto answer = methods->operate(operation, request);
            return operation.often ? answer : methods->logged(request, std::move(answer));
        };
    }
    return handlers;
}

}  // namespace adit::manager
