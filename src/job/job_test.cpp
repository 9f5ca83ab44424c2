#include "job/job.h"

#include "job/historic_job.h"
#include "job/job_maker.h"
#include "job/sample_template.h"

#include <gtest/gtest.h>

namespace adit::job {
namespace {

JobRef make_job(const SampleTemplate& sample) {
    JobMaker maker({.payout_script = base::Bytes(22, 0x11), .signature = "/test/"}, 0x1f);
    return maker.make(sample_template_ref(sample), 0).value();
}

TEST(JobId, IsWrittenInLowerCaseHexWithoutLeadingZeroes) {
    EXPECT_EQ(job_id_text(0x1f, 0), "1f.0");
    EXPECT_EQ(job_id_text(1, 0xff), "1.ff");
    EXPECT_EQ(job_id_text(~JobId{0}, 10), "ffffffffffffffff.a");
}

TEST(JobId, ReadsWhatItWritesAndOtherCase) {
    for (const JobId id : {JobId{0}, JobId{1}, JobId{0xabcdef}, ~JobId{0}}) {
        for (const int variant : {0, 9, 255}) {
            const auto parsed = parse_job_id(job_id_text(id, static_cast<std::uint8_t>(variant)));
            ASSERT_TRUE(parsed);
            EXPECT_EQ(parsed->id, id);
            EXPECT_EQ(parsed->variant, variant);
        }
    }
    const auto upper = parse_job_id("AB.0C");
    ASSERT_TRUE(upper);
    EXPECT_EQ(upper->id, 0xab);
    EXPECT_EQ(upper->variant, 0x0c);
}

TEST(JobId, RefusesEverythingElse) {
    for (const auto* text :
         {"", ".", "1", "1.", ".1", "1.100", "1.0.0", "g.0", "1.g", " 1.0", "1.0 ", "-1.0", "1.-1",
          "+1.0", "0x1.0", "11111111111111111.0", "1,0"}) {
        EXPECT_FALSE(parse_job_id(text)) << text;
    }
    EXPECT_FALSE(parse_job_id(std::string_view("1.\0", 3)));
}

TEST(Notify, HasTheFieldsInStratumsOrderAndForm) {
    auto source = sample_template({.transactions = 3, .bits = 0x0404cb00});
    for (std::size_t i = 0; i < 32; ++i)
        source.previous.bytes[i] = static_cast<std::uint8_t>(i);
    source.version = 0x20000000;
    source.current_time = 0x0badcafe;
    source.min_time = 1;
    JobMaker maker({.payout_script = base::Bytes(22, 0x11), .signature = "/test/"}, 0x1f);
    const auto job = maker.make(std::make_shared<BlockTemplate>(source), 0).value();

    ASSERT_EQ(job->branches.size(), 2U);
    const auto expected =
        R"({"id":null,"method":"mining.notify","params":["1f.0",)"
        R"("03020100070605040b0a09080f0e0d0c13121110171615141b1a19181f1e1d1c",")" +
        base::to_hex(job->coinbase_head) + R"(00",")" + base::to_hex(job->coinbase_tail) +
        R"(",[")" + base::to_hex(job->branches[0].bytes) + R"(",")" +
        base::to_hex(job->branches[1].bytes) + R"("],"20000000","0404cb00","0badcafe",true]})" +
        "\n";
    EXPECT_EQ(job->broadcast_line, expected);
}

TEST(Notify, CarriesTheVariantInTheJobIdAndAtTheEndOfCoinb1) {
    const auto job = make_job({});
    const auto line = notify_line(*job, 0x0a, true);
    EXPECT_NE(line.find(R"(["1f.a",)"), std::string::npos);
    EXPECT_NE(line.find('"' + base::to_hex(job->coinbase_head) + "0a\""), std::string::npos);
    EXPECT_EQ(notify_line(*job, 0, job->clean), job->broadcast_line);
}

TEST(Notify, CarriesTheCleanFlagAskedFor) {
    JobMaker maker({.payout_script = base::Bytes(22, 0x11), .signature = ""}, 1);
    const auto first = maker.make(sample_template_ref({}), 0).value();
    const auto refresh = maker.make(sample_template_ref({}), 0).value();
    EXPECT_TRUE(first->broadcast_line.ends_with(",true]}\n"));
    EXPECT_TRUE(refresh->broadcast_line.ends_with(",false]}\n"));
    EXPECT_TRUE(notify_line(*refresh, 3, true).ends_with(",true]}\n"));
    EXPECT_TRUE(notify_line(*refresh, 3, false).ends_with(",false]}\n"));
    EXPECT_TRUE(refresh->notify_c.ends_with(",false]}\n"));
    EXPECT_TRUE(refresh->notify_c_clean.ends_with(",true]}\n"));
}

TEST(Notify, OfAJobWithoutTransactionsHasNoBranches) {
    EXPECT_NE(make_job({.transactions = 0})->broadcast_line.find(R"(",[],")"), std::string::npos);
}

TEST(Derive, RefusesBitsThatEncodeNoTarget) {
    Job job;
    job.source = sample_template_ref({});
    job.bits = 0;
    EXPECT_FALSE(derive(job));
}

