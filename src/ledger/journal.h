// What the ledger remembers, and the two faces of whoever remembers it (store: SQLite, PostgreSQL;
// MemoryJournal for audits). A Journal is one open transaction: the bookkeeper reads and writes
// through it while a piece of the log is folded, and all of it is committed together with the fold
// point, or none. A LedgerReader answers questions of payers and people.
//
// A journal reports a failing storage by an exception of its own, which passes through the
// bookkeeper and ends the transaction; whoever opened the transaction turns it into a value.
#pragma once

#include "chain/amount.h"
#include "ledger/slice_store.h"

#include <functional>
#include <span>

namespace adit::ledger {

using chain::Amount;

// Which log of the cluster: slices and account ids of different logs do not mix.
using InstanceId = std::uint16_t;

// Accounts of the ledger's own; the colon keeps them apart from addresses and account names.
inline constexpr std::string_view kRewardAccount = ":reward";  // where coinbases come from
inline constexpr std::string_view kFeeAccount = ":fee";        // the pool's part, unless named
inline constexpr std::string_view kDonationAccount = ":donation";
inline constexpr std::string_view kSentAccount = ":sent";               // reached miners' scripts
inline constexpr std::string_view kNetworkFeeAccount = ":network-fee";  // borne for payouts
inline constexpr std::string_view kMinersFeeAccount = ":miners-fee";    // gone to block finders
inline constexpr std::string_view kWithdrawnAccount = ":withdrawn";     // explained spends

// --- money ------------------------------------------------------------------------------------

// Each account has three sums, each of which is zero over all accounts: what is posted, what is
// pending (credits of immature blocks) and what is reserved (debits of payouts under way, so it is
// negative for the accounts that are paid). Available to a new payout: posted + reserved.
struct Balance {
    Amount posted;
    Amount pending;
    Amount reserved;
    Amount available() const { return posted + reserved; }
    bool is_zero() const { return *this == Balance{}; }
    Balance& operator+=(const Balance& other);
    Balance& operator-=(const Balance& other);
    friend bool operator==(const Balance&, const Balance&) = default;
};

// How a transfer moves its amount from the debited to the credited account.
enum class Phase : std::uint8_t {
    pend = 1,      // pending +
    post = 2,      // pending -, posted +
    void_ = 3,     // pending -
    reverse = 4,   // posted -: a posted credit is taken back
    direct = 5,    // posted +
    reserve = 6,   // reserved +
    release = 7,   // reserved -
    settle = 8,    // reserved -, posted +
    unsettle = 9,  // posted -, reserved +
};
std::string_view name_of(Phase phase);
// What a transfer adds to the balance of the account it credits, and takes from the one it debits.
Balance moved_by(Phase phase, Amount amount);

// What a transfer is for. With reference, transition, account and the purpose's own order this
// makes its id, so that the same event can never post twice.
enum class Purpose : std::uint8_t {
    block_part = 1,     // reference: block hash
    block_fee = 2,      // the pool's fee
    donation = 3,       // from the account's part
    coinbase_paid = 4,  // paid by the block's own coinbase: account -> :sent
    payout = 5,         // reference: payout id (8 bytes big-endian, zeroes); account -> :sent
    payout_fee = 6,     // account -> :network-fee, the account's part of a payout's fee
    network_fee = 7,    // :network-fee -> :miners-fee
    explained = 8,      // reference: txid; account -> :withdrawn
};
std::string_view name_of(Purpose purpose);

struct TransferId {
    Purpose purpose = Purpose::block_part;
    chain::Hash256 reference;
    std::uint32_t transition = 0;
    std::string account;  // whose transfer it is (the miner's side)
    friend auto operator<=>(const TransferId&, const TransferId&) = default;
};

struct Transfer {
    TransferId id;
    std::string debit;   // account that gives
    std::string credit;  // account that takes
    Amount amount;       // > 0
    Phase phase = Phase::pend;
    share::LogPosition position = 0;  // of the fact that caused it
    std::int64_t time_ms = 0;
    friend bool operator==(const Transfer&, const Transfer&) = default;
};

// --- blocks -----------------------------------------------------------------------------------

enum class BlockState : std::uint8_t {
    found = 0,      // recorded; the chain has not been heard
    confirmed = 1,  // credited, pending
    contested = 2,  // was found or confirmed; nothing moves until the nodes agree
    mature = 3,     // posted
    orphaned = 4,   // nothing is credited (any more)
};
std::string_view name_of(BlockState state);
// The state that a fact leads to.
BlockState state_after(share::BlockFact fact);

// A slice of one instance.
struct SliceRef {
    SliceKey slice;
    InstanceId instance = 0;
    friend auto operator<=>(const SliceRef&, const SliceRef&) = default;
};

// How a reward was measured; zero before the first credit.
struct Settlement {
    chain::Work wanted = 0;   // PPLNS: the window's length
    chain::Work counted = 0;  // work of all parts together
    SliceRef oldest;          // that counted, perhaps in part
    Amount fee;               // the pool's
    friend bool operator==(const Settlement&, const Settlement&) = default;
};

// Stands for the block that is found next, which takes over the rounds that were moved to it.
inline constexpr chain::Hash256 kNextRound = [] {
    chain::Hash256 hash;
    hash.bytes.fill(0xff);
    return hash;
}();

struct BlockRow {
    FoundBlock found;
    InstanceId instance = 0;  // whose log holds it
    std::string finder;       // account name; empty: not known
    std::uint32_t rules = 0;  // in force at its record; 0: none were logged yet
    BlockState state = BlockState::found;
    bool credited = false;         // parts are pending or posted now
    bool posted = false;           // and posted
    std::uint32_t transition = 0;  // of the last fact
    Amount reward;                 // all outputs of its coinbase, once confirmed
    std::int32_t confirmations = 0;
    std::int64_t changed_ms = 0;
    std::string evidence;
    Settlement settlement;
    // prop: the block whose round took over this one's work after it was orphaned; zero: none;
    // kNextRound: the next one that is found.
    chain::Hash256 round_moved_to;
    friend bool operator==(const BlockRow&, const BlockRow&) = default;
};

// One account's part of a block, as it was first credited; never changes.
struct SplitRow {
    std::string account;
    chain::Work work = 0;
    Amount part;  // before the donation
    Amount donation;
    Amount paid;  // by the block's coinbase itself
    friend bool operator==(const SplitRow&, const SplitRow&) = default;
};

// --- payouts ----------------------------------------------------------------------------------

enum class PayoutState : std::uint8_t {
    waiting_approval = 0,
    ready = 1,       // to be signed
    signed_ = 2,     // to be broadcast, and again until it is confirmed
    confirmed = 3,   // deep enough; still watched
    conflicted = 4,  // the anchor was spent by something else; a person is asked
    cancelled = 5,   // final
    buried = 6,      // final
};
inline constexpr std::size_t kPayoutStates = 7;
std::string_view name_of(PayoutState state);
// Nothing will come of it any more.
bool is_final(PayoutState state);
// The state that a fact leads to.
PayoutState state_after(share::PayoutFact fact);

struct PayoutRow {
    share::PayoutId id = 0;
    PayoutState state = PayoutState::ready;
    std::uint32_t transition = 0;
    chain::OutPoint anchor;
    Amount anchor_value;
    Amount debits;   // of all payees
    Amount outputs;  // of all payees
    std::uint32_t payees = 0;
    std::uint32_t attempts = 0;  // signed transactions
    chain::Hash256 txid;         // of the confirmed one, else of the last signed one
    chain::Hash256 block;        // once confirmed
    std::int32_t height = 0;
    std::int64_t created_ms = 0;  // wall clock of the intent
    std::int64_t changed_ms = 0;
    std::string evidence;
    friend bool operator==(const PayoutRow&, const PayoutRow&) = default;
};

// --- what did not apply -----------------------------------------------------------------------

// Why a fact changed nothing. A fact is refused alike on every machine that folds the log.
enum class FactRefusal : std::uint8_t {
    repeated = 0,  // the very same fact was applied before; harmless
    unknown_block = 1,
    duplicate_block = 2,
    out_of_order = 3,    // not the transition that comes next
    impossible = 4,      // no such change from this state
    reward_missing = 5,  // confirmed without a coinbase value
    unknown_payout = 6,
    duplicate_payout = 7,
    overdraft = 8,  // a debit above what is available
    duplicate_payee = 9,
    bad_amounts = 10,  // sums beyond all coins, or a fee below zero
    duplicate_transaction = 11,
    stale_snapshot = 12,  // an id that is not above the last one
    unknown_account = 13,
    already_explained = 14,
};
std::string_view describe(FactRefusal refusal);

struct RefusedFact {
    share::LogPosition position = 0;
    std::int64_t time_ms = 0;
    FactRefusal refusal = FactRefusal::impossible;
    std::string what;  // in words, with the ids
    friend bool operator==(const RefusedFact&, const RefusedFact&) = default;
};

// --- the open transaction ---------------------------------------------------------------------

// All accounts' work in one slice, in no particular order. Ids are those of its instance's log.
struct SliceGroup {
    SliceRef ref;
    std::span<const std::pair<share::AccountId, chain::Work>> work;
};

struct RulesRow {
    std::uint32_t id = 0;  // counts from 1; 0: none were logged, the record's defaults hold
    share::RulesRecord rules;
    share::LogPosition position = 0;
    friend bool operator==(const RulesRow&, const RulesRow&) = default;
};

class Journal {
 public:
    virtual ~Journal() = default;

