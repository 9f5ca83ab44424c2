// The program: subcommands and nothing else.
#include "cli/account_command.h"
#include "cli/audit_command.h"
#include "cli/books_command.h"
#include "cli/demo_command.h"
#include "cli/manager_command.h"
#include "cli/miner_command.h"
#include "cli/payout_command.h"
#include "cli/run_command.h"
#include "cli/selftest_command.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

namespace {

constexpr int kFailed = 1;
constexpr int kBadUsage = 2;

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Adit: a Bitcoin mining pool in one binary", "adit");
    app.set_version_flag("--version", "adit " ADIT_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Examples:\n"
        "  adit demo                               a pool on an embedded chain, with miners\n"
        "  adit check --config /etc/adit.toml      can the pool start like this?\n"
        "  adit run --config /etc/adit.toml        run it\n"
        "  adit miner pool.example:3333 -u ADDRESS mine for any Stratum V1 pool\n"
        "  adit audit --config /etc/adit.toml      hash all shares, recompute the ledger\n"
        "  adit selftest --config /etc/adit.toml   mine on it, and follow the shares\n"
        "\n"
        "adit SUBCOMMAND --help says more.");
    int exit_code = 0;
    adit::cli::add_run_command(app, &exit_code);
    adit::cli::add_demo_command(app, &exit_code);
    adit::cli::add_check_command(app, &exit_code);
    adit::cli::add_miner_command(app, &exit_code);
    adit::cli::add_audit_command(app, &exit_code);
    adit::cli::add_books_commands(app, &exit_code);
    adit::cli::add_payout_command(app, &exit_code);
    adit::cli::add_account_command(app, &exit_code);
    adit::cli::add_manager_command(app, &exit_code);
    adit::cli::add_selftest_command(app, &exit_code);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kBadUsage;
    } catch (const std::exception& error) {
        // Such as a system that gives no more threads or descriptors.
        std::fprintf(stderr, "adit: %s\n", error.what());
        return kFailed;
    }
    return exit_code;
}
