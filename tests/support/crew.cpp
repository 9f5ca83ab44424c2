#include "tests/support/crew.h"

#include <thread>

namespace adit::tests {

miner::PoolMiner& Crew::add(const MinerSetup& setup) {
    miner::PoolMinerSettings settings;
    settings.connection.pool = {setup.host, setup.port, setup.tls};
    settings.connection.client.user = setup.user;
    settings.connection.ca_file = setup.ca_file;
    settings.connection.first_pause_ms = 20;
    settings.connection.longest_pause_ms = 200;
    settings.cpu.threads = 1;
    settings.cpu.hashes_per_s = setup.hashes_per_s;
    miner::PoolMinerEvents events;
    events.on_reply = [this](const miner::ShareReply& reply) { book_.note(reply); };
    miners_.push_back(
        std::make_unique<miner::PoolMiner>(std::move(settings), clock_, std::move(events)));
    miners_.back()->start();
    return *miners_.back();
}

void Crew::stop(std::uint32_t drain_ms) {
    std::vector<std::jthread> stoppers;
    for (auto& miner : miners_)
        stoppers.emplace_back([&miner, drain_ms] { miner->stop(drain_ms); });
}

bool Crew::all_connected() const {
    return std::ranges::all_of(miners_, [](const auto& miner) { return miner->stats().connected; });
}

std::uint64_t Crew::reconnects() const {
    std::uint64_t sum = 0;
    for (const auto& miner : miners_)
        sum += miner->stats().reconnects;
    return sum;
}

}  // namespace adit::tests
