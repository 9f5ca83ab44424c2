#include "node/template_parser.h"

#include "chain/block.h"
#include "node/raw_transaction.h"
#include "node/scripted_node_testing.h"

#include <gtest/gtest.h>

namespace adit::node {
namespace {

using testing::template_transaction;

// The fields of a template as text, to be replaced one by one.
struct TemplateText {
    std::map<std::string, std::string> fields{
        {"version", "536870912"},
        {"rules", R"(["csv","!segwit"])"},
        {"previousblockhash", "\"" + std::string(63, '0') + "1\""},
        {"height", "101"},
        {"bits", "\"207fffff\""},
        {"curtime", "1700000000"},
        {"mintime", "1699999000"},
        {"coinbasevalue", "5000000000"},
        {"weightlimit", "4000000"},
        {"longpollid", "\"abc1\""},
        {"transactions", "[]"},
    };

    TemplateText& with(const std::string& key, const std::string& value) {
        fields[key] = value;
        return *this;
    }
    TemplateText& without(const std::string& key) {
        fields.erase(key);
        return *this;
    }
    std::string text() const {
        std::string out;
        for (const auto& [key, value] : fields) {
            out += fmt::format("{}\"{}\":{}", out.empty() ? "{" : ",", key, value);
        }
        return out + "}";
    }
};

TemplateParser::Result parse(const TemplateText& text) {
    return TemplateParser(chain::Network::regtest).parse_text(text.text(), "a");
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), by);
}

