// Random histories, played to the ledger and to a model written as plainly as can be: it keeps all
// work in one list, knows no windows, slices or phases, and works every balance out anew from the
// whole story. It shares no code with the ledger, and both must agree to the satoshi.
#include "ledger/books_testing.h"

#include <boost/multiprecision/cpp_int.hpp>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace adit::ledger {
namespace {

using boost::multiprecision::cpp_int;
using share::BlockFact;
using share::PayoutFact;
using share::RewardScheme;
using testing::Books;
using testing::hash_of;
using testing::kStart;

const std::vector<std::string> kNames{"dora", "alf", "cem", "bea", "eve"};

struct Sums {
    std::int64_t posted = 0, pending = 0, reserved = 0;
    friend bool operator==(const Sums&, const Sums&) = default;
};

struct ModelWork {
    int stretch = 0;  // which slice, counted through
    std::string who;
    cpp_int amount;
};

struct ModelBlock {
    int stretch = 0;  // the slice that it closed
    std::string finder;
    RewardScheme scheme{};
    int fee_ppm = 0, factor_milli = 0;
    std::string state = "found";
    bool credited = false, posted = false, ever = false;
    std::int64_t reward = 0, fee = 0;
    std::map<std::string, std::int64_t> parts;
    int moved_to = -1;  // block whose round holds this one's work; -2: the next one
};

struct ModelPayout {
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> payees;  // debit, output
    std::string state = "open";
    std::map<int, std::int64_t> fees;  // by transaction
    int paid_by = 0;
};

class Model {
 public:
    std::vector<ModelWork> work;
    std::vector<ModelBlock> blocks;
    std::vector<ModelPayout> payouts;
    RewardScheme scheme = RewardScheme::pplns;
    int fee_ppm = 10'000, factor_milli = 2'000;

    void find(int stretch, const std::string& finder) {
        ModelBlock block{stretch, finder, scheme, fee_ppm, factor_milli, "found", false,
                         false,   false,  0,      0,       {},           -1};
        blocks.push_back(block);
        if (scheme != RewardScheme::prop) return;
        for (auto& other : blocks) {
            if (other.moved_to == -2) other.moved_to = static_cast<int>(blocks.size()) - 1;
        }
    }
    void confirm(std::size_t i, std::int64_t reward) {
        auto& block = blocks[i];
        if (!block.ever) {
            block.ever = true;
            block.reward = reward;
            block.fee = static_cast<std::int64_t>(cpp_int(reward) * block.fee_ppm / 1'000'000);
            share_out(block, weights_of(i));
        }
        block.credited = true;
        block.state = "confirmed";
        give_back(i);
    }
    void orphan(std::size_t i) {
        auto& block = blocks[i];
        block.credited = block.posted = false;
        block.state = "orphaned";
        if (block.scheme != RewardScheme::prop || block.moved_to != -1) return;
        block.moved_to = -2;
        for (std::size_t next = i + 1; next < blocks.size(); ++next) {
            const auto& other = blocks[next];
            if (other.ever || other.state == "orphaned") continue;
            if (other.scheme != RewardScheme::prop) continue;
            block.moved_to = static_cast<int>(next);
            return;
        }
    }
    std::map<std::string, Sums> balances() const {
        std::map<std::string, Sums> all;
        for (const auto& block : blocks) {
            if (!block.credited) continue;
            auto parts = block.parts;
            parts[":fee"] += block.fee;
            parts[":reward"] -= block.reward;
            for (const auto& [who, part] : parts)
                (block.posted ? all[who].posted : all[who].pending) += part;
        }
        for (const auto& payout : payouts) {
            if (payout.state == "cancelled") continue;
            const bool paid = payout.state == "confirmed";
            const auto move = [&](const std::string& who, std::int64_t sat) {
                (paid ? all[who].posted : all[who].reserved) += sat;
            };
            for (const auto& [who, sums] : payout.payees) {
                move(who, -sums.first);
                move(":sent", sums.second);
                move(":network-fee", sums.first - sums.second);
            }
            if (!paid) continue;
            all[":network-fee"].posted -= payout.fees.at(payout.paid_by);
            all[":miners-fee"].posted += payout.fees.at(payout.paid_by);
        }
        std::erase_if(all, [](const auto& entry) { return entry.second == Sums{}; });
        return all;
    }

