// The ledger database against bare inserts into SQLite: how long it takes to fold a block whose
// reward goes to 10,000 accounts, compared with one transaction of as many rows in one plain table,
// and how fast slices are read from the newest down.
// Usage: ledger_bench [--quick] [--accounts N] [--slices N] [--dir DIR] [--postgres URL]
// With --postgres the same is written to that (empty) database instead.
#include "bench_program.h"
#include "store/postgres_connection.h"
#include "store/sql_journal.h"
#include "store/sql_ledger.h"
#include "store/sqlite_connection.h"

#include <fmt/core.h>

namespace {

using namespace adit;
using bench::Stopwatch;

struct Settings {
    std::filesystem::path dir;
    std::string postgres;
    share::AccountId accounts = 10'000;
    std::int64_t slices = 1'000'000;
};

std::string address_of(share::AccountId account) {
    return fmt::format("bc1p{:058}", account);
}

// What a block of many accounts writes: a transfer and a part of the split for each.
class Posting {
 public:
    Posting(share::AccountId accounts, std::uint32_t block) {
        hash_.bytes[0] = static_cast<std::uint8_t>(block);
        hash_.bytes[1] = static_cast<std::uint8_t>(block >> 8);
        for (share::AccountId id = 1; id <= accounts; ++id) {
            const auto name = address_of(id);
            ledger::Transfer transfer;
            transfer.id = {ledger::Purpose::block_part, hash_, 1, name};
            transfer.debit = ledger::kRewardAccount;
            transfer.credit = name;
            transfer.amount = chain::Amount::of(id);
            transfer.position = 1'000 + block;
            transfer.time_ms = 1'700'000'000'000;
            transfers_.push_back(transfer);
            split_.push_back({name, chain::Work{id} << 40, chain::Amount::of(id), {}, {}});
        }
    }
    void write(store::SqlConnection& connection) const {
        store::SqlTransaction transaction(connection);
        store::SqlJournal journal(connection, 0, 600);
        journal.put_split(hash_, split_);
        journal.post(transfers_);
        journal.finish();
        transaction.commit();
    }
    // Rows that it writes: a part, a transfer and a balance for each account.
    std::size_t rows() const { return 3 * transfers_.size() + 1; }

 private:
    chain::Hash256 hash_;
    std::vector<ledger::Transfer> transfers_;
    std::vector<ledger::SplitRow> split_;
};

// As many rows of the same size, with nothing but a key.
double bare_ms(const Settings& settings, std::size_t rows) {
    store::SqliteConnection connection(settings.dir / "bare.sqlite", store::SqliteMode::write);
    connection.run("CREATE TABLE bare (number INTEGER PRIMARY KEY, name TEXT, work BLOB, sat INT)");
    const Stopwatch time;
    store::SqlTransaction transaction(connection);
    {
        auto add = connection.prepare("INSERT INTO bare VALUES ($1, $2, $3, $4)");
        for (std::size_t i = 0; i < rows; ++i) {
            add.bind(i).bind(address_of(static_cast<share::AccountId>(i))).bind_wide(i);
            add.bind(i).run();
        }
    }
    transaction.commit();
    return time.ms();
}

std::unique_ptr<store::SqlConnection> connect(const Settings& settings) {
    if (!settings.postgres.empty()) {
        return std::make_unique<store::PostgresConnection>(settings.postgres,
                                                           store::PostgresMode::write);
    }
    return std::make_unique<store::SqliteConnection>(settings.dir / "ledger.sqlite",
                                                     store::SqliteMode::write);
}

bool fill_slices(store::SqlLedger& ledger, const Settings& settings) {
    ledger::FoldPoint at;
    const Stopwatch time;
    std::int64_t written = 0;
    while (written < settings.slices) {
        ledger::TallyDelta delta;
        delta.before = delta.after = at;
        delta.after.log.position += 1;
        delta.after.slice.start_s += 600;
        for (share::AccountId id = 1; id <= settings.accounts && written < settings.slices; ++id) {
            delta.slices[{delta.after.slice, id}] = {chain::Work{id} << 50, 1, 0};
            ++written;
        }
        at = delta.after;
        if (const auto applied = ledger.apply(delta); !applied) {
            fmt::print(stderr, "{}\n", applied.error());
            return false;
        }
    }
    fmt::print("folding {} slice rows: {:.0f} ms\n", written, time.ms());
    return true;
}

void read_slices(store::SqlConnection& connection) {
    store::SqlTransaction transaction(connection);
    store::SqlJournal journal(connection, 0, 600);
    const Stopwatch time;
    std::size_t rows = 0;
    journal.slices_down({{std::numeric_limits<std::int64_t>::max(), 0}, 0},
                        [&](const ledger::SliceGroup& group) {
                            rows += group.work.size();
                            return true;
                        });
    fmt::print("reading {} slice rows from the newest down: {:.0f} ms\n", rows, time.ms());
}

int run(const Settings& settings) {
    store::SqlLedgerSettings opened;
    opened.database =
        settings.postgres.empty() ? (settings.dir / "ledger.sqlite").string() : settings.postgres;
    auto ledger = store::SqlLedger::open(opened);
    if (!ledger) {
        fmt::print(stderr, "{}\n", ledger.error());
        return 1;
    }
    if (!fill_slices(**ledger, settings)) return 1;
    const auto connection = connect(settings);
    read_slices(*connection);
    for (std::uint32_t block = 1; block <= 3; ++block) {
        const Posting posting(settings.accounts, block);
        const Stopwatch time;
        posting.write(*connection);
        const auto ms = time.ms();
        if (block == 1) {
            const auto bare = bare_ms(settings, posting.rows());
            fmt::print(
                "posting a block to {} accounts: {:.0f} ms; bare inserts of {} rows: "
                "{:.0f} ms, ratio {:.2f}\n",
                settings.accounts, ms, posting.rows(), bare, ms / bare);
        } else {
            fmt::print("posting the next one: {:.0f} ms\n", ms);
        }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    auto parent = std::filesystem::temp_directory_path();
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const bool has_value = i + 1 < argc;
        if (argument == "--quick") {
            settings.accounts = 500;
            settings.slices = 20'000;
        } else if (argument == "--accounts" && has_value &&
                   bench::read_number(argv[i + 1], settings.accounts)) {
            ++i;
        } else if (argument == "--slices" && has_value &&
                   bench::read_number(argv[i + 1], settings.slices)) {
            ++i;
        } else if (argument == "--dir" && has_value) {
            parent = argv[++i];
        } else if (argument == "--postgres" && has_value) {
            settings.postgres = argv[++i];
        } else {
            fmt::print(stderr,
                       "usage: ledger_bench [--quick] [--accounts N] [--slices N] [--dir DIR] "
                       "[--postgres URL]\n");
            return 2;
        }
    }
    try {
        const bench::ScratchDir scratch(parent);
        settings.dir = scratch.path();
        return run(settings);
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
