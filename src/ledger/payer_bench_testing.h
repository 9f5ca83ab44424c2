// A payer between a ledger in memory and a chain in memory, which can die at any call and be
// followed by another. Tests only.
#pragma once

#include "chain/address.h"
#include "ledger/books_testing.h"
#include "ledger/payer.h"
#include "ledger/payer_testing.h"

namespace adit::ledger::testing {

inline std::string address_of(const base::Bytes& script) {
    return *chain::address_of_script(script, chain::params(chain::Network::regtest));
}

// Takes facts straight into the books.
class BooksSink final : public FactSink {
 public:
    explicit BooksSink(Books& books) : books_(books) {}

    Stored<void> record(share::Record fact) override {
        if (before_record) before_record();
        if (!fault.empty()) return std::unexpected(fault);
        ++recorded;
        if (std::exchange(fold_later, false)) {
            late_.push_back(std::move(fact));
            return std::unexpected("the ledger has not folded it");
        }
        fold_late();  // in the order of the log
        apply(fact);
        if (before_record) before_record();  // dies behind it as well
        if (std::exchange(lose_answer, false)) return std::unexpected("no answer came");
        return {};
    }

    Stored<void> caught_up() override {
        if (!behind.empty()) return std::unexpected(behind);
        return {};
    }
    // What was recorded, and not answered, comes into the books now.
    void fold_late() {
        for (const auto& fact : std::exchange(late_, {}))
            apply(fact);
    }

    std::function<void()> before_record;
    std::string behind;
    std::string fault;
    bool lose_answer = false;  // of the next fact, which is taken nevertheless
    bool fold_later = false;   // the next fact, whose answer is lost too
    int recorded = 0;

 private:
    void apply(const share::Record& fact) {
        std::visit(
            [&](auto&& record) {
                using Record = std::decay_t<decltype(record)>;
                if constexpr (std::is_constructible_v<decltype(Fact::what), Record>)
                    books_.apply(record);
                else
                    std::abort();
            },
            fact);
    }

    Books& books_;
    std::vector<share::Record> late_;
};

class PayerBench {
 public:
    static constexpr int kMiners = 4;

    PayerBench() : books_(accounts()) {
        share::RulesRecord rules;
        rules.fee_ppm = 0;
        books_.apply(rules);
        settings.network = chain::Network::regtest;
        settings.change_script = wallet.own;
        settings.interval_ms = 60'000;
        reopen();
    }

    static base::Bytes script_of(int miner) {
        return segwit_script(static_cast<std::uint8_t>(10 + miner));
    }
    static std::string name_of(int miner) { return address_of(script_of(miner)); }

    // Posts so much for this miner.
    void credit(int miner, std::int64_t sat) {
        const SliceKey slice{kStart + 600 * ++blocks_, 0};
        books_.work(slice, static_cast<share::AccountId>(miner + 1), chain::Work{1} << 60);
        const auto number = static_cast<std::uint32_t>(1'000 + blocks_);
        books_.apply(books_.found(number, slice, static_cast<share::AccountId>(miner + 1)));
        books_.chain_says(number, 1, share::BlockFact::confirmed, sat);
        books_.chain_says(number, 2, share::BlockFact::mature);
    }
    void reopen() {
        payer_.reset();
        registry_.emplace();
        payer_.emplace(settings, books_.journal, sink, wallet, wallet, *registry_, clock, logger_);
    }
    Payer& payer() { return *payer_; }
    Books& books() { return books_; }

    // The next round is due.
    PayoutStatus next_round() {
        clock.advance_ms(settings.interval_ms);
        return payer_->step();
    }
    PayoutRow row(share::PayoutId id) { return **books_.journal.payout_row(id); }
    std::size_t payouts() { return books_.journal.payout_rows()->size(); }
    std::int64_t posted(int miner) { return books_.posted(name_of(miner)); }
    std::int64_t received(int miner) { return wallet.received(script_of(miner)); }
    std::vector<share::PayoutSignedRecord> attempts(share::PayoutId id) {
        return *books_.journal.attempts_of(id);
    }

    PayerSettings settings;
    base::ManualClock clock;
    FakeWallet wallet;

 private:
    static std::vector<std::string> accounts() {
        std::vector<std::string> names;
        for (int i = 0; i < kMiners; ++i)
            names.push_back(name_of(i));
        return names;
    }

    Books books_;
    int blocks_ = 0;
    base::Logger logger_{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    std::optional<metrics::Registry> registry_;

 public:
    BooksSink sink{books_};

 private:
    std::optional<Payer> payer_;
};

}  // namespace adit::ledger::testing