TEST(TemplateParser, ReadsEveryField) {
    const auto list =
        fmt::format("[{},{}]", template_transaction(700, 1), template_transaction(300, 2, "[1]"));
    const auto got =
        parse(TemplateText().with("transactions", list).with("coinbasevalue", "5000001000"));
    ASSERT_TRUE(got) << got.error().message;
    const auto& content = **got;
    EXPECT_EQ(content.height, 101);
    EXPECT_EQ(content.previous.rpc_hex(), std::string(63, '0') + "1");
    EXPECT_EQ(content.version, 0x20000000u);
    EXPECT_EQ(content.bits, 0x207fffffu);
    EXPECT_EQ(content.min_time, 1'699'999'000u);
    EXPECT_EQ(content.current_time, 1'700'000'000u);
    EXPECT_EQ(content.coinbase_value_sat, 5'000'001'000);
    EXPECT_EQ(content.fees_sat(), 1'000);
    EXPECT_TRUE(content.segwit);
    EXPECT_TRUE(content.complete);
    EXPECT_EQ(content.longpoll_id, "abc1");
    EXPECT_EQ(content.node, "a");
    ASSERT_EQ(content.transactions.size(), 2u);
    const auto parsed = chain::parse_transaction(content.transactions[0]->raw);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(content.transactions[0]->txid, parsed->txid());
    EXPECT_EQ(content.transactions[0]->wtxid, parsed->wtxid());
    EXPECT_EQ(content.transactions[0]->weight, parsed->weight());
}

TEST(TemplateParser, OnlyTheRulesDecideAboutSegwit) {
    // bcoin sends a commitment before segwit is active.
    const auto commitment = "\"6a24aa21a9ed" + std::string(64, '0') + "\"";
    const std::pair<const char*, bool> cases[] = {
        {R"(["csv"])", false}, {R"([])", false}, {R"(["segwit"])", true}, {R"(["!segwit"])", true}};
    for (const auto& [rules, segwit] : cases) {
        TemplateText text;
        text.with("rules", rules);
        if (!segwit) text.with("default_witness_commitment", commitment);
        const auto got = parse(text);
        ASSERT_TRUE(got) << rules << got.error().message;
        EXPECT_EQ((*got)->segwit, segwit) << rules;
    }
    EXPECT_FALSE((*parse(TemplateText().without("rules")))->segwit);
}

struct FaultCase {
    const char* name;
    TemplateText text;
    TemplateFault fault;
};

using Faults = std::vector<FaultCase>;

Faults faults_of_types() {
    Faults cases;
    for (const auto* field : {"version", "previousblockhash", "height", "bits", "curtime",
                              "mintime", "coinbasevalue", "transactions"}) {
        using F = TemplateFault;
        cases.push_back({field, TemplateText().without(field), F::missing_field});
        cases.push_back({field, TemplateText().with(field, "{}"), F::wrong_type});
        cases.push_back({field, TemplateText().with(field, "null"), F::wrong_type});
        cases.push_back({field, TemplateText().with(field, "1.5"), F::wrong_type});
    }
    return cases;
}

Faults faults_of_values() {
    using F = TemplateFault;
    return {
        {"height 0", TemplateText().with("height", "0"), F::bad_height},
        {"height -5", TemplateText().with("height", "-5"), F::bad_height},
        {"height huge", TemplateText().with("height", "4294967296"), F::bad_height},
        {"height text", TemplateText().with("height", "\"9\""), F::wrong_type},
        {"previous short", TemplateText().with("previousblockhash", "\"00\""), F::bad_previous},
        {"previous zero",
         TemplateText().with("previousblockhash", "\"" + std::string(64, '0') + "\""),
         F::bad_previous},
        {"bits short", TemplateText().with("bits", "\"1d00\""), F::bad_bits},
        {"bits negative", TemplateText().with("bits", "\"04923456\""), F::bad_bits},
        {"bits too easy", TemplateText().with("bits", "\"217fffff\""), F::bad_bits},
        {"version 0", TemplateText().with("version", "0"), F::bad_version},
        {"version huge", TemplateText().with("version", "4294967296"), F::bad_version},
        {"time 0", TemplateText().with("curtime", "0"), F::bad_time},
        {"time huge", TemplateText().with("mintime", "4294967296"), F::bad_time},
        {"value negative", TemplateText().with("coinbasevalue", "-1"), F::bad_value},
        {"value too high", TemplateText().with("coinbasevalue", "5000000001"), F::bad_value},
        {"value absurd", TemplateText().with("coinbasevalue", "9000000000000000000"), F::bad_value},
        {"weight 0", TemplateText().with("weightlimit", "0"), F::bad_weight_limit},
        {"weight huge", TemplateText().with("weightlimit", "4000001"), F::bad_weight_limit},
        {"longpollid", TemplateText().with("longpollid", "7"), F::wrong_type},
        {"longpollid long", TemplateText().with("longpollid", "\"" + std::string(600, 'a') + "\""),
         F::wrong_type},
        {"rules no list", TemplateText().with("rules", "{}"), F::wrong_type},
        {"rules no text", TemplateText().with("rules", "[1]"), F::wrong_type},
        {"rule unknown", TemplateText().with("rules", R"(["!future"])"), F::unknown_rule},
    };
}

Faults faults_of_transactions() {
    using F = TemplateFault;
    const auto one = template_transaction(500, 1);
    const auto two = template_transaction(500, 2);
    const auto list = [](const std::string& content) { return "[" + content + "]"; };
    const auto with = [&](const std::string& content) {
        return TemplateText().with("transactions", list(content)).with("coinbasevalue", "1000");
    };
    return {
        {"transaction no object", with("1"), F::bad_transaction},
        {"transaction no hex", with(replaced(one, R"("data":")", R"("data":"zz)")),
         F::bad_transaction},
        {"transaction cut", with(replaced(one, R"("data":"02)", R"("data":")")),
         F::bad_transaction},
        {"transaction no data", with(replaced(one, "\"data\"", "\"dada\"")), F::bad_transaction},
        {"transaction bad hash", with(replaced(one, R"("hash":")", R"("hash":"0)")),
         F::bad_transaction},
        {"transaction bad txid", with(replaced(one, R"("txid":")", R"("txid":"0)")),
         F::bad_transaction},
        {"transaction of another id", with(replaced(one, R"("data":"02)", R"("data":"03)")),
         F::wrong_txid},
        {"transaction twice", with(one + "," + one), F::duplicate_transaction},
        {"fee negative", with(template_transaction(-1, 1)), F::bad_fee},
        {"fee absurd", with(template_transaction(2'100'000'000'000'001, 1)), F::bad_fee},
        {"fee missing", with(replaced(one, "\"fee\"", "\"fie\"")), F::bad_fee},
        {"fees overflow",
         with(template_transaction(2'100'000'000'000'000, 1) + "," +
              template_transaction(2'100'000'000'000'000, 2)),
         F::bad_fee},
        {"depends on itself", with(template_transaction(1, 1, "[1]")), F::bad_depends},
        {"depends on a later one", with(template_transaction(1, 1, "[2]") + "," + two),
         F::bad_depends},
        {"depends on none", with(one + "," + template_transaction(1, 3, "[0]")), F::bad_depends},
        {"depends on a missing one", with(one + "," + template_transaction(1, 3, "[9]")),
         F::bad_depends},
        {"depends no list", with(template_transaction(1, 1, "1")), F::bad_depends},
        {"depends no number", with(one + "," + template_transaction(1, 3, R"(["1"])")),
         F::bad_depends},
        {"too heavy",
         with(one)
             .with("weightlimit", "4000")
             .with("transactions",
                   [&] {
                       std::string many;
                       for (std::uint32_t i = 0; i < 20; ++i) {
                           many += (i == 0 ? "" : ",") + template_transaction(1, i);
                       }
                       return list(many);
                   }()),
         F::too_heavy},
        {"missing transaction",
         with(one).with("default_witness_commitment",
                        "\"6a24aa21a9ed" + std::string(64, '0') + "\""),
         F::commitment_mismatch},
        {"commitment no text", with(one).with("default_witness_commitment", "1"), F::wrong_type},
    };
}

TEST(TemplateParser, NamesEveryFault) {
    ASSERT_TRUE(parse(TemplateText()));
    for (const auto& cases : {faults_of_types(), faults_of_values(), faults_of_transactions()}) {
        for (const auto& row : cases) {
            const auto got = parse(row.text);
            ASSERT_FALSE(got) << row.name;
            EXPECT_EQ(name_of(got.error().fault), name_of(row.fault))
                << row.name << ": " << got.error().message;
            EXPECT_FALSE(got.error().message.empty());
        }
    }
    TemplateParser parser(chain::Network::regtest);
    EXPECT_EQ(parser.parse_text("{", "a").error().fault, TemplateFault::not_json);
    EXPECT_EQ(parser.parse_text("[]", "a").error().fault, TemplateFault::not_an_object);
}

TEST(TemplateParser, AcceptsTheCommitmentOfItsTransactions) {
    const auto text = template_transaction(500, 1);
    const auto plain = parse(TemplateText().with("transactions", "[" + text + "]"));
    ASSERT_TRUE(plain);
    const auto script = chain::witness_commitment_script(
        chain::merkle_root({chain::Hash256{}, (*plain)->transactions[0]->wtxid}), {});
    const auto got =
        parse(TemplateText()
                  .with("transactions", "[" + text + "]")
                  .with("default_witness_commitment", "\"" + base::to_hex(script) + "\""));
    EXPECT_TRUE(got) << got.error().message;
}

TEST(TemplateParser, ComputesAHashThatIsNotGiven) {
    auto text = template_transaction(500, 1);
    const auto whole = parse(TemplateText().with("transactions", "[" + text + "]"));
    const auto bare = parse(
        TemplateText().with("transactions", "[" + replaced(text, "\"hash\"", "\"none\"") + "]"));
    ASSERT_TRUE(whole && bare);
    EXPECT_EQ((*bare)->transactions[0]->wtxid, (*whole)->transactions[0]->wtxid);
}

TEST(TemplateParser, HoldsATransactionOnceAndForgetsItWhenNobodyNeedsIt) {
    TemplateParser parser(chain::Network::regtest);
    const auto take = [&](const std::string& list) {
        return *parser.parse_text(TemplateText().with("transactions", "[" + list + "]").text(),
                                  "a");
    };
    const auto first = take(template_transaction(5, 1));
    const auto again = take(template_transaction(5, 1) + "," + template_transaction(5, 2));
    EXPECT_EQ(first->transactions[0], again->transactions[0]);
    auto held = again->transactions[1];
    EXPECT_EQ(parser.cached_transactions(), 2u);
    for (int i = 0; i < 10; ++i)
        take(template_transaction(5, 1));
    EXPECT_EQ(parser.cached_transactions(), 2u) << "a job still holds the second";
    const auto* const address = held.get();
    EXPECT_EQ(take(template_transaction(5, 2))->transactions[0].get(), address);
}

TEST(TemplateParser, ForgetsTransactionsOfBrokenTemplates) {
    TemplateParser parser(chain::Network::regtest);
    for (std::uint32_t i = 0; i < 50; ++i) {
        const auto text =
            TemplateText().with("transactions", "[" + template_transaction(5, i) + ",1]").text();
        EXPECT_FALSE(parser.parse_text(text, "a"));
    }
    EXPECT_LE(parser.cached_transactions(), TransactionCache::kKeepTemplates + 1);
}

TEST(RawTransaction, AgreesWithTheFullParserAndRefusesEveryCut) {
    chain::Transaction transaction;
    transaction.inputs.resize(2);
    transaction.inputs[0].previous.txid.bytes[0] = 1;
    transaction.inputs[1].script = base::Bytes(300, 7);
    transaction.outputs.resize(3);
    base::Bytes scratch;
    for (const bool witness : {false, true}) {
        if (witness) transaction.inputs[1].witness = {base::Bytes(72, 1), {}};
        const auto raw = transaction.serialize();
        const auto ids = ids_of_transaction(raw, scratch);
        ASSERT_TRUE(ids);
        EXPECT_EQ(ids->txid, transaction.txid());
        EXPECT_EQ(ids->wtxid, transaction.wtxid());
        EXPECT_EQ(ids->weight, transaction.weight());
        for (std::size_t size = 0; size < raw.size(); ++size) {
            EXPECT_FALSE(ids_of_transaction(base::ByteSpan(raw).first(size), scratch)) << size;
        }
        auto longer = raw;
        longer.push_back(0);
        EXPECT_FALSE(ids_of_transaction(longer, scratch));
    }
}

}  // namespace
}  // namespace adit::node
