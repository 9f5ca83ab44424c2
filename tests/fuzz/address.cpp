// The input is taken as an address, as a script and as a compact target: what is accepted comes
// back the same, and nothing makes the decoders fail otherwise than by an error.
#include "chain/address.h"

#include "base/check.h"

#include <algorithm>

using namespace adit;

namespace {

void check_encodings(std::string_view text) {
    if (const auto content = chain::bech32_decode(text)) {
        const auto again = chain::bech32_decode(chain::bech32_encode(*content));
        ADIT_CHECK(again && again->variant == content->variant && again->hrp == content->hrp &&
                       again->values == content->values,
                   "bech32 comes back");
    }
    if (const auto payload = chain::base58check_decode(text)) {
        ADIT_CHECK(chain::base58check_encode(*payload) == text, "Base58 has one spelling");
    }
}

void check_network(std::string_view text, const chain::NetworkParams& network) {
    const auto script = chain::script_of_address(text, network);
    const auto canonical = chain::canonical_address(text, network);
    ADIT_CHECK(script.has_value() == canonical.has_value(), "both accept the same");
    if (script) {
        ADIT_CHECK(chain::address_of_script(*script, network) == *canonical, "one name each");
        ADIT_CHECK(chain::script_of_address(*canonical, network) == *script, "and it is valid");
    } else {
        ADIT_CHECK(!chain::describe(script.error()).empty(), "every error has a sentence");
    }
    if (const auto address = chain::address_of_script(base::as_bytes(text), network)) {
        const auto back = chain::script_of_address(*address, network);
        ADIT_CHECK(back && std::ranges::equal(*back, base::as_bytes(text)), "scripts come back");
    }
}

void check_target(std::uint32_t bits) {
    const auto target = chain::target_from_compact(bits);
    if (!target) return;
    const auto packed = chain::compact_from_target(*target);
    ADIT_CHECK(chain::target_from_compact(packed) == target, "the short form is the same target");
    const auto difficulty = chain::Difficulty::from_target(*target);
    ADIT_CHECK(difficulty.target() >= *target, "never harder than the block");
    ADIT_CHECK(chain::work_of(*target) > 0, "every target takes work");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = base::as_text({data, size});
    check_encodings(text);
    for (const auto network : {chain::Network::main, chain::Network::testnet4,
                               chain::Network::signet, chain::Network::regtest}) {
        check_network(text, chain::params(network));
    }
    if (size >= 4) check_target(base::load_le<std::uint32_t>(data));
    return 0;
}