    // Whose log is being folded, and its slices' length in seconds.
    virtual InstanceId instance() = 0;
    virtual std::uint32_t slice_s() = 0;

    virtual RulesRow current_rules() = 0;
    virtual RulesRow rules(std::uint32_t id) = 0;  // 0: the defaults
    virtual void add_rules(const share::RulesRecord& rules, share::LogPosition position) = 0;
    virtual std::optional<share::SettingsRecord> settings(std::string_view account) = 0;
    virtual void put_settings(const share::SettingsRecord& settings) = 0;

    // nullopt: the id was never recorded.
    virtual std::optional<std::string> account_name(InstanceId instance, share::AccountId id) = 0;

    virtual std::optional<BlockRow> block(const chain::Hash256& hash) = 0;
    virtual void put_block(const BlockRow& block) = 0;  // new, or in place of the one with its hash
    // The last found before this one, and all found after it, in the order of (time, instance,
    // slice): blocks of one batch share their position, but each closes a slice of its own. Only
    // these three of the row are looked at, so that the row need not be of a recorded block.
    virtual std::optional<BlockRow> block_before(const BlockRow& block) = 0;
    virtual std::vector<BlockRow> blocks_after(const BlockRow& block) = 0;
    // Blocks whose round was moved to this one (or to kNextRound), in the order of blocks_after().
    virtual std::vector<BlockRow> rounds_moved_to(const chain::Hash256& hash) = 0;
    // When an instance's slice was closed by a found block; nullopt: it ran to its stretch's end.
    virtual std::optional<std::int64_t> closed_ms(const SliceRef& ref) = 0;

