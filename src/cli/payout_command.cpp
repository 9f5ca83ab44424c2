#include "cli/payout_command.h"

#include "cli/books_command.h"
#include "cli/books_text.h"
#include "cli/payout_text.h"
#include "cli/pool_call.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

using Json = nlohmann::json;
using ledger::PayoutState;

constexpr char kExitCodes[] =
    "Exit codes: 0 done, 1 the pool refused, 2 no pool runs, or wrong options or configuration.";

int ask(const GroupOptions& common, std::string_view method, const Json& params,
        std::string (*as_text)(const std::string&)) {
    return show_answer(common, method, params.dump(-1, ' ', true, Json::error_handler_t::replace),
                       as_text);
}

void add_list(CLI::App* group, int* exit_code) {
    const auto [app, common] = add_command(
        group, "list", "Payouts and where they stand",
        "Examples:\n"
        "  adit payout list --config /etc/adit.toml\n"
        "  adit payout list --config /etc/adit.toml --all --json\n\n"
        "Read from the ledger, whether the pool runs or not.\n"
        "Exit codes: 0 shown, 1 the ledger cannot be read, 2 faults in the configuration.");
    auto all = std::make_shared<bool>(false);
    app->add_flag("--all", *all, "Cancelled and deeply buried ones too");
    app->callback([common, all, exit_code] {
        *exit_code = list_payouts(common->config_file, *all, common->json, stdout);
    });
}

void add_show(CLI::App* group, int* exit_code) {
    const auto [app, common] = add_command(
        group, "show", "One payout: whom it pays, and its transactions",
        "Examples:\n"
        "  adit payout show 12 --config /etc/adit.toml\n\n"
        "Read from the ledger, whether the pool runs or not.\n"
        "Exit codes: 0 shown, 1 no such payout, or the ledger cannot be read, 2 faults in the\n"
        "configuration.");
    auto id = std::make_shared<std::uint64_t>(0);
    app->add_option("ID", *id, "The payout's number")->required();
    app->callback([common, id, exit_code] {
        *exit_code = show_payout(common->config_file, *id, common->json, stdout);
    });
}

void add_run(CLI::App* group, int* exit_code) {
    const auto footer =
        std::string(
            "Examples:\n"
            "  adit payout run --dry-run --config /etc/adit.toml    who would be paid now?\n"
            "  adit payout run --config /etc/adit.toml              pay now, not at the next "
            "round\n\n") +
        kExitCodes;
    const auto [app, common] =
        add_command(group, "run", "Begin payouts now, or say which would begin", footer);
    auto dry = std::make_shared<bool>(false);
    app->add_flag("--dry-run", *dry, "Change nothing, only say who would be paid");
    app->callback([common, dry, exit_code] {
        *exit_code = ask(*common, "payout.run", {{"dry", *dry}}, round_text);
    });
}

struct Decision {
    const char* name;
    const char* purpose;
    const char* more;      // of the help
    const char* question;  // before it is done, on a terminal; null: not asked
};

void add_decision(CLI::App* group, int* exit_code, const Decision& decision) {
    const auto footer = fmt::format(
        "Examples:\n"
        "  adit payout {} 12 --config /etc/adit.toml --note \"as agreed\"\n\n{}\n{}",
        decision.name, decision.more, kExitCodes);
    const auto [app, common] = add_command(group, decision.name, decision.purpose, footer);
    struct Options {
        std::uint64_t id = 0;
        std::string note;
        bool yes = false;
    };
    auto options = std::make_shared<Options>();
    app->add_option("ID", options->id, "The payout's number")->required();
    app->add_option("--note", options->note, "Goes into the log with it")->type_name("TEXT");
    if (decision.question != nullptr) app->add_flag("--yes,-y", options->yes, "Do not ask");
    const std::string method = fmt::format("payout.{}", decision.name);
    const std::string question = decision.question == nullptr ? "" : decision.question;
    app->callback([common, options, method, question, exit_code] {
        if (!question.empty() && !confirmed(question, options->yes)) {
            *exit_code = failed("nothing was done");
            return;
        }
        *exit_code =
            ask(*common, method, {{"id", options->id}, {"note", options->note}}, decided_text);
    });
}

void add_decisions(CLI::App* group, int* exit_code) {
    add_decision(group, exit_code,
                 {"approve", "Let a payout go that waits for approval",
                  "Payouts above payout.approve_above_sat wait for this.", nullptr});
    add_decision(group, exit_code,
                 {"cancel", "Give a payout up before anything was signed for it",
                  "Its accounts have their money back and are paid by a later round.", nullptr});
    add_decision(
        group, exit_code,
        {"replace", "Give a conflicted payout a new anchor",
         "For a payout whose anchor was spent by something else. The pool asks every configured\n"
         "node first: all must have that other spend 100 blocks deep.",
         "The payout will be sent again with other coins of the wallet."});
}

struct ExplainOptions {
    std::string txid;
    bool payees = false;
    std::string account;
    std::string amount;
    bool not_accounts = false;
    std::string note;
    bool yes = false;
};