 private:
    // The work that counts for a block, account by account.
    std::map<std::string, cpp_int> weights_of(std::size_t i) const {
        const auto& block = blocks[i];
        std::map<std::string, cpp_int> weights;
        if (block.scheme == RewardScheme::pplns) {
            // 2^272 / (target + 1) for the easiest target of regtest.
            const cpp_int target = cpp_int(0x7fffff) << (8 * (0x20 - 3));
            cpp_int left = (cpp_int(1) << 272) / (target + 1) * block.factor_milli / 1'000;
            for (int stretch = block.stretch; stretch >= 0 && left > 0; --stretch)
                take(stretch, left, weights);
        } else if (block.scheme == RewardScheme::prop) {
            std::vector<std::size_t> rounds{i};
            for (std::size_t at = 0; at < rounds.size(); ++at) {
                for (std::size_t other = 0; other < blocks.size(); ++other) {
                    if (blocks[other].moved_to == static_cast<int>(rounds[at]))
                        rounds.push_back(other);
                }
            }
            for (const auto round : rounds) {
                const int from = round == 0 ? -1 : blocks[round - 1].stretch;
                for (const auto& done : work) {
                    if (done.stretch > from && done.stretch <= blocks[round].stretch)
                        weights[done.who] += done.amount;
                }
            }
        }
        return weights;
    }
    void take(int stretch, cpp_int& left, std::map<std::string, cpp_int>& weights) const {
        std::map<std::string, cpp_int> slice;
        cpp_int total = 0;
        for (const auto& done : work) {
            if (done.stretch != stretch) continue;
            slice[done.who] += done.amount;
            total += done.amount;
        }
        if (total <= left) {
            for (const auto& [who, amount] : slice)
                weights[who] += amount;
            left -= total;
            return;
        }
        cpp_int rest = left;
        for (auto& [who, amount] : slice) {
            amount = amount * left / total;
            rest -= amount;
        }
        for (auto& [who, amount] : slice) {
            if (rest > 0) {
                amount += 1;
                rest -= 1;
            }
            weights[who] += amount;
        }
        left = 0;
    }
    static void share_out(ModelBlock& block, const std::map<std::string, cpp_int>& weights) {
        const auto whole = block.reward - block.fee;
        cpp_int total = 0;
        for (const auto& [who, weight] : weights)
            total += weight;
        if (total == 0) {
            block.parts[block.finder] = whole;
            return;
        }
        auto left = whole;
        for (const auto& [who, weight] : weights) {
            const auto part = static_cast<std::int64_t>(cpp_int(whole) * weight / total);
            block.parts[who] = part;
            left -= part;
        }
        for (const auto& [who, weight] : weights) {
            if (left == 0) break;
            if (weight == 0) continue;
            block.parts[who] += 1;
            left -= 1;
        }
    }
    // A block that comes back has its round again, unless it was paid for elsewhere.
    void give_back(std::size_t i) {
        for (int at = blocks[i].moved_to; at >= 0;
             at = blocks[static_cast<std::size_t>(at)].moved_to) {
            if (blocks[static_cast<std::size_t>(at)].credited) return;
        }
        blocks[i].moved_to = -1;
    }
};

// One random history on both sides.
class History {
 public:
    explicit History(std::uint64_t seed) : random_(seed), books_(kNames) {}

    void step() {
        switch (below(12)) {
            case 0:
                return change_rules();
            case 1:
                return find_block();
            case 2:
            case 3:
            case 4:
            case 5:
                return tell_of_block();
            case 6:
                return pay();
            case 7:
            case 8:
                return tell_of_payout();
            default:
                return do_work();
        }
    }
    ::testing::AssertionResult agrees() {
        std::map<std::string, Sums> found;
        const auto rows = books_.journal.balances();
        for (const auto& [account, balance] : *rows) {
            const Sums sums{balance.posted.sat(), balance.pending.sat(), balance.reserved.sat()};
            if (sums != Sums{}) found[account] = sums;
        }
        if (!books_.journal.total().is_zero()) return ::testing::AssertionFailure() << "sums";
        const auto expected = model_.balances();
        if (found == expected) return ::testing::AssertionSuccess();
        auto failure = ::testing::AssertionFailure();
        for (const auto& [who, sums] : expected)
            failure << who << " " << sums.posted << " " << sums.pending << " " << sums.reserved
                    << " but " << found[who].posted << " " << found[who].pending << " "
                    << found[who].reserved << "\n";
        return failure;
    }

    // A history in which little happened would prove little.
    void expect_eventful() const {
        int posted = 0, orphaned = 0, moved = 0, paid = 0;
        for (const auto& block : model_.blocks) {
            posted += block.posted;
            orphaned += block.state == "orphaned" && block.ever;
            moved += block.moved_to != -1;
        }
        for (const auto& payout : model_.payouts)
            paid += payout.state == "confirmed";
        EXPECT_GT(posted, 10);
        EXPECT_GT(orphaned, 3);
        EXPECT_GT(moved, 3);
        EXPECT_GT(paid, 3);
    }

 private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    SliceKey slice() const { return {kStart + stretch_ * 600, 0}; }