    // Slices at or before `from`, newest first in the order of SliceRef, until `visit` says false.
    virtual void slices_down(const SliceRef& from,
                             const std::function<bool(const SliceGroup&)>& visit) = 0;

    virtual Balance balance(std::string_view account) = 0;
    // Adds the transfers and moves the balances (moved_by). The ids must be new. All or nothing.
    virtual void post(std::span<const Transfer> transfers) = 0;
    // The three sums over all accounts: zero, or the ledger is broken.
    virtual Balance total() = 0;

    // Written once a block, read again when it comes back.
    virtual std::vector<SplitRow> split(const chain::Hash256& block) = 0;
    virtual void put_split(const chain::Hash256& block, std::span<const SplitRow> split) = 0;

    virtual std::optional<share::SnapshotRecord> snapshot(InstanceId instance,
                                                          std::uint64_t id) = 0;
    // 0: none yet.
    virtual std::uint64_t last_snapshot(InstanceId instance) = 0;
    virtual void put_snapshot(const share::SnapshotRecord& snapshot) = 0;
    // Those of the present log with after < id <= upto that no block refers to.
    virtual void forget_snapshots(std::uint64_t after, std::uint64_t upto) = 0;

    virtual std::optional<PayoutRow> payout(share::PayoutId id) = 0;
    virtual void put_payout(const PayoutRow& payout) = 0;
    virtual std::vector<share::Payee> payees(share::PayoutId id) = 0;
    virtual void put_payees(share::PayoutId id, std::span<const share::Payee> payees) = 0;
    virtual std::vector<share::PayoutSignedRecord> attempts(share::PayoutId id) = 0;
    virtual void add_attempt(const share::PayoutSignedRecord& attempt) = 0;
    // The payout that a transaction was signed for; nullopt: none.
    virtual std::optional<share::PayoutId> payout_of(const chain::Hash256& txid) = 0;

