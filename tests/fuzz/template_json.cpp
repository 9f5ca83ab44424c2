// getblocktemplate answers: whatever the bytes, the parser yields a template that is consistent or
// a named fault, and its cache stays bounded.
#include "base/check.h"
#include "node/template_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace adit;
    static node::TemplateParser parser(chain::Network::regtest);
    const auto text = base::as_text({data, size});
    const auto got = parser.parse_text(text, "fuzz");
    if (!got) {
        ADIT_CHECK(!got.error().message.empty(), "every fault is explained");
        return 0;
    }
    const auto& content = **got;
    std::uint64_t weight = 0;
    for (const auto& transaction : content.transactions) {
        ADIT_CHECK(transaction->fee_sat >= 0, "fees are not negative");
        weight += transaction->weight;
    }
    ADIT_CHECK(weight <= content.weight_limit, "the transactions fit");
    ADIT_CHECK(content.height > 0 && !content.previous.is_zero(), "there is a block to build on");
    ADIT_CHECK(content.current_time >= content.min_time, "time does not go back");
    ADIT_CHECK(chain::target_from_compact(content.bits).has_value(), "bits are a target");
    const auto most = chain::block_subsidy_sat(chain::params(content.network), content.height) +
                      content.fees_sat();
    ADIT_CHECK(content.coinbase_value_sat <= most, "no money from nowhere");
    return 0;
}
