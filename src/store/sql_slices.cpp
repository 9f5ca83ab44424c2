// What SqlLedger keeps of the fold: slices, totals, names and the point reached.
#include "ledger/bookkeeper.h"
#include "store/sql_journal.h"
#include "store/sql_ledger.h"
#include "store/sql_rows.h"
#include "store/sql_session.h"

namespace adit::store {
namespace {

using ledger::FoldPoint;
using ledger::InstanceId;
using ledger::Stored;
using ledger::Sum;
using ledger::TallyDelta;

void add_names(SqlConnection& connection, InstanceId instance, const TallyDelta& delta) {
    // The same name twice is harmless: ids are never reused in one log.
    auto account = connection.prepare(
        "INSERT INTO accounts (instance, id, name) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING");
    for (const auto& record : delta.accounts)
        account.bind(instance).bind(record.id).bind(record.name).run();
    auto worker = connection.prepare(
        "INSERT INTO workers (instance, id, account, name) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING");
    for (const auto& record : delta.worker_names)
        worker.bind(instance).bind(record.id).bind(record.account).bind(record.name).run();
}

void add_slices(SqlConnection& connection, InstanceId instance, const TallyDelta& delta) {
    auto add = connection.prepare(
        "INSERT INTO slices (start, sequence, instance, account, work, shares, uncredited) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "ON CONFLICT (start, sequence, instance, account) DO UPDATE SET "
        "work = add128(slices.work, excluded.work), shares = slices.shares + excluded.shares, "
        "uncredited = slices.uncredited + excluded.uncredited");
    for (const auto& [key, sum] : delta.slices) {
        const auto& [slice, account] = key;
        add.bind(slice.start_s).bind(slice.sequence).bind(instance).bind(account);
        add.bind_wide(sum.work).bind(to_column(sum.shares)).bind(to_column(sum.uncredited)).run();
    }
}

void add_workers(SqlConnection& connection, InstanceId instance, const TallyDelta& delta) {
    auto slice = connection.prepare(
        "INSERT INTO worker_slices (start, instance, worker, work, shares, uncredited) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (start, instance, worker) DO UPDATE SET "
        "work = add128(worker_slices.work, excluded.work), "
        "shares = worker_slices.shares + excluded.shares, "
        "uncredited = worker_slices.uncredited + excluded.uncredited");
    auto total = connection.prepare(
        "INSERT INTO worker_totals (instance, worker, work, shares, uncredited) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (instance, worker) DO UPDATE SET "
        "work = add128(worker_totals.work, excluded.work), "
        "shares = worker_totals.shares + excluded.shares, "
        "uncredited = worker_totals.uncredited + excluded.uncredited");
    for (const auto& [key, sum] : delta.workers) {
        const auto& [start, worker] = key;
        const auto shares = to_column(sum.shares);
        const auto uncredited = to_column(sum.uncredited);
        slice.bind(start).bind(instance).bind(worker);
        slice.bind_wide(sum.work).bind(shares).bind(uncredited).run();
        total.bind(instance).bind(worker).bind_wide(sum.work).bind(shares).bind(uncredited).run();
    }
}

void set_fold_point(SqlConnection& connection, InstanceId instance, const FoldPoint& point) {
    static const auto kSql =
        upsert_of("fold_points",
                  "instance, log_id, position, chain, slice_start, slice_sequence, time_ms", 1);
    auto set = connection.prepare(kSql);
    set.bind(instance).bind(base::ByteSpan(point.log_id)).bind(to_column(point.log.position));
    set.bind(point.log.chain).bind(point.slice.start_s).bind(point.slice.sequence);
    set.bind(point.time_ms).run();
}

void forget_worker_slices(SqlConnection& connection, InstanceId instance, std::int64_t before_s) {
    auto forget =
        connection.prepare("DELETE FROM worker_slices WHERE instance = $1 AND start < $2");
    forget.bind(instance).bind(before_s).run();
}

Sum one_sum(SqlStatement& row) {
    row.step();
    return RowReader(row).sum();
}

constexpr std::string_view kTotals =
    "SELECT total128(work), coalesce(sum(shares), 0), coalesce(sum(uncredited), 0) FROM ";

}  // namespace

Stored<void> SqlLedger::look(const std::function<void(ledger::Journal&)>& at) {
    return ask([&](SqlConnection& connection) {
        SqlJournal journal(connection, settings_.instance, settings_.slice_s);
        at(journal);
    });
}

Stored<std::optional<FoldPoint>> SqlLedger::fold_point() {
    return ask(
        [&](SqlConnection& connection) { return find_fold_point(connection, settings_.instance); });
}

Stored<void> SqlLedger::apply(const TallyDelta& delta) {
    return with(writer_, true, [&](SqlConnection& connection) {
        if (settings_.read_only) throw SqlError("it was opened for reading only");
        int steps = 0;
        const auto step = [&] {
            if (settings_.fail_point && !settings_.fail_point(steps++)) {
                throw SqlError("stopped by a test");
            }
        };
        step();
        // What an unfinished transaction has shown to it must not outlive that.
        auto slices = std::exchange(slice_cache_, SliceCache());
        SqlTransaction transaction(connection);
        step();
        apply_delta(connection, delta, slices, step);
        transaction.commit();
        slice_cache_ = std::move(slices);
        step();
    });
}

Stored<void> SqlLedger::tidy_up() {
    return with(writer_, true, [](SqlConnection& connection) { connection.tidy_up(); });
}

Stored<void> SqlLedger::warm_up() {
    return with(writer_, true, [&](SqlConnection& connection) {
        auto slices = std::exchange(slice_cache_, SliceCache());
        const SqlView view(connection);
        SqlJournal(connection, settings_.instance, settings_.slice_s, &slices).keep_slices();
        slice_cache_ = std::move(slices);
    });
}

void SqlLedger::apply_delta(SqlConnection& connection, const TallyDelta& delta, SliceCache& slices,
                            const std::function<void()>& step) const {
    const auto instance = settings_.instance;
    const auto stands = find_fold_point(connection, instance);
    if (stands ? *stands != delta.before : delta.before.log.position != 0) {
        throw SqlError("it does not stand where this delta begins");
    }
    add_names(connection, instance, delta);
    step();
    add_slices(connection, instance, delta);
    step();
    add_workers(connection, instance, delta);
    step();
    // The facts may look at slices, and the cache of these goes by the points reached.
    set_fold_point(connection, instance, delta.after);
    step();
    if (!delta.facts.empty()) {
        SqlJournal journal(connection, instance, settings_.slice_s, &slices);
        ledger::Bookkeeper bookkeeper(journal);
        for (const auto& fact : delta.facts) {
            bookkeeper.apply(fact);
            step();
        }
        journal.finish();
        step();
    }
    if (delta.after.slice.start_s != delta.before.slice.start_s) {
        forget_worker_slices(connection, instance,
                             delta.after.slice.start_s - settings_.keep_worker_slices_s);
        SqlJournal(connection, instance, settings_.slice_s, &slices).keep_slices();
    }
    step();
}

Stored<Sum> SqlLedger::account_work_since(share::AccountId account, std::int64_t start_s) {
    return ask([&](SqlConnection& connection) {
        static const auto kSql =
            fmt::format("{} slices WHERE start >= $1 AND instance = $2 AND account = $3", kTotals);
        auto row = connection.prepare(kSql);
        return one_sum(row.bind(start_s).bind(settings_.instance).bind(account));
    });
}

Stored<Sum> SqlLedger::worker_work_since(share::WorkerId worker, std::int64_t start_s) {
    return ask([&](SqlConnection& connection) {
        static const auto kSql = fmt::format(
            "{} worker_slices WHERE start >= $1 AND instance = $2 AND worker = $3", kTotals);
        auto row = connection.prepare(kSql);
        return one_sum(row.bind(start_s).bind(settings_.instance).bind(worker));
    });
}

Stored<Sum> SqlLedger::pool_work_since(std::int64_t start_s) {
    return ask([&](SqlConnection& connection) {
        static const auto kSql =
            fmt::format("{} slices WHERE start >= $1 AND instance = $2", kTotals);
        auto row = connection.prepare(kSql);
        return one_sum(row.bind(start_s).bind(settings_.instance));
    });
}

Stored<std::vector<ledger::SliceRow>> SqlLedger::slices(std::int64_t from_s, std::int64_t to_s) {
    return ask([&](SqlConnection& connection) {
        auto row = connection.prepare(
            "SELECT start, sequence, account, work, shares, uncredited FROM slices "
            "WHERE start >= $1 AND start < $2 AND instance = $3 ORDER BY start, sequence, account");
        row.bind(from_s).bind(to_s).bind(settings_.instance);
        std::vector<ledger::SliceRow> rows;
        while (row.step()) {
            RowReader from(row);
            auto& slice = rows.emplace_back();
            slice.slice = from.slice();
            slice.account = from.integer<share::AccountId>();
            slice.sum = from.sum();
        }
        return rows;
    });
}

Stored<std::vector<ledger::TotalRow>> SqlLedger::worker_totals() {
    return ask([&](SqlConnection& connection) {
        auto row = connection.prepare(
            "SELECT worker, work, shares, uncredited FROM worker_totals WHERE instance = $1 "
            "ORDER BY worker");
        row.bind(settings_.instance);
        std::vector<ledger::TotalRow> rows;
        while (row.step()) {
            RowReader from(row);
            auto& total = rows.emplace_back();
            total.id = from.integer<std::uint32_t>();
            total.sum = from.sum();
        }
        return rows;
    });
}

Stored<std::vector<ledger::FoundBlock>> SqlLedger::blocks() {
    return ask([&](SqlConnection& connection) {
        static const auto kSql = fmt::format(
            "SELECT {} FROM blocks WHERE instance = $1 "
            "ORDER BY position, slice_start, slice_sequence",
            kBlockColumns);
        auto row = connection.prepare(kSql);
        row.bind(settings_.instance);
        std::vector<ledger::FoundBlock> rows;
        while (row.step())
            rows.push_back(read_block(row).found);
        return rows;
    });
}

Stored<std::vector<share::AccountRecord>> SqlLedger::accounts() {
    return ask([&](SqlConnection& connection) {
        auto row =
            connection.prepare("SELECT id, name FROM accounts WHERE instance = $1 ORDER BY id");
        row.bind(settings_.instance);
        std::vector<share::AccountRecord> rows;
        while (row.step()) {
            RowReader from(row);
            auto& account = rows.emplace_back();
            account.id = from.integer<share::AccountId>();
            account.name = from.text();
        }
        return rows;
    });
}

Stored<std::vector<share::WorkerRecord>> SqlLedger::workers() {
    return ask([&](SqlConnection& connection) {
        auto row = connection.prepare(
            "SELECT id, account, name FROM workers WHERE instance = $1 ORDER BY id");
        row.bind(settings_.instance);
        std::vector<share::WorkerRecord> rows;
        while (row.step()) {
            RowReader from(row);
            auto& worker = rows.emplace_back();
            worker.id = from.integer<share::WorkerId>();
            worker.account = from.integer<share::AccountId>();
            worker.name = from.text();
        }
        return rows;
    });
}

}  // namespace adit::store
