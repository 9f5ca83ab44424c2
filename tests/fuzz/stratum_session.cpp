// A whole conversation with a session: lines of the miner, and lines that begin with '!' for what
// happens on the pool's side (see event()). Whatever comes in, what goes out is well-formed, every
// set_difficulty is directly followed by its notify, and no share is accepted twice.
#include "base/check.h"
#include "stratum/request.h"
#include "stratum/scripted_host.h"

#include <algorithm>

namespace {

using namespace adit;
using namespace adit::stratum;

void check_output(std::string_view out) {
    ADIT_CHECK(out.empty() || out.back() == '\n', "replies are whole lines");
    bool told = false;
    for (const auto& line : ScriptedMiner::split(out)) {
        ADIT_CHECK(valid_json(line, kMaxDepth), "replies are JSON");
        if (told) ADIT_CHECK(line.contains("mining.notify"), "notify follows set_difficulty");
        told = line.starts_with(R"({"id":null,"method":"mining.set_difficulty")");
    }
    ADIT_CHECK(!told, "no difficulty without its job");
}

void event(char what, ScriptedHost& host, ScriptedMiner& miner) {
    std::string out;
    switch (what) {
        case 'b':
            out = ScriptedMiner::joined(miner.job(host.new_block()));
            break;
        case 'j':
            out = ScriptedMiner::joined(miner.job(host.refresh()));
            break;
        case 's':
            host.clock.advance_ms(1'000);
            break;
        case 'm':
            host.clock.advance_ms(61'000);
            break;
        case 'h':
            host.clock.advance_ms(601'000);
            break;
        case 'w':
            host.clock.step_wall_ms(-7'300'000);
            break;
        case 'd':
            host.config.difficulty_min *= 64;
            break;
        case 'v':
            host.config.version_mask ^= 0x2000;
            break;
        case 'f':
            miner.commit = share::CommitResult::failed;
            break;
        case 'o':
            miner.commit = share::CommitResult::committed;
            break;
        case 't':
            out = ScriptedMiner::joined(miner.tick());
            break;
        default:
            return;
    }
    check_output(out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input(reinterpret_cast<const char*>(data), size);
    ScriptedHost host;
    host.config.transactions = true;
    host.config.workers_per_connection = 3;
    ScriptedMiner miner(host);
    for (int lines = 0; !input.empty() && lines < 200; ++lines) {
        const auto end = std::min(input.find('\n'), input.size());
        const auto line = input.substr(0, end);
        input.remove_prefix(std::min(end + 1, input.size()));
        if (line.starts_with('!') && line.size() == 2) {
            event(line[1], host, miner);
        } else {
            check_output(miner.ask(line));
        }
        ADIT_CHECK(miner.session.in_flight() == 0, "every accepted share is answered");
        ADIT_CHECK(miner.session.workers().size() <= 3, "names are bounded");
        if (miner.action != Action::none) break;
    }
    return 0;
}