int explain(const GroupOptions& common, const ExplainOptions& options) {
    Json params{{"txid", options.txid},
                {"payees", options.payees},
                {"not_accounts", options.not_accounts},
                {"note", options.note}};
    if (options.account.empty() != options.amount.empty()) {
        return bad_usage("--account and --amount go together");
    }
    std::string question = "It was none of the ledger's money; no account gives anything.";
    if (options.payees) question = "The accounts whose addresses it pays are debited for it.";
    if (!options.account.empty()) {
        const auto amount = chain::Amount::from_btc(options.amount);
        if (!amount || *amount <= chain::Amount()) {
            return bad_usage(
                fmt::format("--amount {} is no amount in BTC; write 0.00150000", options.amount));
        }
        params["account"] = options.account;
        params["amount_sat"] = amount->sat();
        question = fmt::format("{} BTC are taken from {}.", amount->btc(), options.account);
    }
    if (!confirmed(question, options.yes)) return failed("nothing was done");
    return ask(common, "payout.explain", params, explained_text);
}

void add_explain(CLI::App* group, int* exit_code) {
    const auto footer =
        std::string(
            "Examples:\n"
            "  adit payout explain TXID -c /etc/adit.toml --note \"moved to the vault\"\n"
            "  adit payout explain TXID -c /etc/adit.toml --payees\n"
            "  adit payout explain TXID -c /etc/adit.toml --account bc1q... --amount 0.0015\n\n"
            "An unknown spend of the wallet stops new payouts until it is explained. Without "
            "--payees\n"
            "and --account it was none of the ledger's money, such as a withdrawal of the pool's "
            "own.\n"
            "--payees: it was a payout that a restored log does not know; the accounts whose "
            "addresses\n"
            "it pays are debited. --account with --amount: that much was paid to this account.\n"
            "A spend that pays addresses of accounts which are owed something is accounted for "
            "only\n"
            "when each of them is; --not-accounts says that it has nothing to do with what they "
            "are\n"
            "owed.\n") +
        kExitCodes;
    const auto [app, common] = add_command(
        group, "explain", "Say what a spend of the wallet was that the pool does not know", footer);
    auto options = std::make_shared<ExplainOptions>();
    app->add_option("TXID", options->txid, "The transaction's id")->required();
    auto* payees = app->add_flag("--payees", options->payees, "It paid accounts of the pool");
    auto* account = app->add_option("--account", options->account, "Whom it paid, by another way")
                        ->type_name("NAME");
    auto* amount =
        app->add_option("--amount", options->amount, "Taken from that account")->type_name("BTC");
    payees->excludes(account)->excludes(amount);
    app->add_flag("--not-accounts", options->not_accounts,
                  "It pays addresses of accounts, but not what they are owed");
    app->add_option("--note", options->note, "Goes into the log with it")->type_name("TEXT");
    app->add_flag("--yes,-y", options->yes, "Do not ask");
    app->callback([common, options, exit_code] { *exit_code = explain(*common, *options); });
}

void add_status(CLI::App* group, int* exit_code) {
    const auto footer = std::string(
                            "Examples:\n"
                            "  adit payout status --config /etc/adit.toml\n\n") +
                        kExitCodes;
    const auto [app, common] =
        add_command(group, "status", "What holds payouts up, and when the next round is", footer);
    app->callback([common, exit_code] {
        *exit_code = ask(*common, "payout.status", Json::object(), payout_status_text);
    });
}

}  // namespace

int list_payouts(const std::string& config_file, bool all, bool json, std::FILE* out) {
    const auto books = books_of(config_file);
    if (!books) return books.error();
    auto rows = (*books)->payout_rows();
    if (!rows) return failed(rows.error());
    const auto everything = rows->size();
    if (!all) {
        std::erase_if(*rows, [](const ledger::PayoutRow& row) {
            return row.state == PayoutState::cancelled || row.state == PayoutState::buried;
        });
    }
    fmt::print(out, "{}", json ? payouts_json(*rows) : payouts_text(*rows));
    const auto hidden = everything - rows->size();
    if (!json && hidden > 0) {
        fmt::print(out, "{} cancelled or deeply buried: --all shows them\n", hidden);
    }
    return kBooksDone;
}

int show_payout(const std::string& config_file, std::uint64_t id, bool json, std::FILE* out) {
    const auto books = books_of(config_file);
    if (!books) return books.error();
    const auto row = (*books)->payout_row(id);
    const auto payees = (*books)->payees_of(id);
    const auto attempts = (*books)->attempts_of(id);
    if (!row) return failed(row.error());
    if (!payees) return failed(payees.error());
    if (!attempts) return failed(attempts.error());
    if (!*row) {
        return failed(fmt::format("there is no payout {}; adit payout list --all shows all", id));
    }
    const PayoutDetail detail{**row, *payees, *attempts};
    fmt::print(out, "{}", json ? payout_json(detail) : payout_text(detail));
    return kBooksDone;
}

void add_payout_command(CLI::App& app, int* exit_code) {
    auto* group = app.add_subcommand("payout", "Look at payouts, begin, approve or explain them");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n"
        "  adit payout list --config /etc/adit.toml\n"
        "  adit payout status --config /etc/adit.toml\n"
        "  adit payout approve 12 --config /etc/adit.toml\n\n"
        "adit payout COMMAND --help says more.");
    add_list(group, exit_code);
    add_show(group, exit_code);
    add_run(group, exit_code);
    add_decisions(group, exit_code);
    add_explain(group, exit_code);
    add_status(group, exit_code);
}

}  // namespace adit::cli
