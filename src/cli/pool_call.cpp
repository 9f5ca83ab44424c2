#include "cli/pool_call.h"

#include "cli/run_command.h"
#include "manager/control_client.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <unistd.h>

namespace adit::cli {
namespace {

// A round of payouts asks node and ledger many times.
constexpr int kPatienceMs = 180'000;

}  // namespace

int bad_usage(const std::string& sentence) {
    std::fprintf(stderr, "%s\n", sentence.c_str());
    return kPoolUnreachable;
}

std::expected<std::string, int> ask_running_pool(const std::string& config_file,
                                                 std::string_view method, std::string_view params) {
    const auto config = manager::load_config(config_file);
    if (!config) {
        print_faults(config.error());
        return std::unexpected(kPoolUnreachable);
    }
    auto result = manager::ask_pool(config->pool.data_dir, method, params, kPatienceMs);
    if (result) return std::move(*result);
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    const bool refused = result.error().fault == manager::ControlFault::refused;
    return std::unexpected(refused ? kPoolRefused : kPoolUnreachable);
}

GroupCommand add_command(CLI::App* group, const char* name, const char* purpose,
                         const std::string& footer) {
    auto* app = group->add_subcommand(name, purpose);
    auto common = std::make_shared<GroupOptions>();
    app->add_option("--config,-c", common->config_file, "The pool's configuration file")
        ->required()
        ->type_name("FILE");
    app->add_flag("--json", common->json, "JSON instead of text");
    app->footer(footer);
    return {app, common};
}

int show_answer(const GroupOptions& common, std::string_view method, std::string_view params,
                std::string (*as_text)(const std::string&)) {
    const auto result = ask_running_pool(common.config_file, method, params);
    if (!result) return result.error();
    fmt::print("{}", common.json ? *result + "\n" : as_text(*result));
    return kPoolDone;
}

bool confirmed(const std::string& question, bool yes) {
    if (yes || ::isatty(STDIN_FILENO) == 0) return true;
    std::fprintf(stderr, "%s Go on? [y/N] ", question.c_str());
    std::fflush(stderr);
    std::array<char, 16> answer{};
    const bool read = std::fgets(answer.data(), answer.size(), stdin) != nullptr;
    return read && (answer[0] == 'y' || answer[0] == 'Y');
}

}  // namespace adit::cli
