#include "share/money_records.h"

#include "share/record_coding.h"

namespace adit::share {

using namespace coding;

namespace {

// Sizes of list elements, so that a false count cannot make a decoder reserve much.
constexpr std::size_t kSnapshotEntrySize = 4 + 16 + 8;

void append_outpoint(base::Bytes& out, const chain::OutPoint& outpoint) {
    append_hash(out, outpoint.txid);
    base::append_le(out, outpoint.index);
}

chain::OutPoint read_outpoint(base::ByteReader& reader) {
    chain::OutPoint outpoint;
    outpoint.txid = read_hash(reader);
    outpoint.index = reader.le<std::uint32_t>();
    return outpoint;
}

void append_work(base::Bytes& out, chain::Work work) {
    base::append_le(out, static_cast<std::uint64_t>(work));
    base::append_le(out, static_cast<std::uint64_t>(work >> 64));
}

chain::Work read_work(base::ByteReader& reader) {
    const auto low = reader.le<std::uint64_t>();
    const auto high = reader.le<std::uint64_t>();
    return chain::Work{high} << 64 | low;
}

std::string read_words(base::ByteReader& reader) {
    const auto bytes = reader.take(reader.le<std::uint32_t>());
    return std::string(base::as_text(bytes));
}

void append_words(base::Bytes& out, std::string_view words) {
    append_sized(out, base::as_bytes(words.substr(0, kEvidenceLimit)));
}

bool is_amount(std::int64_t sat) {
    return sat >= 0 && sat <= chain::Amount::kMaxSat;
}

template <class Enum>
bool within(std::uint8_t value, Enum first, Enum last) {
    return value >= static_cast<std::uint8_t>(first) && value <= static_cast<std::uint8_t>(last);
}

Decoded<Record> decode_rules(base::ByteReader reader) {
    RulesRecord rules;
    const auto scheme = reader.le<std::uint8_t>();
    const auto mode = reader.le<std::uint8_t>();
    rules.pplns_factor_milli = reader.le<std::uint32_t>();
    rules.fee_ppm = reader.le<std::uint32_t>();
    rules.at_wall_ms = reader.le<std::int64_t>();
    rules.fee_account = read_name(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (!within(scheme, RewardScheme::pplns, RewardScheme::solo) ||
        !within(mode, PayoutMode::wallet, PayoutMode::none) || rules.fee_ppm > kPpm ||
        rules.pplns_factor_milli == 0) {
        return std::unexpected(RecordError::bad_value);
    }
    if (rules.fee_account.empty()) return std::unexpected(RecordError::bad_name);
    rules.scheme = static_cast<RewardScheme>(scheme);
    rules.mode = static_cast<PayoutMode>(mode);
    return rules;
}

Decoded<Record> decode_settings(base::ByteReader reader) {
    SettingsRecord settings;
    settings.threshold_sat = reader.le<std::int64_t>();
    settings.donation_ppm = reader.le<std::uint32_t>();
    settings.at_wall_ms = reader.le<std::int64_t>();
    settings.account = read_name(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (settings.account.empty()) return std::unexpected(RecordError::bad_name);
    if (!is_amount(settings.threshold_sat)) return std::unexpected(RecordError::bad_amount);
    if (settings.donation_ppm > kPpm) return std::unexpected(RecordError::bad_value);
    return settings;
}

Decoded<Record> decode_block_fact(base::ByteReader reader) {
    BlockFactRecord fact;
    fact.hash = read_hash(reader);
    fact.transition = reader.le<std::uint32_t>();
    const auto kind = reader.le<std::uint8_t>();
    fact.coinbase_value_sat = reader.le<std::int64_t>();
    fact.confirmations = reader.le<std::int32_t>();
    fact.at_wall_ms = reader.le<std::int64_t>();
    fact.evidence = read_words(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (!within(kind, BlockFact::confirmed, BlockFact::orphaned) ||
        fact.evidence.size() > kEvidenceLimit) {
        return std::unexpected(RecordError::bad_value);
    }
    if (fact.transition == 0) return std::unexpected(RecordError::bad_id);
    if (!is_amount(fact.coinbase_value_sat)) return std::unexpected(RecordError::bad_amount);
    fact.fact = static_cast<BlockFact>(kind);
    return fact;
}

std::optional<RecordError> payee_error(const Payee& payee) {
    if (payee.account.empty()) return RecordError::bad_name;
    if (payee.script.empty() || payee.script.size() > kScriptLimit) return RecordError::bad_value;
    if (!is_amount(payee.debit_sat) || !is_amount(payee.output_sat) || payee.output_sat == 0 ||
        payee.output_sat > payee.debit_sat) {
        return RecordError::bad_amount;
    }
    return std::nullopt;
}

Decoded<Record> decode_intent(base::ByteReader reader) {
    PayoutIntentRecord intent;
    intent.payout = reader.le<std::uint64_t>();
    intent.anchor = read_outpoint(reader);
    intent.anchor_value_sat = reader.le<std::int64_t>();
    const auto approval = reader.le<std::uint8_t>();
    intent.at_wall_ms = reader.le<std::int64_t>();
    const auto payees = reader.le<std::uint32_t>();
    if (payees == 0 || payees > kPayeeLimit) return std::unexpected(RecordError::bad_value);
    std::int64_t total_sat = 0;
    for (std::uint32_t i = 0; i < payees && reader.ok(); ++i) {
        Payee payee;
        payee.debit_sat = reader.le<std::int64_t>();
        payee.output_sat = reader.le<std::int64_t>();
        payee.account = read_name(reader);
        payee.script = read_sized(reader);
        if (!reader.ok()) break;
        if (const auto error = payee_error(payee)) return std::unexpected(*error);
        total_sat += payee.debit_sat;
        if (!is_amount(total_sat)) return std::unexpected(RecordError::bad_amount);
        intent.payees.push_back(std::move(payee));
    }
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (intent.payout == 0) return std::unexpected(RecordError::bad_id);
    if (approval > 1) return std::unexpected(RecordError::reserved_bits);
    if (!is_amount(intent.anchor_value_sat)) return std::unexpected(RecordError::bad_amount);
    intent.needs_approval = approval != 0;
    return intent;
}

Decoded<Record> decode_signed(base::ByteReader reader) {
    PayoutSignedRecord payout;
    payout.payout = reader.le<std::uint64_t>();
    payout.attempt = reader.le<std::uint32_t>();
    payout.txid = read_hash(reader);
    payout.fee_sat = reader.le<std::int64_t>();
    payout.at_wall_ms = reader.le<std::int64_t>();
    payout.raw = read_sized(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (payout.payout == 0 || payout.attempt == 0) return std::unexpected(RecordError::bad_id);
    if (!is_amount(payout.fee_sat)) return std::unexpected(RecordError::bad_amount);
    if (payout.raw.empty()) return std::unexpected(RecordError::bad_value);
    return payout;
}

Decoded<Record> decode_payout_fact(base::ByteReader reader) {
    PayoutFactRecord fact;
    fact.payout = reader.le<std::uint64_t>();
    fact.transition = reader.le<std::uint32_t>();
    const auto kind = reader.le<std::uint8_t>();
    fact.txid = read_hash(reader);
    fact.anchor = read_outpoint(reader);
    fact.anchor_value_sat = reader.le<std::int64_t>();
    fact.block = read_hash(reader);
    fact.height = reader.le<std::int32_t>();
    fact.at_wall_ms = reader.le<std::int64_t>();
    fact.evidence = read_words(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (!within(kind, PayoutFact::approved, PayoutFact::buried) ||
        fact.evidence.size() > kEvidenceLimit) {
        return std::unexpected(RecordError::bad_value);
    }
    if (fact.payout == 0 || fact.transition == 0) return std::unexpected(RecordError::bad_id);
    if (!is_amount(fact.anchor_value_sat)) return std::unexpected(RecordError::bad_amount);
    fact.fact = static_cast<PayoutFact>(kind);
    return fact;
}

Decoded<Record> decode_explain(base::ByteReader reader) {
    ExplainRecord explained;
    explained.txid = read_hash(reader);
    explained.amount_sat = reader.le<std::int64_t>();
    explained.at_wall_ms = reader.le<std::int64_t>();
    explained.account = read_name(reader);
    explained.note = read_words(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (!is_amount(explained.amount_sat)) return std::unexpected(RecordError::bad_amount);
    if (explained.note.size() > kEvidenceLimit) return std::unexpected(RecordError::bad_value);
    if (explained.account.empty() && explained.amount_sat != 0) {
        return std::unexpected(RecordError::bad_name);
    }
    return explained;
}

Decoded<Record> decode_snapshot(base::ByteReader reader) {
    SnapshotRecord snapshot;
    snapshot.id = reader.le<std::uint64_t>();
    snapshot.previous = read_hash(reader);
    snapshot.fee_ppm = reader.le<std::uint32_t>();
    snapshot.max_outputs = reader.le<std::uint32_t>();
    snapshot.dust_sat = reader.le<std::int64_t>();
    snapshot.at_wall_ms = reader.le<std::int64_t>();
    const auto entries = reader.le<std::uint32_t>();
    if (!reader.ok()) return std::unexpected(RecordError::truncated);
    if (entries > kSnapshotLimit || snapshot.fee_ppm > kPpm) {
        return std::unexpected(RecordError::bad_value);
    }
    snapshot.entries.reserve(std::min<std::size_t>(entries, reader.left() / kSnapshotEntrySize));
    for (std::uint32_t i = 0; i < entries && reader.ok(); ++i) {
        SnapshotEntry entry;
        entry.account = reader.le<std::uint32_t>();
        entry.work = read_work(reader);
        entry.due_sat = reader.le<std::int64_t>();
        if (!reader.ok()) break;
        if (entry.account == 0) return std::unexpected(RecordError::bad_id);
        if (!chain::Amount::from_sat(entry.due_sat)) {
            return std::unexpected(RecordError::bad_amount);
        }
        snapshot.entries.push_back(entry);
    }
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (snapshot.id == 0) return std::unexpected(RecordError::bad_id);
    if (!is_amount(snapshot.dust_sat)) return std::unexpected(RecordError::bad_amount);
    return snapshot;
}

}  // namespace

Decoded<Record> coding::decode_money(Type type, base::ByteReader body) {
    switch (type) {
        case Type::rules:
            return decode_rules(body);
        case Type::settings:
            return decode_settings(body);
        case Type::block_fact:
            return decode_block_fact(body);
        case Type::intent:
            return decode_intent(body);
        case Type::signed_payout:
            return decode_signed(body);
        case Type::payout_fact:
            return decode_payout_fact(body);
        case Type::explain:
            return decode_explain(body);
        case Type::snapshot:
            return decode_snapshot(body);
        case Type::share:
        case Type::job:
        case Type::account:
        case Type::worker:
        case Type::block:
        case Type::run:
            break;
    }
    return std::unexpected(RecordError::unknown_type);
}

std::string_view name_of(RewardScheme scheme) {
    switch (scheme) {
        case RewardScheme::pplns:
            return "pplns";
        case RewardScheme::prop:
            return "prop";
        case RewardScheme::solo:
            return "solo";
    }
    return "unknown";
}

std::string_view name_of(PayoutMode mode) {
    switch (mode) {
        case PayoutMode::wallet:
            return "wallet";
        case PayoutMode::coinbase:
            return "coinbase";
        case PayoutMode::none:
            return "none";
    }
    return "unknown";
}

std::string_view name_of(BlockFact fact) {
    switch (fact) {
        case BlockFact::confirmed:
            return "confirmed";
        case BlockFact::contested:
            return "contested";
        case BlockFact::mature:
            return "mature";
        case BlockFact::orphaned:
            return "orphaned";
    }
    return "unknown";
}

std::string_view name_of(PayoutFact fact) {
    switch (fact) {
        case PayoutFact::approved:
            return "approved";
        case PayoutFact::confirmed:
            return "confirmed";
        case PayoutFact::unconfirmed:
            return "unconfirmed";
        case PayoutFact::conflicted:
            return "conflicted";
        case PayoutFact::reanchored:
            return "reanchored";
        case PayoutFact::cancelled:
            return "cancelled";
        case PayoutFact::buried:
            return "buried";
    }
    return "unknown";
}

void append_record(base::Bytes& out, const RulesRecord& rules) {
    const Body body(out, Type::rules);
    base::append_le(out, static_cast<std::uint8_t>(rules.scheme));
    base::append_le(out, static_cast<std::uint8_t>(rules.mode));
    base::append_le(out, rules.pplns_factor_milli);
    base::append_le(out, rules.fee_ppm);
    base::append_le(out, rules.at_wall_ms);
    append_name(out, rules.fee_account);
}

void append_record(base::Bytes& out, const SettingsRecord& settings) {
    const Body body(out, Type::settings);
    base::append_le(out, settings.threshold_sat);
    base::append_le(out, settings.donation_ppm);
    base::append_le(out, settings.at_wall_ms);
    append_name(out, settings.account);
}

void append_record(base::Bytes& out, const BlockFactRecord& fact) {
    const Body body(out, Type::block_fact);
    append_hash(out, fact.hash);
    base::append_le(out, fact.transition);
    base::append_le(out, static_cast<std::uint8_t>(fact.fact));
    base::append_le(out, fact.coinbase_value_sat);
    base::append_le(out, fact.confirmations);
    base::append_le(out, fact.at_wall_ms);
    append_words(out, fact.evidence);
}

void append_record(base::Bytes& out, const PayoutIntentRecord& intent) {
    const Body body(out, Type::intent);
    base::append_le(out, intent.payout);
    append_outpoint(out, intent.anchor);
    base::append_le(out, intent.anchor_value_sat);
    base::append_le(out, static_cast<std::uint8_t>(intent.needs_approval));
    base::append_le(out, intent.at_wall_ms);
    ADIT_CHECK(intent.payees.size() <= kPayeeLimit, "payees are bounded before they are recorded");
    base::append_le(out, static_cast<std::uint32_t>(intent.payees.size()));
    for (const auto& payee : intent.payees) {
        base::append_le(out, payee.debit_sat);
        base::append_le(out, payee.output_sat);
        append_name(out, payee.account);
        append_sized(out, payee.script);
    }
}

void append_record(base::Bytes& out, const PayoutSignedRecord& payout) {
    const Body body(out, Type::signed_payout);
    base::append_le(out, payout.payout);
    base::append_le(out, payout.attempt);
    append_hash(out, payout.txid);
    base::append_le(out, payout.fee_sat);
    base::append_le(out, payout.at_wall_ms);
    append_sized(out, payout.raw);
}

void append_record(base::Bytes& out, const PayoutFactRecord& fact) {
    const Body body(out, Type::payout_fact);
    base::append_le(out, fact.payout);
    base::append_le(out, fact.transition);
    base::append_le(out, static_cast<std::uint8_t>(fact.fact));
    append_hash(out, fact.txid);
    append_outpoint(out, fact.anchor);
    base::append_le(out, fact.anchor_value_sat);
    append_hash(out, fact.block);
    base::append_le(out, fact.height);
    base::append_le(out, fact.at_wall_ms);
    append_words(out, fact.evidence);
}

void append_record(base::Bytes& out, const ExplainRecord& explained) {
    const Body body(out, Type::explain);
    append_hash(out, explained.txid);
    base::append_le(out, explained.amount_sat);
    base::append_le(out, explained.at_wall_ms);
    append_name(out, explained.account);
    append_words(out, explained.note);
}

void append_record(base::Bytes& out, const SnapshotRecord& snapshot) {
    const Body body(out, Type::snapshot);
    base::append_le(out, snapshot.id);
    append_hash(out, snapshot.previous);
    base::append_le(out, snapshot.fee_ppm);
    base::append_le(out, snapshot.max_outputs);
    base::append_le(out, snapshot.dust_sat);
    base::append_le(out, snapshot.at_wall_ms);
    ADIT_CHECK(snapshot.entries.size() <= kSnapshotLimit, "snapshots are bounded beforehand");
    base::append_le(out, static_cast<std::uint32_t>(snapshot.entries.size()));
    for (const auto& entry : snapshot.entries) {
        base::append_le(out, entry.account);
        append_work(out, entry.work);
        base::append_le(out, entry.due_sat);
    }
}

}  // namespace adit::share
