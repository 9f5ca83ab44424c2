#include "cli/miners_command.h"

#include "cli/books_text.h"
#include "cli/pool_call.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cmath>

namespace adit::cli {
namespace {

using Json = nlohmann::json;

constexpr int kNoRoom = 3;

struct MinersOptions {
    std::optional<std::int64_t> count;
    std::optional<double> shares_per_minute;
    std::string address;
    bool reserve = false;
    std::int64_t for_s = 0;
    std::int64_t release = 0;
};

int miners(const GroupOptions& common, const MinersOptions& options) {
    Json params = Json::object();
    if (options.count) params["count"] = *options.count;
    if (!options.address.empty()) params["address"] = options.address;
    if (options.shares_per_minute) params["shares_per_minute"] = *options.shares_per_minute;
    std::string method = "manager.miners";
    if (options.release != 0) {
        if (!params.empty() || options.reserve) {
            return bad_usage("--release goes with none of the other options");
        }
        method = "manager.release";
        params["id"] = options.release;
    } else if (options.reserve) {
        if (!options.count || options.address.empty() || options.for_s == 0) {
            return bad_usage("--reserve needs --count, --address and --for");
        }
        method = "manager.reserve";
        params["seconds"] = options.for_s;
    } else if (options.for_s != 0) {
        return bad_usage("--for goes with --reserve");
    } else if (!options.count && !params.empty()) {
        return bad_usage("say how many: --count");
    }
    const auto answer = ask_running_pool(
        common.config_file, method, params.dump(-1, ' ', true, Json::error_handler_t::replace));
    if (!answer) return answer.error();
    fmt::print("{}", common.json ? *answer + "\n" : miners_text(*answer));
    return Json::parse(*answer).at("refused").get<std::uint64_t>() == 0 ? kPoolDone : kNoRoom;
}

std::string plain(const Json& value, bool is_bytes) {
    if (value.is_null()) return "-";
    const auto number = value.get<double>();
    if (!is_bytes) {
        const bool whole = number == std::floor(number) || number >= 1'000;
        return whole ? fmt::format("{:.0f}", number) : fmt::format("{:.3g}", number);
    }
    if (number < 10 * 1024) return fmt::format("{:.0f} B", number);
    if (number < 10 * 1024 * 1024) return fmt::format("{:.0f} KiB", number / 1024);
    return fmt::format("{:.0f} MiB", number / (1024 * 1024));
}

std::string groups_text(const Json& json) {
    std::string out;
    for (const auto& group : json.at("groups")) {
        const auto& address = group.at("address");
        out += fmt::format("{} of {} connections from {} admitted, {} refused\n",
                           group.at("admitted").get<std::uint64_t>(),
                           group.at("count").get<std::uint64_t>(),
                           address.is_null() ? "anywhere" : address.get<std::string>(),
                           group.at("refused").get<std::uint64_t>());
        if (const auto held = group.at("reserved").get<std::uint64_t>(); held != 0)
            out += fmt::format("  {} of them are reserved\n", held);
        for (const auto& reason : group.at("reasons"))
            out += fmt::format("  {}\n", reason.get<std::string>());
    }
    return out;
}

}  // namespace

std::string miners_text(const std::string& text) {
    const auto json = Json::parse(text);
    using enum TextTable::Align;
    std::string out = groups_text(json);
    TextTable table({{"resource", left},
                     {"used", right},
                     {"capacity", right},
                     {"headroom", right},
                     {"needed", right},
                     {"each", right},
                     {"known", left}});
    std::string notes;
    for (const auto& row : json.at("resources")) {
        const auto name = row.at("resource").get<std::string>();
        const auto cell = [&](const char* key) { return plain(row.at(key), name == "memory"); };
        table.add({name, cell("used"), cell("capacity"), cell("headroom"), cell("needed"),
                   cell("per_connection"), row.at("known")});
        notes += fmt::format("{}: {}\n", name, row.at("note").get<std::string>());
    }
    out += table.text() + notes;
    out += fmt::format("{} open, {} held; room for {} more, bound by {}\n",
                       json.at("open").get<std::uint64_t>(), json.at("held").get<std::uint64_t>(),
                       json.at("room").get<std::uint64_t>(),
                       json.at("next_binding").get<std::string>());
    for (const auto& one : json.at("reservations")) {
        out += fmt::format(
            "reservation {}: {} of {} connections from {} are awaited for another {} s\n",
            one.at("id").get<std::uint64_t>(), one.at("left").get<std::uint64_t>(),
            one.at("count").get<std::uint64_t>(), one.at("address").get<std::string>(),
            one.at("ends_in_ms").get<std::int64_t>() / 1'000);
    }
    return out;
}

void add_miners(CLI::App* group, int* exit_code) {
    const auto [app, common] = add_command(
        group, "miners", "Is there room for more miners? Reserves it, too",
        "Examples:\n"
        "  adit manager miners --config /etc/adit.toml                what is used, what is left\n"
        "  adit manager miners -c /etc/adit.toml --count 500\n"
        "  adit manager miners -c /etc/adit.toml --count 50 --address 192.0.2.7 --reserve --for "
        "600\n"
        "  adit manager miners -c /etc/adit.toml --release 3\n\n"
        "While room is reserved, others are turned away once it is all that is left. Costs that\n"
        "are not measured yet are said to be so. docs/manager.md has the rules.\n"
        "Exit codes: 0 there is room (or it is reserved, or released), 3 some are refused,\n"
        "1 the pool refused, 2 no pool runs, or wrong options or configuration.");
    auto options = std::make_shared<MinersOptions>();
    app->add_option("--count", options->count, "So many connections")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N");
    app->add_option("--address", options->address, "All from this address")->type_name("IP");
    app->add_option("--shares-per-minute", options->shares_per_minute,
                    "Of each; without it as the present miners on average")
        ->type_name("N");
    app->add_flag("--reserve", options->reserve, "Hold the room for that address");
    app->add_option("--for", options->for_s, "Hold it so long")
        ->check(CLI::Range(1, 86'400))
        ->type_name("SECONDS");
    app->add_option("--release", options->release, "Give this reservation up")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{UINT32_MAX}))
        ->type_name("ID");
    app->callback([common, options, exit_code] { *exit_code = miners(*common, *options); });
}

}  // namespace adit::cli