TEST(Derive, RebuildsAJobFromWhatTheLogKeepsOfIt) {
    const auto job = make_job({});
    auto source = std::make_shared<BlockTemplate>();
    source->previous = job->source->previous;
    Job again;
    again.id = job->id;
    again.source = source;
    again.coinbase_head = job->coinbase_head;
    again.coinbase_tail = job->coinbase_tail;
    again.branches = job->branches;
    again.version = job->version;
    again.bits = job->bits;
    again.ntime = job->ntime;
    again.clean = job->clean;
    ASSERT_TRUE(derive(again));
    EXPECT_EQ(again.broadcast_line, job->broadcast_line);
    EXPECT_EQ(again.network_target, job->network_target);
    EXPECT_EQ(again.midstate.state, job->midstate.state);
    EXPECT_EQ(again.padded_tail, job->padded_tail);
    EXPECT_EQ(header_of(again, {}).hash(), header_of(*job, {}).hash());
}

TEST(HeaderOf, RebuildsHistoricBlocks) {
    for (const auto& historic : historic_blocks()) {
        for (const std::size_t split : {0U, 1U, 42U, 50U, 63U, 64U, 65U, 100U}) {
            const auto [job, choice] = historic.job_split_at(split);
            EXPECT_EQ(base::to_hex(coinbase_of(job, choice)), historic.coinbase);
            EXPECT_EQ(header_of(job, choice).hash().rpc_hex(), historic.hash) << split;
        }
    }
}

// Parses the block back and checks what a node checks of its form.
void expect_sound(const Job& job, const HeaderChoice& choice) {
    const auto& source = *job.source;
    const auto bytes = block_of(job, choice);
    const auto block = chain::parse_block(bytes);
    ASSERT_TRUE(block);
    EXPECT_EQ(block->serialize(), bytes);
    EXPECT_EQ(block->header.hash(), header_of(job, choice).hash());
    EXPECT_EQ(block->header.merkle_root, block->merkle_root());
    EXPECT_EQ(block->header.previous, source.previous);
    EXPECT_EQ(block->header.bits, source.bits);
    EXPECT_LE(block->weight(), source.weight_limit);
    ASSERT_EQ(block->transactions.size(), source.transactions.size() + 1);

    const auto& coinbase = block->transactions[0];
    EXPECT_TRUE(coinbase.is_coinbase());
    EXPECT_EQ(coinbase.version, 2);
    EXPECT_EQ(coinbase.lock_time, 0U);
    EXPECT_EQ(coinbase.serialize_without_witness(), coinbase_of(job, choice));
    EXPECT_EQ(chain::height_of_coinbase(coinbase.inputs[0].script), source.height);
    EXPECT_EQ(coinbase.outputs[0].value_sat, source.coinbase_value_sat);
    EXPECT_EQ(coinbase.has_witness(), source.segwit);
    const auto commitment = chain::witness_commitment_of(coinbase);
    ASSERT_EQ(commitment.has_value(), source.segwit);
    ASSERT_EQ(coinbase.outputs.size(), source.segwit ? 2U : 1U);
    if (!source.segwit) return;
    ASSERT_EQ(coinbase.inputs[0].witness.size(), 1U);
    EXPECT_EQ(coinbase.inputs[0].witness[0], base::Bytes(32));
    EXPECT_EQ(*commitment, chain::sha256d_pair(block->witness_merkle_root(), {}));
    EXPECT_EQ(coinbase.outputs[1].value_sat, 0);
}

TEST(BlockOf, ParsesBackWithItsMerkleRootAndCommitment) {
    std::mt19937 random(7);
    for (const bool segwit : {false, true}) {
        for (const std::size_t transactions : {0U, 1U, 2U, 3U, 6U, 7U, 251U, 252U, 253U, 300U}) {
            const auto job = make_job({.seed = static_cast<std::uint32_t>(random()),
                                       .height = static_cast<std::int32_t>(1 + random() % 900'000),
                                       .transactions = transactions,
                                       .segwit = segwit});
            HeaderChoice choice;
            choice.variant = static_cast<std::uint8_t>(random());
            choice.extranonce1 = static_cast<std::uint32_t>(random());
            for (auto& byte : choice.extranonce2)
                byte = static_cast<std::uint8_t>(random());
            choice.ntime = job->ntime + 5;
            choice.nonce = static_cast<std::uint32_t>(random());
            choice.version = job->version | 0x2000;
            SCOPED_TRACE(transactions);
            expect_sound(*job, choice);
        }
    }
}

TEST(CoinbaseOf, HasVariantAndExtranoncesInWireOrder) {
    const auto job = make_job({});
    HeaderChoice choice;
    choice.variant = 0xaa;
    choice.extranonce1 = 0x01020304;
    choice.extranonce2 = {5, 6, 7, 8, 9, 10, 11, 12};
    EXPECT_EQ(base::to_hex(coinbase_of(*job, choice)), base::to_hex(job->coinbase_head) +
                                                           "aa0102030405060708090a0b0c" +
                                                           base::to_hex(job->coinbase_tail));
}

}  // namespace
}  // namespace adit::job
