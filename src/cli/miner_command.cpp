#include "cli/miner_command.h"

#include "cli/signals.h"
#include "cli/terminal.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace adit::cli {

using nlohmann::json;

namespace {

constexpr std::int64_t kTickMs = 250;           // how often the end conditions are looked at
constexpr std::int64_t kPlainEveryMs = 10'000;  // between two lines when there is no status line
constexpr std::int64_t kRateWindowMs = 10'000;  // the hash rate is measured over this
constexpr std::uint32_t kDrainMs = 2'000;       // for the last answers at the end

std::string reason_list(const std::map<std::string, std::uint64_t>& rejected) {
    std::string text;
    for (const auto& [reason, count] : rejected) {
        text += fmt::format("{}{} {}", text.empty() ? " (" : ", ", reason, count);
    }
    return text.empty() ? text : text + ")";
}

// Hashes a second over the last kRateWindowMs, from counts taken at every tick.
class RateMeter {
 public:
    double update(std::uint64_t hashes, std::int64_t now_ms) {
        marks_.push_back({now_ms, hashes});
        while (marks_.size() > 2 && marks_[1].at_ms <= now_ms - kRateWindowMs)
            marks_.pop_front();
        const auto& first = marks_.front();
        if (now_ms <= first.at_ms) return 0;
        return static_cast<double>(hashes - first.hashes) * 1000 /
               static_cast<double>(now_ms - first.at_ms);
    }

 private:
    struct Mark {
        std::int64_t at_ms;
        std::uint64_t hashes;
    };
    std::deque<Mark> marks_;
};

// Writes what happens, as text or as JSON lines. Events come on the client's thread.
class Reporter {
 public:
    Reporter(std::FILE* out, bool as_json)
        : json_(as_json), terminal_(out, !as_json && is_interactive(out)) {}

    bool interactive() const { return terminal_.interactive(); }

    void event(std::string_view name, const json& fields, const std::string& text) {
        if (!json_) return terminal_.print(text);
        json object = {{"event", name}};
        object.update(fields);
        terminal_.print(object.dump(-1, ' ', true, json::error_handler_t::replace));
    }
    void on_reply(const miner::ShareReply& reply) {
        constexpr const char* kNames[] = {"accepted", "rejected", "known", "lost"};
        const char* outcome = kNames[static_cast<std::size_t>(reply.outcome)];
        const auto hash = reply.share.hash.rpc_hex();
        const bool quiet = reply.outcome == miner::ShareOutcome::accepted && !reply.share.block;
        if (quiet && !json_) return;  // counted in the status
        event("share",
              {{"outcome", outcome},
               {"code", reply.code},
               {"reason", reply.reason},
               {"job", reply.share.job->id},
               {"difficulty", reply.share.job->difficulty.value()},
               {"block", reply.share.block},
               {"hash", hash}},
              fmt::format("{} {}{}{}", reply.share.block ? "block" : "share", outcome,
                          reply.reason.empty() ? "" : ": " + reply.reason,
                          reply.share.block ? " " + hash : ""));
    }
    void status(const MinerProgress& progress, bool plain_due) {
        if (interactive()) {
            terminal_.set_status(progress_text(progress));
        } else if (plain_due) {
            terminal_.print(json_ ? progress_json(progress, "status") : progress_text(progress));
        }
    }
    void summary(const MinerProgress& progress) {
        terminal_.clear_status();
        terminal_.print(json_ ? progress_json(progress, "summary")
                              : "total: " + progress_text(progress));
    }

