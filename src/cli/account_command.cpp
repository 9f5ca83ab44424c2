#include "cli/account_command.h"

#include "chain/address.h"
#include "cli/books_command.h"
#include "cli/books_text.h"
#include "cli/payout_text.h"
#include "cli/pool_call.h"
#include "cli/run_command.h"
#include "manager/payout_json.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

using Json = nlohmann::ordered_json;

struct SetOptions {
    std::string account;
    std::string threshold;
    std::string donation;
};

int set_account(const GroupOptions& common, const SetOptions& options) {
    Json params{{"account", options.account}};
    if (!options.threshold.empty()) {
        const auto sat = parse_threshold(options.threshold);
        if (!sat) {
            return bad_usage(fmt::format(
                "--threshold {} is no amount; write 0.005, 0.005BTC, 500000sat, or pool",
                options.threshold));
        }
        params["threshold_sat"] = *sat;
    }
    if (!options.donation.empty()) {
        const auto ppm = parse_donation(options.donation);
        if (!ppm) {
            return bad_usage(
                fmt::format("--donation {} is no percentage; write 0.5%", options.donation));
        }
        params["donation_ppm"] = *ppm;
    }
    if (params.size() == 1) return bad_usage("nothing to set: add --threshold or --donation");
    return show_answer(common, "account.set",
                       params.dump(-1, ' ', true, Json::error_handler_t::replace), settings_text);
}

void add_set(CLI::App* group, int* exit_code) {
    const auto [app, common] = add_command(
        group, "set", "Change an account's threshold or donation",
        "Examples:\n"
        "  adit account set bc1q... --threshold 0.01 --config /etc/adit.toml\n"
        "  adit account set bc1q... --threshold 500000sat --donation 0.5% -c /etc/adit.toml\n"
        "  adit account set bc1q... --threshold pool -c /etc/adit.toml\n\n"
        "The threshold can only be raised above the pool's; pool means the pool's own.\n"
        "Exit codes: 0 done, 1 the pool refused, 2 no pool runs, or wrong options or\n"
        "configuration.");
    auto options = std::make_shared<SetOptions>();
    app->add_option("NAME", options->account, "The account: an address")->required();
    app->add_option("--threshold", options->threshold, "Paid from this balance on")
        ->type_name("AMOUNT");
    app->add_option("--donation", options->donation, "Part of what it earns that it donates")
        ->type_name("PERCENT");
    app->callback([common, options, exit_code] { *exit_code = set_account(*common, *options); });
}

void add_show(CLI::App* group, int* exit_code) {
    const auto [app, common] = add_command(
        group, "show", "An account's balance and settings",
        "Examples:\n"
        "  adit account show bc1q... --config /etc/adit.toml\n\n"
        "Read from the ledger, whether the pool runs or not.\n"
        "Exit codes: 0 shown, 1 the ledger cannot be read, 2 faults in the configuration.");
    auto account = std::make_shared<std::string>();
    app->add_option("NAME", *account, "The account: an address")->required();
    app->callback([common, account, exit_code] {
        *exit_code = show_account(common->config_file, *account, common->json, stdout);
    });
}

}  // namespace

int show_account(const std::string& config_file, const std::string& account, bool json,
                 std::FILE* out) {
    const auto config = manager::load_config(config_file);
    if (!config) {
        print_faults(config.error());
        return kBooksBadUsage;
    }
    const auto books = books_of(config_file);
    if (!books) return books.error();
    const auto name =
        chain::canonical_address(account, chain::params(config->pool.chain)).value_or(account);
    const auto balance = (*books)->balance_of(name);
    if (!balance) return failed(balance.error());
    const auto chosen = (*books)->settings_of(name);
    if (!chosen) return failed(chosen.error());
    auto settings = chosen->value_or(share::SettingsRecord{});
    settings.account = name;
    const auto in_force = manager::settings_json(settings, config->payout.threshold_sat);
    const std::vector<ledger::BalanceRow> rows{{name, *balance}};
    if (!json) {
        fmt::print(out, "{}\n{}", settings_text(in_force), balances_text(rows));
        return kBooksDone;
    }
    auto merged = Json::parse(in_force);
    merged.update(Json::parse(balances_json(rows)).at(0));
    fmt::print(out, "{}\n", merged.dump());
    return kBooksDone;
}

void add_account_command(CLI::App& app, int* exit_code) {
    auto* group = app.add_subcommand("account", "An account's balance, threshold and donation");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n"
        "  adit account show bc1q... --config /etc/adit.toml\n"
        "  adit account set bc1q... --threshold 0.01 --config /etc/adit.toml\n\n"
        "adit account COMMAND --help says more.");
    add_set(group, exit_code);
    add_show(group, exit_code);
}

}  // namespace adit::cli
