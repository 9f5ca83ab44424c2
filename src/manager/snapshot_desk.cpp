#include "manager/snapshot_desk.h"

namespace adit::manager {
namespace {

using ledger::BlockState;
using share::SnapshotRecord;

// So far below a tip an own block may lie that the ledger has not heard of yet.
constexpr std::int32_t kRecentBlocks = 12;
constexpr int kTickMs = 250;

// The same apart from its number and its time.
bool same_content(const SnapshotRecord& a, const SnapshotRecord& b) {
    auto like_b = a;
    like_b.id = b.id;
    like_b.at_wall_ms = b.at_wall_ms;
    return like_b == b;
}

// Heights at which own blocks may be on the branch or not: all that are not at rest.
std::set<std::int32_t> open_heights(const std::vector<ledger::BlockRow>& rows, std::int32_t tip) {
    std::set<std::int32_t> heights;
    for (auto height = std::max(1, tip - kRecentBlocks + 1); height <= tip; ++height)
        heights.insert(height);
    // Newest first: below a mature block that is on the branch nothing of its age changes.
    std::int32_t resting = 0;
    for (const auto& row : rows) {
        if (row.state == BlockState::mature) {
            resting = std::max(resting, row.found.block.height);
        }
    }
    for (const auto& row : rows) {
        const auto height = row.found.block.height;
        const bool rests = row.state == BlockState::mature || row.state == BlockState::orphaned;
        if (height <= tip && (!rests || height >= resting)) heights.insert(height);
    }
    return heights;
}

}  // namespace

SnapshotDesk::SnapshotDesk(SnapshotSettings settings, Parts parts, metrics::Registry& registry,
                           const base::Clock& clock, base::Logger& logger)
    : settings_(std::move(settings)),
      parts_(std::move(parts)),
      registry_(registry),
      clock_(clock),
      logger_(logger),
      taken_(registry.counter("adit_payout_snapshots_total",
                              "Payout snapshots that jobs were made by.")),
      waits_(registry.counter("adit_payout_snapshot_waits_total",
                              "Times that a payout snapshot could not be taken yet.")) {
    set_nodes(settings_.nodes);
}

SnapshotDesk::~SnapshotDesk() {
    stop();
}

void SnapshotDesk::start() {
    thread_ = std::thread([this] { run(); });
}

void SnapshotDesk::stop() {
    std::shared_ptr<node::BranchAsker> asked;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        asked = asker_;
        wake_.notify_all();
    }
    if (!thread_.joinable()) return;
    asked->cancel();
    thread_.join();
}

void SnapshotDesk::on_template(const job::BlockTemplate& source) {
    const Tip tip{source.previous, source.height - 1, source.bits};
    const std::lock_guard lock(mutex_);
    if (tip_ == tip) return;
    tip_ = tip;
    is_new_ = true;
    wake_.notify_all();
}

void SnapshotDesk::set_nodes(std::vector<node::NodeSettings> nodes) {
    auto asker = std::make_shared<node::BranchAsker>(settings_.network, nodes, registry_);
    const std::lock_guard lock(mutex_);
    asker_ = std::move(asker);
}

std::shared_ptr<node::BranchAsker> SnapshotDesk::asker() {
    const std::lock_guard lock(mutex_);
    return asker_;
}

void SnapshotDesk::run() {
    std::int64_t next_ms = 0;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (!tip_ || (!is_new_ && clock_.steady_ms() < next_ms)) {
            wake_.wait_for(lock, std::chrono::milliseconds(kTickMs));
            continue;
        }
        is_new_ = false;
        const auto tip = *tip_;
        lock.unlock();
        const auto pause_ms = work_on(tip);
        next_ms = clock_.steady_ms() + pause_ms;
        lock.lock();
    }
}

int SnapshotDesk::work_on(const Tip& tip) {
    const auto complain = [&](const std::string& why) {
        waits_.add();
        if (last_ && clock_.steady_ms() - last_ms_ > settings_.old_ms) {
            logger_.error("payout", "no payout snapshot for too long: coinbases pay the pool alone",
                          {{"why", why}});
            last_.reset();
            parts_.take(nullptr);
        } else if (why != complaint_) {
            logger_.debug("payout", "a payout snapshot has to wait", {{"why", why}});
        }
        complaint_ = why;
        return settings_.retry_ms;
    };
    const auto drafted = draft(tip);
    if (!drafted) return complain(drafted.error());
    const auto& wanted = *drafted;
    if (!wanted) {
        if (last_) parts_.take(nullptr);
        last_.reset();
        return settings_.empty_ms;
    }
    if (!last_ || !same_content(*last_, *wanted)) {
        const auto snapshot = record(*wanted);
        if (!snapshot) return complain(snapshot.error());
        last_ = *wanted;
        taken_.add();
        parts_.take(*snapshot);
    }
    last_ms_ = clock_.steady_ms();
    complaint_.clear();
    return settings_.refresh_ms;
}

