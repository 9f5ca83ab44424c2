// How long the reward of a block takes to divide and to post: a PPLNS window over slices of many
// accounts, measured and split in memory (as audits do) and in the SQLite ledger, and the whole
// step from a fact in the log to the commit of what follows from it.
// Usage: split_bench [--quick] [--accounts N] [--stretches N] [--rounds N] [--blocks N] [--dir DIR]
// The window covers all stretches but half of the oldest one: accounts x stretches slices.
// --blocks: only the whole step, for so many blocks one after the other with a stretch of work
// between two; the first, the median and the longest of them.
#include "bench_program.h"
#include "ledger/bookkeeper.h"
#include "ledger/memory_journal.h"
#include "ledger/pplns.h"
#include "ledger/split.h"
#include "store/sql_journal.h"
#include "store/sql_ledger.h"
#include "store/sqlite_connection.h"

#include <fmt/core.h>

namespace {

using namespace adit;
using bench::Stopwatch;

constexpr std::uint32_t kBits = 0x1703255b;
constexpr std::uint32_t kSliceSeconds = 600;
constexpr std::int64_t kStart = 1'700'000'400;
const auto kReward = chain::Amount::of(312'500'000);

struct Settings {
    std::filesystem::path dir;
    share::AccountId accounts = 10'000;
    std::int64_t stretches = 100;
    int rounds = 5;
    int blocks = 0;
};

void expect(const ledger::Stored<void>& done) {
    if (!done) throw std::runtime_error(done.error());
}

// The pieces of a log in which every account works in every stretch.
class Work {
 public:
    explicit Work(const Settings& settings) : settings_(settings) {
        const auto window = ledger::window_length(kBits, share::RulesRecord{}.pplns_factor_milli);
        // Such that half of the oldest stretch is left over.
        const auto halves = static_cast<std::uint64_t>(2 * settings.stretches - 1);
        mean_ = window * 2 / halves / settings.accounts;
    }
    ledger::TallyDelta stretch(std::int64_t number) {
        ledger::TallyDelta delta;
        delta.before = at_;
        at_.log.position += 1'000;
        at_.slice = {kStart + number * kSliceSeconds, 0};
        at_.time_ms = at_.slice.start_s * 1'000;
        delta.after = at_;
        for (share::AccountId id = 1; id <= settings_.accounts; ++id) {
            if (number == 0) delta.accounts.push_back({id, fmt::format("bc1p{:058}", id)});
            // Between half and one and a half of the mean.
            const auto milli = 500 + (id * 7'919 + static_cast<std::uint32_t>(number) * 31) % 1'000;
            delta.slices[{at_.slice, id}] = {mean_ / 1'000 * milli, 1, 0};
        }
        return delta;
    }
    // A piece that holds one fact.
    template <class T>
    ledger::TallyDelta fact(T what) {
        ledger::TallyDelta delta;
        delta.before = at_;
        at_.log.position += 1'000;
        if constexpr (std::same_as<T, ledger::FoundBlock>) at_.slice.sequence += 1;
        delta.after = at_;
        delta.facts.push_back({std::move(what), delta.before.log.position, at_.time_ms});
        return delta;
    }
    // Found now; its piece closes the slice.
    ledger::FoundBlock block(std::uint32_t number) const {
        ledger::FoundBlock found;
        base::store_le(found.block.hash.bytes.data(), number);
        found.block.bits = kBits;
        found.block.job = 1;
        found.block.account = 1;
        found.position = at_.log.position;
        found.time_ms = at_.time_ms;
        found.slice = at_.slice;
        return found;
    }

 private:
    const Settings& settings_;
    ledger::FoldPoint at_;
    chain::Work mean_ = 0;
};

ledger::BlockRow row_of(const ledger::FoundBlock& found) {
    ledger::BlockRow row;
    row.found = found;
    row.finder = "bc1p";
    return row;
}

// The best of some rounds.
void split(std::string_view where, const Settings& settings, const ledger::FoundBlock& found,
           const std::function<std::optional<ledger::RewardSplit>(const ledger::BlockRow&)>& run) {
    const auto row = row_of(found);
    double best = 0;
    std::size_t parts = 0;
    for (int round = 0; round < settings.rounds; ++round) {
        const Stopwatch time;
        const auto split = run(row);
        const auto ms = time.ms();
        if (!split || split->settlement.counted != split->settlement.wanted) {
            throw std::runtime_error("the window is not full");
        }
        parts = split->rows.size();
        best = round == 0 ? ms : std::min(best, ms);
    }
    fmt::print("split over {} slices to {} accounts, {}: {:.1f} ms (best of {})\n",
               settings.accounts * settings.stretches, parts, where, best, settings.rounds);
}

void run_memory(const Settings& settings) {
    ledger::MemoryJournal journal(0, kSliceSeconds);
    Work work(settings);
    for (std::int64_t number = 0; number < settings.stretches; ++number)
        journal.add(work.stretch(number));
    const auto found = work.block(1);
    split("in memory", settings, found,
          [&](const auto& row) { return ledger::split_reward(journal, row, kReward); });
}

share::BlockFactRecord fact_of(const ledger::FoundBlock& found, share::BlockFact what) {
    share::BlockFactRecord fact;
    fact.hash = found.block.hash;
    fact.transition = what == share::BlockFact::confirmed ? 1 : 2;
    fact.fact = what;
    if (what == share::BlockFact::confirmed) fact.coinbase_value_sat = kReward.sat();
    return fact;
}

std::unique_ptr<store::SqlLedger> open_sqlite(const store::SqlLedgerSettings& settings) {
    auto ledger = store::SqlLedger::open(settings);
    if (!ledger) throw std::runtime_error(ledger.error());
    return std::move(*ledger);
}

store::SqlLedgerSettings sqlite_settings(const Settings& settings) {
    store::SqlLedgerSettings sqlite;
    sqlite.database = (settings.dir / "ledger.sqlite").string();
    sqlite.slice_s = kSliceSeconds;
    return sqlite;
}

// As the tally begins.
std::unique_ptr<store::SqlLedger> open_after_start(const store::SqlLedgerSettings& settings) {
    auto ledger = open_sqlite(settings);
    const Stopwatch time;
    expect(ledger->warm_up());
    fmt::print("reading ahead after a start: {:.0f} ms\n", time.ms());
    return ledger;
}

void run_sqlite(const Settings& settings) {
    const auto opened = sqlite_settings(settings);
    auto ledger = open_sqlite(opened);
    Work work(settings);
    for (std::int64_t number = 0; number < settings.stretches; ++number)
        expect(ledger->apply(work.stretch(number)));
    const auto first = work.block(1);
    {
        store::SqliteConnection connection(opened.database, store::SqliteMode::write);
        const auto run = [&](const auto& row, store::SliceCache* cache) {
            store::SqlTransaction transaction(connection);
            store::SqlJournal journal(connection, 0, kSliceSeconds, cache);
            return ledger::split_reward(journal, row, kReward);
        };
        split("every row read from SQLite", settings, first,
              [&](const auto& row) { return run(row, nullptr); });
        store::SliceCache cache;
        run(row_of(first), &cache);
        split("in SQLite after an earlier split", settings, first,
              [&](const auto& row) { return run(row, &cache); });
    }
    ledger = open_after_start(opened);
    const auto fold = [&](std::string_view what, const ledger::TallyDelta& delta) {
        const Stopwatch time;
        expect(ledger->apply(delta));
        fmt::print("{}, from the fact to the commit in SQLite: {:.1f} ms\n", what, time.ms());
        expect(ledger->tidy_up());
    };
    for (int number = 1; number <= settings.rounds; ++number) {
        const auto found = number == 1 ? first : work.block(static_cast<std::uint32_t>(number));
        expect(ledger->apply(work.fact(found)));
        fold("confirming (window, split, credits)",
             work.fact(fact_of(found, share::BlockFact::confirmed)));
        fold("maturing (posting the credits)", work.fact(fact_of(found, share::BlockFact::mature)));
    }
}

void print_times(std::string_view what, std::vector<double> times) {
    const auto first = times.front();
    std::ranges::sort(times);
    fmt::print(
        "{}, {} blocks, from the fact to the commit: first {:.0f}, median {:.0f}, max {:.0f} ms\n",
        what, times.size(), first, times[times.size() / 2], times.back());
}

// A ledger that grows: does a block cost the same however many there are?
void run_blocks(const Settings& settings) {
    const auto opened = sqlite_settings(settings);
    auto ledger = open_sqlite(opened);
    Work work(settings);
    std::int64_t stretch = 0;
    while (stretch < settings.stretches)
        expect(ledger->apply(work.stretch(stretch++)));
    ledger = open_after_start(opened);
    std::vector<double> confirming;
    std::vector<double> maturing;
    std::vector<double> tidying;
    const auto fold = [&](std::vector<double>& times, const ledger::TallyDelta& delta) {
        const Stopwatch time;
        expect(ledger->apply(delta));
        times.push_back(time.ms());
        // As the tally does when it has told that the fact is folded.
        const Stopwatch tidying_time;
        expect(ledger->tidy_up());
        tidying.push_back(tidying_time.ms());
    };
    for (int number = 1; number <= settings.blocks; ++number) {
        const auto found = work.block(static_cast<std::uint32_t>(number));
        expect(ledger->apply(work.fact(found)));
        fold(confirming, work.fact(fact_of(found, share::BlockFact::confirmed)));
        fold(maturing, work.fact(fact_of(found, share::BlockFact::mature)));
        expect(ledger->apply(work.stretch(stretch++)));
    }
    print_times("confirming (window, split, credits)", confirming);
    print_times("maturing (posting the credits)", maturing);
    fmt::print("tidying up after one of them: at most {:.0f} ms\n", std::ranges::max(tidying));
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    auto parent = std::filesystem::temp_directory_path();
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const bool has_value = i + 1 < argc;
        if (argument == "--quick") {
            settings.accounts = 100;
            settings.stretches = 10;
            settings.rounds = 1;
        } else if (argument == "--accounts" && has_value &&
                   bench::read_number(argv[i + 1], settings.accounts)) {
            ++i;
        } else if (argument == "--stretches" && has_value &&
                   bench::read_number(argv[i + 1], settings.stretches)) {
            ++i;
        } else if (argument == "--rounds" && has_value &&
                   bench::read_number(argv[i + 1], settings.rounds)) {
            ++i;
        } else if (argument == "--blocks" && has_value &&
                   bench::read_number(argv[i + 1], settings.blocks)) {
            ++i;
        } else if (argument == "--dir" && has_value) {
            parent = argv[++i];
        } else {
            fmt::print(stderr,
                       "usage: split_bench [--quick] [--accounts N] [--stretches N] [--rounds N] "
                       "[--blocks N] [--dir DIR]\n");
            return 2;
        }
    }
    try {
        const bench::ScratchDir scratch(parent);
        settings.dir = scratch.path();
        if (settings.blocks > 0) {
            run_blocks(settings);
        } else {
            run_memory(settings);
            run_sqlite(settings);
        }
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
    return 0;
}
