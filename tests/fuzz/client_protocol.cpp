// A pool that says anything at all to the miner's side of Stratum. The first byte decides how far
// the opening went before; every job that comes through is also mined for a moment.
#include "miner/client_protocol.h"

#include "miner/scanner.h"

namespace {

using namespace adit;

void open_session(miner::ClientProtocol& protocol, std::uint8_t how_far) {
    protocol.on_connected();
    if (how_far > 0) {
        protocol.on_line(R"({"id":1,"result":{"version-rolling":true,)"
                         R"("version-rolling.mask":"1fffe000"},"error":null})");
        protocol.on_line(
            R"({"id":2,"result":[[["mining.notify","s"]],"01020304",8],"error":null})");
    }
    if (how_far > 1) protocol.on_line(R"({"id":3,"result":true,"error":null})");
}

void mine_a_moment(miner::ClientProtocol& protocol, const miner::PoolJobRef& job) {
    const auto& kernel = chain::sha256_kernel();
    std::vector<miner::Share> found;
    miner::scan(miner::make_unit(job, 5, kernel), 0, 4, kernel, found);
    for (auto& share : found)
        protocol.submit(std::move(share));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    miner::ClientSettings settings;
    settings.user = "account";
    miner::ClientProtocol protocol(settings);
    open_session(protocol, data[0] % 3);
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        for (const auto& action : protocol.on_line(rest.substr(0, end))) {
            if (const auto* work = std::get_if<miner::action::Work>(&action)) {
                mine_a_moment(protocol, work->job);
            }
            if (std::holds_alternative<miner::action::Fail>(action)) {
                protocol.on_disconnected();
                open_session(protocol, 2);
            }
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    protocol.give_up();
    return 0;
}
