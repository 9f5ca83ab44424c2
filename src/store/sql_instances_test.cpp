// Three logs of three instances in one ledger, with blocks in each: the money is conserved, nothing
// moves twice, and who gets what does not depend on the order in which the logs were folded.
#include "ledger/random_history_testing.h"
#include "store/all_rows_testing.h"
#include "store/sql_ledger_testing.h"

#include <ranges>

namespace adit::store {
namespace {

using ledger::testing::RandomLog;
using testing::all_rows;
using testing::rows_of;

constexpr ledger::InstanceId kInstances = 3;

// One database with the ledgers of all instances on it.
class SharedLedger {
 public:
    explicit SharedLedger(SqlDialect dialect, const std::vector<RandomLog>& logs)
        : database_(dialect) {
        for (ledger::InstanceId instance = 0; instance < kInstances; ++instance) {
            SqlLedgerSettings settings;
            settings.database = database_.name();
            settings.instance = instance;
            auto opened = SqlLedger::open(settings);
            if (!opened) throw std::runtime_error(opened.error());
            ledgers_.push_back(std::move(*opened));
            stands_.push_back(logs[instance].start());
        }
    }
    // The next batches of a log, at most so many. False: there are none.
    bool fold(const std::vector<RandomLog>& logs, ledger::InstanceId instance, std::size_t most) {
        const auto& log = logs[instance];
        auto& stands = stands_[instance];
        if (stands == log.end()) return false;
        const auto until = std::min(log.batches(), log.batches_before(stands) + most);
        const auto delta = log.piece(stands, until);
        const auto applied = ledgers_[instance]->apply(delta);
        EXPECT_TRUE(applied) << applied.error();
        // A second time it does not fit.
        EXPECT_FALSE(ledgers_[instance]->apply(delta));
        EXPECT_EQ(reader().total_of_all().value(), ledger::Balance{});
        stands = delta.after;
        return true;
    }
    SqlLedger& reader() { return *ledgers_[0]; }
    SqlLedger& of(ledger::InstanceId instance) { return *ledgers_[instance]; }

