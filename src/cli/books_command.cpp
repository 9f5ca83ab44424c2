#include "cli/books_command.h"

#include "cli/books_text.h"
#include "cli/run_command.h"

#include <CLI/CLI.hpp>

#include <limits>

namespace adit::cli {
int failed(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return kBooksFailed;
}

namespace {

template <class T>
int print(const ledger::Stored<T>& rows, bool json, std::string (*as_json)(const T&),
          std::string (*as_text)(const T&), std::FILE* out) {
    if (!rows) return failed(rows.error());
    fmt::print(out, "{}", json ? as_json(*rows) : as_text(*rows));
    return kBooksDone;
}

std::shared_ptr<std::string> config_option(CLI::App* command) {
    auto file = std::make_shared<std::string>();
    command->add_option("--config,-c", *file, "The pool's configuration file")
        ->required()
        ->type_name("FILE");
    return file;
}

void add_balance(CLI::App& app, int* exit_code) {
    auto* command = app.add_subcommand("balance", "What accounts have: posted, pending, under way");
    const auto file = config_option(command);
    auto account = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    command->add_option("ACCOUNT", *account, "An address or account name; all when left out");
    command->add_flag("--json", *json, "One JSON array instead of a table");
    command->footer(
        "Examples:\n"
        "  adit balance --config /etc/adit.toml\n"
        "  adit balance --config /etc/adit.toml bc1q...\n\n"
        "available = posted less what is under way in payouts; pending becomes posted when its\n"
        "block is mature. Names with a colon are the ledger's own (docs/ledger.md).\n"
        "Exit codes: 0 shown, 1 the ledger cannot be read, 2 faults in the configuration.");
    command->callback([=] { *exit_code = show_balance(*file, *account, *json, stdout); });
}

void add_blocks(CLI::App& app, int* exit_code) {
    auto* command = app.add_subcommand("blocks", "The pool's blocks and what became of them");
    const auto file = config_option(command);
    auto json = std::make_shared<bool>(false);
    command->add_flag("--json", *json, "One JSON array instead of a table");
    command->footer(
        "Examples:\n"
        "  adit blocks --config /etc/adit.toml\n"
        "  adit blocks --config /etc/adit.toml --json\n\n"
        "Exit codes: 0 shown, 1 the ledger cannot be read, 2 faults in the configuration.");
    command->callback([=] { *exit_code = show_blocks(*file, *json, stdout); });
}

void add_export(CLI::App& app, int* exit_code) {
    auto* command =
        app.add_subcommand("export", "Earnings or payouts as CSV, for accounts and tax tools");
    auto options = std::make_shared<ExportOptions>();
    command->add_option("WHAT", options->what, "earnings or payouts")
        ->required()
        ->check(CLI::IsMember({"earnings", "payouts"}));
    command->add_option("--config,-c", options->config_file, "The pool's configuration file")
        ->required()
        ->type_name("FILE");
    command->add_option("--account", options->account, "Only this account")->type_name("NAME");
    command->add_option("--from", options->from, "From this time on (UTC)")->type_name("TIME");
    command->add_option("--to", options->to, "Before this time (UTC)")->type_name("TIME");
    command->footer(
        "Examples:\n"
        "  adit export earnings -c /etc/adit.toml --account bc1q... --from 2026-01-01 "
        "--to 2027-01-01\n"
        "  adit export payouts -c /etc/adit.toml > payouts.csv\n\n"
        "Times are YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS. Amounts are in BTC with eight decimals,\n"
        "negative where a block was orphaned or a payment came back.\n"
        "Exit codes: 0 written, 1 the ledger cannot be read, 2 a wrong option or configuration.");
    command->callback([=] { *exit_code = export_csv(*options, stdout); });
}

}  // namespace

ledger::Stored<std::unique_ptr<store::SqlLedger>> open_books(const manager::Config& config) {
    store::SqlLedgerSettings settings;
    settings.read_only = true;
    settings.database = store::ledger_database(config.store.ledger, config.pool.data_dir);
    if (!store::is_postgres_url(settings.database) && !std::filesystem::exists(settings.database)) {
        return nullptr;
    }
    return store::SqlLedger::open(settings);
}

std::expected<std::unique_ptr<store::SqlLedger>, int> books_of(const std::string& config_file) {
    const auto config = manager::load_config(config_file);
    if (!config) {
        print_faults(config.error());
        return std::unexpected(kBooksBadUsage);
    }
    auto books = open_books(*config);
    if (!books) return std::unexpected(failed(books.error()));
    if (*books == nullptr) {
        return std::unexpected(failed(fmt::format(
            "{} holds no ledger; has the pool run with this data_dir?", config->pool.data_dir)));
    }
    return std::move(*books);
}

int show_balance(const std::string& config_file, const std::string& account, bool json,
                 std::FILE* out) {
    const auto books = books_of(config_file);
    if (!books) return books.error();
    auto rows = (*books)->balances();
    if (!rows) return failed(rows.error());
    if (!account.empty()) {
        std::erase_if(*rows, [&](const auto& row) { return row.account != account; });
        if (rows->empty()) rows->push_back({account, {}});
    }
    const auto shown = print(rows, json, balances_json, balances_text, out);
    if (!json && account.empty()) fmt::print(out, "{}", custody_text(*rows));
    return shown;
}

int show_blocks(const std::string& config_file, bool json, std::FILE* out) {
    const auto books = books_of(config_file);
    if (!books) return books.error();
    return print((*books)->block_rows(), json, blocks_json, blocks_text, out);
}

int export_csv(const ExportOptions& options, std::FILE* out) {
    const auto bound = [](const std::string& text, std::int64_t otherwise) {
        return text.empty() ? std::optional(otherwise) : parse_utc(text);
    };
    const auto from = bound(options.from, 0);
    const auto to = bound(options.to, std::numeric_limits<std::int64_t>::max());
    if (!from || !to) {
        std::fprintf(stderr, "\"%s\" is no time; write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS\n",
                     (from ? options.to : options.from).c_str());
        return kBooksBadUsage;
    }
    const auto books = books_of(options.config_file);
    if (!books) return books.error();
    const auto transfers = (*books)->transfers(options.account, *from, *to);
    if (!transfers) return failed(transfers.error());
    if (options.what == "earnings") {
        fmt::print(out, "{}", earnings_csv(*transfers));
        return kBooksDone;
    }
    const auto payouts = (*books)->payout_rows();
    if (!payouts) return failed(payouts.error());
    fmt::print(out, "{}", payouts_csv(*transfers, *payouts));
    return kBooksDone;
}

void add_books_commands(CLI::App& app, int* exit_code) {
    add_balance(app, exit_code);
    add_blocks(app, exit_code);
    add_export(app, exit_code);
}

}  // namespace adit::cli