    // What this spend took from this account (empty: from none).
    virtual bool is_explained(const chain::Hash256& txid, std::string_view account) = 0;
    virtual void add_explained(const share::ExplainRecord& explained) = 0;

    virtual void add_refused(const RefusedFact& refused) = 0;
};

// --- questions --------------------------------------------------------------------------------

// All payouts there ever were, in numbers.
struct PayoutTotals {
    std::array<std::uint64_t, kPayoutStates> by_state{};
    share::PayoutId last = 0;  // the newest; 0: none yet
    std::int64_t last_created_ms = 0;
    friend bool operator==(const PayoutTotals&, const PayoutTotals&) = default;
};

struct BalanceRow {
    std::string account;
    Balance balance;
    friend bool operator==(const BalanceRow&, const BalanceRow&) = default;
};

// Safe from any thread. Errors are sentences for the operator.
class LedgerReader {
 public:
    virtual ~LedgerReader() = default;
    virtual Stored<Balance> balance_of(std::string_view account) = 0;
    virtual Stored<std::vector<BalanceRow>> balances() = 0;  // by name
    virtual Stored<Balance> total_of_all() = 0;
    // Of one account (empty: all), by position and id; from <= time_ms < to.
    virtual Stored<std::vector<Transfer>> transfers(std::string_view account, std::int64_t from_ms,
                                                    std::int64_t to_ms) = 0;
    virtual Stored<std::vector<BlockRow>> block_rows() = 0;  // oldest first
    virtual Stored<std::optional<BlockRow>> block_row(const chain::Hash256& hash) = 0;
    virtual Stored<std::vector<SplitRow>> split_of(const chain::Hash256& block) = 0;
    virtual Stored<std::vector<RulesRow>> rules_rows() = 0;
    virtual Stored<std::optional<share::SettingsRecord>> settings_of(std::string_view account) = 0;
    virtual Stored<std::vector<share::SettingsRecord>> all_settings() = 0;  // by account
    virtual Stored<std::vector<PayoutRow>> payout_rows() = 0;               // by id
    // Those that are not final, and those whose intent is younger than this; both by id.
    virtual Stored<std::vector<PayoutRow>> open_payouts() = 0;
    virtual Stored<std::vector<PayoutRow>> payouts_after(std::int64_t created_ms) = 0;
    virtual Stored<PayoutTotals> payout_totals() = 0;
    virtual Stored<std::optional<PayoutRow>> payout_row(share::PayoutId id) = 0;
    virtual Stored<std::vector<share::Payee>> payees_of(share::PayoutId id) = 0;
    virtual Stored<std::vector<share::PayoutSignedRecord>> attempts_of(share::PayoutId id) = 0;
    virtual Stored<std::optional<share::PayoutId>> payout_of_txid(const chain::Hash256& txid) = 0;
    virtual Stored<std::vector<share::ExplainRecord>> explained() = 0;
    virtual Stored<std::vector<RefusedFact>> refused() = 0;
    virtual Stored<std::vector<share::SnapshotRecord>> snapshots() = 0;  // kept ones, by id
};

// Takes a fact into the log and waits until the ledger has folded it. Called by payers and settlers
// on their own threads; may block for as long as storage takes.
class FactSink {
 public:
    virtual ~FactSink() = default;
    // On success the ledger has folded it (which may mean that it refused it: look). After an
    // error, a sentence, nobody knows whether the fact is in the log: look into the ledger again,
    // later, before anything is decided anew.
    virtual Stored<void> record(share::Record fact) = 0;
    // An error, a sentence, while the ledger has not folded all that was in the log when the pool
    // started: what it says is not what is known.
    virtual Stored<void> caught_up() = 0;
};

}  // namespace adit::ledger
