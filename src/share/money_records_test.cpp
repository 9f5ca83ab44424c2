#include "share/money_records.h"

#include "share/record.h"

#include <gtest/gtest.h>

namespace adit::share {
namespace {

template <class R>
base::Bytes encode(const R& record) {
    base::Bytes bytes;
    append_record(bytes, record);
    return bytes;
}

std::expected<Record, RecordError> decode(base::ByteSpan bytes) {
    base::ByteReader reader(bytes);
    return read_record(reader);
}

RulesRecord rules() {
    return {RewardScheme::prop, PayoutMode::coinbase, 1'500, 2'500, "bc1q", 77};
}

SettingsRecord settings() {
    return {"bc1q", 250'000, 5'000, 78};
}

BlockFactRecord block_fact() {
    BlockFactRecord fact;
    fact.hash.bytes[0] = 1;
    fact.transition = 2;
    fact.fact = BlockFact::orphaned;
    fact.coinbase_value_sat = 5;
    fact.confirmations = -1;
    fact.at_wall_ms = 79;
    fact.evidence = "all nodes";
    return fact;
}

PayoutIntentRecord intent() {
    PayoutIntentRecord record;
    record.payout = 3;
    record.anchor.index = 1;
    record.anchor_value_sat = 900;
    record.needs_approval = true;
    record.payees = {{"a", {0x51}, 10, 9}, {"b", {0x00, 0x14}, 20, 20}};
    return record;
}

PayoutSignedRecord signed_payout() {
    PayoutSignedRecord record;
    record.payout = 3;
    record.attempt = 2;
    record.fee_sat = 141;
    record.raw = base::Bytes(60, 7);
    return record;
}

PayoutFactRecord payout_fact() {
    PayoutFactRecord fact;
    fact.payout = 3;
    fact.transition = 1;
    fact.fact = PayoutFact::reanchored;
    fact.anchor.index = 4;
    fact.anchor_value_sat = 6;
    fact.height = 8;
    fact.evidence = "by a person";
    return fact;
}

ExplainRecord explained() {
    ExplainRecord record;
    record.txid.bytes[31] = 9;
    record.account = ":fee";
    record.amount_sat = 10;
    record.note = "rent";
    return record;
}

SnapshotRecord snapshot() {
    SnapshotRecord record;
    record.id = 5;
    record.fee_ppm = 10'000;
    record.max_outputs = 20;
    record.dust_sat = 546;
    record.entries = {{1, chain::Work{1} << 90, 0}, {2, 17, -3}};
    return record;
}

TEST(MoneyRecords, ReadBackEverySort) {
    EXPECT_EQ(std::get<RulesRecord>(*decode(encode(rules()))), rules());
    EXPECT_EQ(std::get<SettingsRecord>(*decode(encode(settings()))), settings());
    EXPECT_EQ(std::get<BlockFactRecord>(*decode(encode(block_fact()))), block_fact());
    EXPECT_EQ(std::get<PayoutIntentRecord>(*decode(encode(intent()))), intent());
    EXPECT_EQ(std::get<PayoutSignedRecord>(*decode(encode(signed_payout()))), signed_payout());
    EXPECT_EQ(std::get<PayoutFactRecord>(*decode(encode(payout_fact()))), payout_fact());
    EXPECT_EQ(std::get<ExplainRecord>(*decode(encode(explained()))), explained());
    EXPECT_EQ(std::get<SnapshotRecord>(*decode(encode(snapshot()))), snapshot());
}

TEST(MoneyRecords, LayABlockFactOutAsDocumented) {
    EXPECT_EQ(base::to_hex(encode(block_fact())),
              "09000000"
              "46000000"
              "0100000000000000000000000000000000000000000000000000000000000000"
              "02000000"
              "04"
              "0500000000000000"
              "ffffffff"
              "4f00000000000000"
              "09000000"
              "616c6c206e6f646573");
}

template <class R>
R with(R record, auto change) {
    change(record);
    return record;
}

TEST(MoneyRecords, RefuseForEveryReason) {
    const auto byte = [](base::Bytes bytes, std::size_t at, std::uint8_t value) {
        bytes.at(at) = value;
        return bytes;
    };
    const std::pair<RecordError, base::Bytes> cases[] = {
        {RecordError::bad_value, byte(encode(rules()), 8, 3)},
        {RecordError::bad_value, byte(encode(rules()), 9, 3)},
        {RecordError::bad_value, encode(with(rules(), [](auto& r) { r.fee_ppm = kPpm + 1; }))},
        {RecordError::bad_value, encode(with(rules(), [](auto& r) { r.pplns_factor_milli = 0; }))},
        {RecordError::bad_name, encode(with(rules(), [](auto& r) { r.fee_account.clear(); }))},
        {RecordError::bad_name, encode(with(settings(), [](auto& r) { r.account.clear(); }))},
        {RecordError::bad_amount, encode(with(settings(), [](auto& r) { r.threshold_sat = -1; }))},
        {RecordError::bad_value,
         encode(with(settings(), [](auto& r) { r.donation_ppm = kPpm + 1; }))},
        {RecordError::bad_value, byte(encode(block_fact()), 8 + 36, 0)},
        {RecordError::bad_value, byte(encode(block_fact()), 8 + 36, 5)},
        {RecordError::bad_id, encode(with(block_fact(), [](auto& r) { r.transition = 0; }))},
        {RecordError::bad_amount,
         encode(with(block_fact(), [](auto& r) { r.coinbase_value_sat = -1; }))},
        {RecordError::bad_id, encode(with(intent(), [](auto& r) { r.payout = 0; }))},
        {RecordError::bad_value, encode(with(intent(), [](auto& r) { r.payees.clear(); }))},
        {RecordError::bad_amount,
         encode(with(intent(), [](auto& r) { r.payees[0].output_sat = 11; }))},
        {RecordError::bad_amount,
         encode(with(intent(), [](auto& r) { r.payees[0].output_sat = 0; }))},
        {RecordError::bad_name, encode(with(intent(), [](auto& r) { r.payees[1].account = ""; }))},
        {RecordError::bad_value, encode(with(intent(), [](auto& r) { r.payees[1].script = {}; }))},
        {RecordError::bad_amount, encode(with(intent(),
                                              [](auto& r) {
                                                  for (auto& payee : r.payees)
                                                      payee.debit_sat = chain::Amount::kMaxSat;
                                              }))},
        {RecordError::reserved_bits, byte(encode(intent()), 8 + 52, 2)},
        {RecordError::bad_id, encode(with(signed_payout(), [](auto& r) { r.attempt = 0; }))},
        {RecordError::bad_value, encode(with(signed_payout(), [](auto& r) { r.raw.clear(); }))},
        {RecordError::bad_amount, encode(with(signed_payout(), [](auto& r) { r.fee_sat = -1; }))},
        {RecordError::bad_value, byte(encode(payout_fact()), 8 + 12, 8)},
        {RecordError::bad_id, encode(with(payout_fact(), [](auto& r) { r.transition = 0; }))},
        {RecordError::bad_name, encode(with(explained(), [](auto& r) { r.account.clear(); }))},
        {RecordError::bad_amount, encode(with(explained(), [](auto& r) { r.amount_sat = -1; }))},
        {RecordError::bad_id, encode(with(snapshot(), [](auto& r) { r.id = 0; }))},
        {RecordError::bad_id, encode(with(snapshot(), [](auto& r) { r.entries[0].account = 0; }))},
        {RecordError::bad_value, encode(with(snapshot(), [](auto& r) { r.fee_ppm = kPpm + 1; }))},
        {RecordError::bad_amount, encode(with(snapshot(),
                                              [](auto& r) {
                                                  r.entries[0].due_sat = chain::Amount::kMaxSat + 1;
                                              }))},
        {RecordError::trailing_bytes,
         [&] {
             auto longer = byte(encode(explained()), 4, 0);
             const auto size = longer.size() - 8 + 1;
             base::store_le(longer.data() + 4, static_cast<std::uint32_t>(size));
             longer.push_back(0);
             return longer;
         }()},
    };
    for (const auto& [error, bytes] : cases) {
        const auto decoded = decode(bytes);
        ASSERT_FALSE(decoded) << describe(error) << " " << base::to_hex(bytes);
        EXPECT_EQ(decoded.error(), error)
            << describe(decoded.error()) << " for " << base::to_hex(bytes);
    }
}

TEST(MoneyRecords, EveryPrefixIsTruncated) {
    for (const auto& bytes : {encode(rules()), encode(block_fact()), encode(intent()),
                              encode(signed_payout()), encode(payout_fact()), encode(snapshot())}) {
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            const auto decoded = decode(base::ByteSpan(bytes).first(size));
            ASSERT_FALSE(decoded);
            EXPECT_EQ(decoded.error(), RecordError::truncated) << size;
        }
    }
}

TEST(MoneyRecords, HaveNames) {
    EXPECT_EQ(name_of(RewardScheme::solo), "solo");
    EXPECT_EQ(name_of(PayoutMode::none), "none");
    EXPECT_EQ(name_of(BlockFact::contested), "contested");
    EXPECT_EQ(name_of(PayoutFact::buried), "buried");
}

}  // namespace
}  // namespace adit::share