ledger::Stored<std::optional<SnapshotRecord>> SnapshotDesk::draft(const Tip& tip) {
    if (!parts_.is_folded()) return std::unexpected("the ledger has not folded the log yet");
    const auto view = parts_.ledger.snapshot();
    if (!view) return std::unexpected(view.error());
    auto& ledger = **view;
    const auto rules = ledger.rules_rows();
    if (!rules) return std::unexpected(rules.error());
    if (rules->empty()) return std::unexpected("the reward rules are not in the ledger yet");
    const auto& rule = rules->back().rules;
    if (rule.mode != share::PayoutMode::coinbase || rule.scheme != share::RewardScheme::pplns) {
        return std::nullopt;
    }
    const auto point = ledger.fold_point();
    if (!point) return std::unexpected(point.error());
    if (!*point) return std::nullopt;
    const auto rows = ledger.block_rows();
    if (!rows) return std::unexpected(rows.error());
    const auto off = off_branch(ledger, *rows, tip);
    if (!off) return std::unexpected(off.error());

    ledger::Window window;
    ledger::SnapshotWish wish{0, tip.hash, settings_.max_outputs, settings_.dust, clock_.wall_ms()};
    const auto looked = ledger.look([&](ledger::Journal& journal) {
        const ledger::Moment now{journal.instance(), (*point)->slice, (*point)->time_ms};
        window = pplns_window(journal, now,
                              ledger::window_length(tip.next_bits, rule.pplns_factor_milli), "");
        wish.id = journal.last_snapshot(journal.instance()) + 1;
    });
    if (!looked) return std::unexpected(looked.error());
    if (window.counted == 0) return std::nullopt;
    const auto balances = ledger.balances();
    if (!balances) return std::unexpected(balances.error());
    const auto accounts = ledger.accounts();
    if (!accounts) return std::unexpected(accounts.error());
    return build_snapshot(wish, rule.fee_ppm, window, *balances, *off, *accounts);
}

ledger::Stored<ledger::OffBranch> SnapshotDesk::off_branch(store::SqlLedger& view, const Rows& rows,
                                                           const Tip& tip) {
    const auto heights = open_heights(rows, tip.height);
    const auto branch = asker()->hashes(tip.hash, heights);
    if (!branch) return std::unexpected(branch.error());
    std::set<chain::Hash256> recorded;
    for (const auto& row : rows) {
        recorded.insert(row.found.block.hash);
        const auto at = branch->find(row.found.block.height);
        // The watch has not seen yet that it has left the chain, and perhaps older ones with it.
        if (row.state == BlockState::mature && at != branch->end() &&
            at->second != row.found.block.hash) {
            return std::unexpected(fmt::format("block {} counts as mature on another branch",
                                               row.found.block.hash.rpc_hex()));
        }
    }
    for (const auto& [height, hash] : *branch) {
        if (parts_.knows(hash) && !recorded.contains(hash)) {
            parts_.hurry();
            return std::unexpected(fmt::format("block {} is not in the log yet", hash.rpc_hex()));
        }
    }
    auto off = ledger::off_branch(view, rows, [&](const ledger::BlockRow& row) {
        const auto at = branch->find(row.found.block.height);
        const bool is_on = at == branch->end() ? row.state == BlockState::mature
                                               : at->second == row.found.block.hash;
        return is_on ? ledger::Standing::on_branch : ledger::Standing::off_branch;
    });
    if (!off) parts_.hurry();
    return off;
}

ledger::Stored<job::PayoutSnapshotRef> SnapshotDesk::record(const SnapshotRecord& record) {
    if (const auto recorded = parts_.sink.record(record); !recorded) {
        return std::unexpected(recorded.error());
    }
    ledger::NamedSnapshot named;
    bool is_there = false;
    const auto looked = parts_.ledger.look([&](ledger::Journal& journal) {
        is_there = journal.snapshot(journal.instance(), record.id) == record;
        named = ledger::named_snapshot(record, [&](share::AccountId id) {
            return journal.account_name(journal.instance(), id);
        });
    });
    if (!looked) return std::unexpected(looked.error());
    if (!is_there) {
        return std::unexpected(fmt::format("the ledger refused snapshot {}", record.id));
    }
    std::int64_t dues_sat = 0;
    for (const auto& entry : record.entries)
        dues_sat += std::max<std::int64_t>(0, entry.due_sat);
    logger_.info("payout", "coinbases pay by a new snapshot",
                 {{"snapshot", record.id},
                  {"previous", record.previous.rpc_hex()},
                  {"accounts", record.entries.size()},
                  {"dues_sat", dues_sat}});
    return std::make_shared<const job::PayoutSnapshot>(std::move(named.payout));
}

}  // namespace adit::manager