    void change_rules() {
        share::RulesRecord rules;
        rules.scheme = static_cast<RewardScheme>(below(3));
        rules.fee_ppm = static_cast<std::uint32_t>(below(50'000));
        rules.pplns_factor_milli = 1 + static_cast<std::uint32_t>(below(4'000));
        books_.apply(rules);
        model_.scheme = rules.scheme;
        model_.fee_ppm = static_cast<int>(rules.fee_ppm);
        model_.factor_milli = static_cast<int>(rules.pplns_factor_milli);
    }
    void do_work() {
        const auto account = static_cast<share::AccountId>(1 + below(kNames.size()));
        const auto amount = 1 + below(60'000);
        books_.work(slice(), account, amount);
        model_.work.push_back({stretch_, kNames[account - 1], amount});
        if (below(4) == 0) ++stretch_;
    }
    void find_block() {
        const auto finder = static_cast<share::AccountId>(1 + below(kNames.size()));
        const auto number = static_cast<std::uint32_t>(model_.blocks.size() + 1);
        const auto block = books_.found(number, slice(), finder);
        ASSERT_EQ(books_.apply(block), std::nullopt);
        if (below(3) == 0) {
            ASSERT_EQ(books_.apply(block), FactRefusal::repeated);
        }
        model_.find(stretch_, kNames[finder - 1]);
        transitions_.push_back(0);
        ++stretch_;
    }
    void tell_of_block() {
        if (model_.blocks.empty()) return;
        const auto i = below(model_.blocks.size());
        auto& block = model_.blocks[i];
        const auto number = static_cast<std::uint32_t>(i + 1);
        const auto fact = static_cast<BlockFact>(1 + below(4));
        const auto reward =
            block.ever ? block.reward : static_cast<std::int64_t>(1 + below(5'000'000'000));
        const auto refusal = books_.chain_says(number, transitions_[i] + 1, fact, reward);
        if (refusal) return;  // the tables say which; the model only follows what was taken
        ++transitions_[i];
        if (below(3) == 0) {
            ASSERT_EQ(books_.chain_says(number, transitions_[i], fact, reward),
                      FactRefusal::repeated);
        }
        if (fact == BlockFact::confirmed) model_.confirm(i, reward);
        if (fact == BlockFact::contested) block.state = "contested";
        if (fact == BlockFact::mature) block.posted = true;
        if (fact == BlockFact::orphaned) model_.orphan(i);
    }
    void pay() {
        share::PayoutIntentRecord intent;
        intent.payout = model_.payouts.size() + 1;
        intent.at_wall_ms = static_cast<std::int64_t>(intent.payout);
        ModelPayout payout;
        const auto balances = model_.balances();
        for (const auto& name : kNames) {
            const auto at = balances.find(name);
            if (at == balances.end() || below(2) == 0) continue;
            const auto available = at->second.posted + at->second.reserved;
            if (available <= 0) continue;
            const auto debit =
                1 + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(available)));
            const auto output =
                1 + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(debit)));
            intent.payees.push_back({name, {0x51}, debit, output});
            payout.payees[name] = {debit, output};
        }
        if (intent.payees.empty()) return;
        ASSERT_EQ(books_.apply(intent), std::nullopt);
        model_.payouts.push_back(payout);
        payout_transitions_.push_back(0);
    }
    void tell_of_payout() {
        if (model_.payouts.empty()) return;
        const auto i = below(model_.payouts.size());
        auto& payout = model_.payouts[i];
        if (below(2) == 0) {
            const auto txid = ++transactions_;
            const auto fee = static_cast<std::int64_t>(below(1'000));
            const auto attempt = static_cast<std::uint32_t>(payout.fees.size() + 1);
            if (!books_.signs(i + 1, attempt, static_cast<std::uint32_t>(txid), fee)) {
                payout.fees[txid] = fee;
            }
            return;
        }
        const auto fact = static_cast<PayoutFact>(1 + below(7));
        auto txid = payout.paid_by;
        if (fact == PayoutFact::confirmed && !payout.fees.empty())
            txid = payout.fees.begin()->first;
        const auto refusal = books_.payout_is(i + 1, payout_transitions_[i] + 1, fact,
                                              static_cast<std::uint32_t>(txid));
        if (refusal) return;
        ++payout_transitions_[i];
        if (fact == PayoutFact::confirmed) {
            payout.state = "confirmed";
            payout.paid_by = txid;
        }
        if (fact == PayoutFact::unconfirmed) payout.state = "open";
        if (fact == PayoutFact::cancelled) payout.state = "cancelled";
    }

    std::mt19937_64 random_;
    Books books_;
    Model model_;
    int stretch_ = 0;
    int transactions_ = 0;
    std::vector<std::uint32_t> transitions_, payout_transitions_;
};

class SlowModel : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SlowModel, AgreesToTheSatoshiWithEveryStepOfAHistory) {
    History history(GetParam());
    for (int step = 0; step < 3'000; ++step) {
        history.step();
        ASSERT_TRUE(history.agrees()) << "step " << step;
    }
    history.expect_eventful();
}

INSTANTIATE_TEST_SUITE_P(Seeds, SlowModel, ::testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace adit::ledger