 private:
    bool json_;
    Terminal terminal_;
};

miner::PoolMinerSettings settings_of(const MinerOptions& options, const miner::PoolUrl& url) {
    miner::PoolMinerSettings settings;
    settings.connection.pool = url;
    settings.connection.client.user = options.user;
    settings.connection.client.password = options.password;
    settings.connection.client.suggest_difficulty = options.suggest_difficulty;
    if (options.no_version_rolling) settings.connection.client.version_mask = 0;
    settings.connection.verify_tls = !options.insecure;
    settings.connection.ca_file = options.ca_file;
    settings.cpu.threads =
        options.threads != 0 ? options.threads : std::max(std::thread::hardware_concurrency(), 1U);
    settings.cpu.hashes_per_s = options.hashes_per_s;
    return settings;
}

miner::PoolMinerEvents events_for(Reporter& reporter, std::atomic<bool>& refused) {
    miner::PoolMinerEvents events;
    events.on_reply = [&](const miner::ShareReply& reply) { reporter.on_reply(reply); };
    events.on_job = [&reporter](const miner::PoolJob& job) {
        if (reporter.interactive()) return;
        reporter.event(
            "job", {{"id", job.id}, {"difficulty", job.difficulty.value()}, {"clean", job.clean}},
            fmt::format("job {} at difficulty {}{}", job.id, job.difficulty.value(),
                        job.clean ? ", new block" : ""));
    };
    events.on_message = [&](std::string_view text) {
        reporter.event("message", {{"text", text}}, fmt::format("pool says: {}", text));
    };
    events.on_lost = [&](std::string_view why, std::uint32_t pause_ms) {
        reporter.event("lost", {{"why", why}, {"retry_ms", pause_ms}},
                       fmt::format("not connected: {}; trying again in {:.1f} s", why,
                                   static_cast<double>(pause_ms) / 1000));
    };
    events.on_refused = [&refused](miner::ProtocolError error, std::string_view) {
        if (error == miner::ProtocolError::unauthorized) refused = true;
    };
    return events;
}

// Watches a running miner until it is time to end.
int watch(const MinerOptions& options, const miner::PoolMiner& miner, const base::Clock& clock,
          Reporter& reporter, const std::atomic<bool>& refused, RateMeter& meter) {
    const auto started_ms = clock.steady_ms();
    auto plain_ms = started_ms;
    while (true) {
        if (wait_for_signal(kTickMs) == Signal::stop) return kMinerDone;
        const auto now_ms = clock.steady_ms();
        const auto elapsed_ms = now_ms - started_ms;
        MinerProgress progress{miner.stats(), 0, elapsed_ms / 1000};
        progress.hashes_per_s = meter.update(progress.stats.hashes, now_ms);
        const bool plain_due = now_ms - plain_ms >= kPlainEveryMs;
        if (plain_due) plain_ms = now_ms;
        reporter.status(progress, plain_due);
        if (refused) return kMinerUnauthorized;
        if (options.shares != 0 && progress.stats.accepted >= options.shares) return kMinerDone;
        if (options.seconds != 0 &&
            elapsed_ms >= static_cast<std::int64_t>(options.seconds) * 1000) {
            return progress.stats.accepted != 0 ? kMinerDone : kMinerNothing;
        }
    }
}

constexpr const char* kExamples = R"(
Examples:
  adit miner 127.0.0.1:3333 -u bcrt1q...
  adit miner stratum+tcp://pool.example:3333 -u bc1q....rig1 -p d=1 -t 4
  adit miner stratum+ssl://pool.example:3334 -u account.rig1 --limit 100000
  adit miner localhost:3333 -u bcrt1q... --shares 10 --json

Exit codes: 0 ended as asked, 1 --seconds ran out without an accepted share,
2 unusable URL or CA file, 3 the pool refuses the name.
)";

}  // namespace

std::string progress_text(const MinerProgress& progress) {
    const auto& stats = progress.stats;
    return fmt::format(
        "{}  {}  accepted {}  rejected {}{}  stale {}  lost {}  blocks {}/{}  "
        "difficulty {:g}{}",
        human_duration(progress.elapsed_s), human(progress.hashes_per_s, "H/s"), stats.accepted,
        stats.rejected_total(), reason_list(stats.rejected), stats.stale, stats.lost,
        stats.blocks_accepted, stats.blocks_found, stats.difficulty,
        stats.connected ? "" : "  (not connected)");
}