 private:
    testing::EmptyDatabase database_;
    std::vector<std::unique_ptr<SqlLedger>> ledgers_;
    std::vector<ledger::FoldPoint> stands_;
};

// Fee and parts of every block that was ever credited are its reward, no more and no less.
void expect_whole_rewards(SqlLedger& ledger) {
    for (const auto& block : rows_of(ledger.block_rows())) {
        auto sum = block.settlement.fee;
        for (const auto& part : rows_of(ledger.split_of(block.found.block.hash)))
            sum += part.part;
        EXPECT_EQ(sum, block.reward);
    }
}

// All work of one slice.
struct PlainSlice {
    chain::Work total = 0;
    std::map<std::string, chain::Work> work;
};
using PlainSlices = std::map<ledger::SliceRef, PlainSlice>;

PlainSlices plain_slices(SharedLedger& shared) {
    PlainSlices slices;
    for (ledger::InstanceId instance = 0; instance < kInstances; ++instance) {
        auto& ledger = shared.of(instance);
        std::map<share::AccountId, std::string> names;
        for (const auto& account : rows_of(ledger.accounts()))
            names[account.id] = account.name;
        for (const auto& row : rows_of(ledger.slices(0, std::numeric_limits<int>::max()))) {
            auto& slice = slices[{row.slice, instance}];
            slice.total += row.sum.work;
            slice.work[names.at(row.account)] += row.sum.work;
        }
    }
    return slices;
}

// The window of a block, once more and as plainly as can be: its own instance's work up to it and
// what the others had finished by its time, from the newest down. The oldest slice is cut; what
// each account has of that is within it.
void expect_plain_window(SqlLedger& ledger, const ledger::BlockRow& block,
                         const PlainSlices& slices,
                         const std::map<ledger::SliceRef, std::int64_t>& closed) {
    std::map<std::string, chain::Work> whole, cut;
    chain::Work counted = 0;
    for (const auto& [ref, slice] : std::views::reverse(slices)) {
        const auto own = ref.instance == block.instance;
        const auto end = closed.find(ref);
        const auto ended =
            (ref.slice.start_s + ledger::testing::kSliceSeconds) * 1'000 <= block.found.time_ms ||
            (end != closed.end() && end->second <= block.found.time_ms);
        if (own ? ref.slice > block.found.slice : !ended) continue;
        if (counted + slice.total > block.settlement.wanted) {
            if (counted < block.settlement.wanted) cut = slice.work;
            counted = block.settlement.wanted;
            break;
        }
        counted += slice.total;
        for (const auto& [who, work] : slice.work)
            whole[who] += work;
    }
    EXPECT_EQ(block.settlement.counted, counted);
    chain::Work sum = 0;
    for (const auto& part : rows_of(ledger.split_of(block.found.block.hash))) {
        if (counted == 0) continue;
        sum += part.work;
        EXPECT_GE(part.work, whole[part.account]);
        EXPECT_LE(part.work, whole[part.account] + cut[part.account]);
    }
    EXPECT_EQ(sum, counted);
}

void expect_plain_windows(SharedLedger& shared) {
    auto& ledger = shared.reader();
    const auto slices = plain_slices(shared);
    const auto blocks = ledger.block_rows().value();
    const auto rules = ledger.rules_rows().value();
    std::map<ledger::SliceRef, std::int64_t> closed;
    for (const auto& block : blocks)
        closed[{block.found.slice, block.instance}] = block.found.time_ms;
    for (const auto& block : blocks) {
        const auto scheme = rules.at(block.rules - 1).rules.scheme;
        if (block.reward.is_zero() || scheme != share::RewardScheme::pplns) continue;
        expect_plain_window(ledger, block, slices, closed);
    }
}

class SqlInstancesTest : public ::testing::TestWithParam<SqlDialect> {
 protected:
    void begin(std::uint64_t seed) {
        random_.seed(seed);
        logs_.clear();
        for (ledger::InstanceId instance = 0; instance < kInstances; ++instance)
            logs_.emplace_back(seed, instance);
        in_order_ = std::make_unique<SharedLedger>(GetParam(), logs_);
        mixed_ = std::make_unique<SharedLedger>(GetParam(), logs_);
        // The rules come first.
        for (ledger::InstanceId instance = 0; instance < kInstances; ++instance) {
            in_order_->fold(logs_, instance, 1);
            mixed_->fold(logs_, instance, 1);
        }
    }
    // Everybody works and finds blocks. The round of an orphaned block may wait for "the next
    // block that is found", which is the one that is folded next: then only one is.
    void work() {
        bool waits = false;
        for (const auto& block : rows_of(in_order_->reader().block_rows()))
            waits = waits || block.round_moved_to == ledger::kNextRound;
        std::int64_t now_ms = 0;
        for (auto& log : logs_) {
            for (auto batches = 1 + random_() % 4; batches > 0; --batches) {
                const bool finds = random_() % 3 == 0 && (!waits || &log == logs_.data());
                log.grow_work(finds);
                if (finds && waits) break;
            }
            now_ms = std::max(now_ms, log.time_ms());
        }
        // What any of them records from now on is later than all blocks so far.
        for (auto& log : logs_)
            log.wait_until(now_ms + 1'000 * ledger::testing::kSliceSeconds);
    }
    void fold_everything() {
        for (ledger::InstanceId instance = 0; instance < kInstances; ++instance) {
            while (in_order_->fold(logs_, instance, 100)) {
            }
        }
        // Others first, and by pieces.
        std::vector<ledger::InstanceId> open{2, 1, 0};
        while (!open.empty()) {
            const auto at = random_() % open.size();
            if (!mixed_->fold(logs_, open[at], 1 + random_() % 2)) {
                open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
            }
        }
    }
    // The first instance decides what became of blocks and payouts, and the others say so too.
    void decide() {
        for (int facts = 0; facts < 6; ++facts) {
            const auto refused = in_order_->reader().refused().value().size();
            logs_[0].grow_fact(in_order_->reader());
            in_order_->fold(logs_, 0, 100);
            const bool took_effect = in_order_->reader().refused().value().size() == refused;
            if (!took_effect || random_() % 4 != 0) continue;
            const auto before = in_order_->reader().balances().value();
            const auto echo = 1 + random_() % (kInstances - 1);
            logs_[echo].grow_record(logs_[0].told().back());
            in_order_->fold(logs_, static_cast<ledger::InstanceId>(echo), 100);
            EXPECT_EQ(in_order_->reader().balances().value(), before);
        }
        if (random_() % 3 == 0) logs_[0].grow_rules();
        mixed_->fold(logs_, 0, 100);
    }

    std::mt19937_64 random_;
    std::vector<RandomLog> logs_;
    std::unique_ptr<SharedLedger> in_order_, mixed_;
};
INSTANTIATE_TEST_SUITE_P(On, SqlInstancesTest,
                         ::testing::Values(SqlDialect::sqlite, SqlDialect::postgres),
                         testing::dialect_name);

TEST_P(SqlInstancesTest, GivesTheSameWhicheverLogIsFoldedFirst) {
    int credited = 0, mixed_windows = 0, orphaned = 0;
    constexpr std::uint64_t kHistories = testing::kSanitized ? 1 : 4;
    for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        begin(seed);
        for (int phase = 0; phase < 20; ++phase) {
            work();
            fold_everything();
            decide();
            fold_everything();
            auto a = all_rows(in_order_->reader());
            auto b = all_rows(mixed_->reader());
            // An echo may come when the ledger is past it: then it is noted as out of order.
            a.refused.clear();
            b.refused.clear();
            ASSERT_EQ(testing::difference(a, b), "") << "phase " << phase;
        }
        expect_whole_rewards(in_order_->reader());
        expect_plain_windows(*in_order_);
        for (const auto& block : rows_of(in_order_->reader().block_rows())) {
            credited += block.credited;
            orphaned += block.state == ledger::BlockState::orphaned;
            mixed_windows +=
                block.settlement.oldest.instance != block.instance && block.settlement.counted != 0;
        }
    }
    EXPECT_GE(credited, 10);
    EXPECT_GE(orphaned, 2);
    EXPECT_GE(mixed_windows, 3) << "windows that reach into another instance's slices";
}

}  // namespace
}  // namespace adit::store