std::string progress_json(const MinerProgress& progress, std::string_view event) {
    const auto& stats = progress.stats;
    const json object = {
        {"event", event},
        {"elapsed_s", progress.elapsed_s},
        {"connected", stats.connected},
        {"hashes", stats.hashes},
        {"hashes_per_s", progress.hashes_per_s},
        {"mining_s", stats.mining_s},
        {"jobs", stats.jobs},
        {"found", stats.found},
        {"accepted", stats.accepted},
        {"accepted_difficulty", stats.accepted_difficulty},
        {"rejected", stats.rejected_total()},
        {"rejected_by_reason", stats.rejected},
        {"stale", stats.stale},
        {"known", stats.known},
        {"lost", stats.lost},
        {"blocks_found", stats.blocks_found},
        {"blocks_accepted", stats.blocks_accepted},
        {"reconnects", stats.reconnects},
        {"difficulty", stats.difficulty},
        {"last_problem", stats.last_problem},
    };
    return object.dump(-1, ' ', true, json::error_handler_t::replace);
}

int run_miner(const MinerOptions& options, std::FILE* out) {
    const auto url = miner::parse_pool_url(options.url);
    if (!url) {
        fmt::print(stderr, "adit miner: {}: {}\n", options.url, miner::describe(url.error()));
        return kMinerBadUsage;
    }
    block_signals();
    const base::SystemClock clock;
    Reporter reporter(out, options.json);
    std::atomic<bool> refused{false};
    RateMeter meter;
    std::optional<miner::PoolMiner> miner;
    try {
        miner.emplace(settings_of(options, *url), clock, events_for(reporter, refused));
    } catch (const std::exception& error) {  // the TLS context could not be made
        fmt::print(stderr, "adit miner: {}: {}\n", options.ca_file, error.what());
        return kMinerBadUsage;
    }
    const auto settings = settings_of(options, *url);
    reporter.event(
        "start", {{"url", miner::to_string(*url)}, {"threads", settings.cpu.threads}},
        fmt::format("mining for {} as {} with {} thread{}", miner::to_string(*url), options.user,
                    settings.cpu.threads, settings.cpu.threads == 1 ? "" : "s"));
    const auto started_ms = clock.steady_ms();
    miner->start();
    const int code = watch(options, *miner, clock, reporter, refused, meter);
    miner->stop(kDrainMs);
    MinerProgress progress{miner->stats(), 0, (clock.steady_ms() - started_ms) / 1000};
    if (progress.stats.mining_s > 0) {
        progress.hashes_per_s =
            static_cast<double>(progress.stats.hashes) / progress.stats.mining_s;
    }
    reporter.summary(progress);
    if (code == kMinerUnauthorized) {
        fmt::print(stderr, "adit miner: the pool refuses the name {}\n", options.user);
    }
    return code;
}

void add_miner_command(CLI::App& app, int* exit_code) {
    auto options = std::make_shared<MinerOptions>();
    auto* command =
        app.add_subcommand("miner", "Mine on this machine's processor for any Stratum V1 pool");
    command->footer(kExamples);
    command
        ->add_option("url", options->url,
                     "Where the pool listens: stratum+tcp://HOST:PORT, stratum+ssl://HOST:PORT or "
                     "HOST:PORT")
        ->required();
    command->add_option("-u,--user", options->user, "ADDRESS[.worker] or ACCOUNT[.worker]")
        ->required();
    command->add_option("-p,--password", options->password,
                        "Password or options for the pool, such as d=N");
    command
        ->add_option("-t,--threads", options->threads,
                     "Hashing threads (default: one per processor)")
        ->check(CLI::Range(1, 1024));
    command
        ->add_option("--limit", options->hashes_per_s,
                     "At most so many hashes a second, all threads together")
        ->check(CLI::PositiveNumber);
    command->add_option("--shares", options->shares, "End after so many accepted shares")
        ->check(CLI::PositiveNumber);
    command->add_option("--seconds", options->seconds, "End after so many seconds")
        ->check(CLI::PositiveNumber);
    command
        ->add_option("--difficulty", options->suggest_difficulty,
                     "Ask the pool for this share difficulty")
        ->check(CLI::PositiveNumber);
    command->add_flag("--json", options->json, "Report with one JSON object a line");
    command->add_flag("--insecure", options->insecure, "Do not check the pool's TLS certificate");
    command->add_option("--ca-file", options->ca_file,
                        "Trust these authorities (PEM) instead of the system's");
    command->add_flag("--no-version-rolling", options->no_version_rolling,
                      "Do not ask for version rolling (BIP310)");
    command->callback([options, exit_code] { *exit_code = run_miner(*options, stdout); });
}

}  // namespace adit::cli
