// From the arrival of a full template to the first miner that hears of it: 3,000 transactions,
// about 3.7 MB of JSON, parsed and checked, made into a job, recorded and sent over TCP.
//
//   template_bench            cold (no transaction known) and warm (all known), best of ten
//   template_bench --quick    once each, only shows that it runs
#include "chain/block.h"
#include "job/job_maker.h"
#include "job/sample_template.h"
#include "load_client.h"
#include "node/template_parser.h"
#include "pool_server.h"
#include "stratum/server.h"

#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace adit;

constexpr std::size_t kTransactions = 3'000;
constexpr std::size_t kWitnessBytes = 400;

// Everything is taken and nothing kept: the log is measured elsewhere.
class NoRecorder final : public share::Recorder {
 public:
    share::AccountId account(std::string_view) override { return 1; }
    share::WorkerId worker(share::AccountId, std::string_view) override { return 1; }
    void record_job(job::JobRef) override {}
    bool submit(share::ShareBatch&) override { return false; }
    share::LogPosition durable_position() const override { return 0; }
};
class NoBlocks final : public job::BlockSink {
 public:
    void submit(std::shared_ptr<const job::BlockCandidate>) override {}
};
class Counting final : public stratum::ExtranonceSource {
 public:
    std::optional<Range> reserve(std::uint64_t count) override { return Range{0, count}; }
};

std::string transaction_json(const chain::Transaction& transaction, std::int64_t fee_sat) {
    return fmt::format(
        R"({{"data":"{}","txid":"{}","hash":"{}","depends":[],"fee":{},"sigops":4,"weight":{}}})",
        base::to_hex(transaction.serialize()), transaction.txid().rpc_hex(),
        transaction.wtxid().rpc_hex(), fee_sat, transaction.weight());
}

// getblocktemplate's result; `block` makes the previous block, and so the job, a different one.
std::string template_json(std::uint32_t seed, std::uint8_t block) {
    std::mt19937 random(seed);
    std::string transactions;
    std::vector<chain::Hash256> wtxids{chain::Hash256{}};
    std::int64_t fees_sat = 0;
    for (std::size_t i = 0; i < kTransactions; ++i) {
        chain::Transaction transaction;
        auto& input = transaction.inputs.emplace_back();
        input.previous = {job::random_hash(random), 0};
        input.witness = {job::random_bytes(random, kWitnessBytes), job::random_bytes(random, 33)};
        for (int output = 0; output < 3; ++output) {
            transaction.outputs.push_back({1000, job::random_bytes(random, 34)});
        }
        if (!transactions.empty()) transactions += ',';
        transactions += transaction_json(transaction, 500);
        wtxids.push_back(transaction.wtxid());
        fees_sat += 500;
    }
    chain::Hash256 previous;
    previous.bytes.fill(block);
    const auto commitment = chain::witness_commitment_script(chain::merkle_root(wtxids), {});
    return fmt::format(
        R"({{"capabilities":["proposal"],"version":536870912,"rules":["csv","!segwit","taproot"],)"
        R"("vbavailable":{{}},"vbrequired":0,"previousblockhash":"{}","transactions":[{}],)"
        R"("coinbaseaux":{{}},"coinbasevalue":{},"longpollid":"x","target":"{}",)"
        R"("mintime":1713570001,)"
        R"("mutable":["time","transactions","prevblock"],"noncerange":"00000000ffffffff",)"
        R"("sigoplimit":80000,"sizelimit":4000000,"weightlimit":4000000,"curtime":1713571767,)"
        R"("bits":"1703255b","height":840001,"default_witness_commitment":"{}"}})",
        previous.rpc_hex(), transactions, 312'500'000 + fees_sat,
        chain::target_from_compact(0x1703255b)->value.to_hex(), base::to_hex(commitment));
}

// Reads until a whole notify has come.
void await_notify(int fd) {
    std::string received;
    char buffer[1 << 16];
    while (received.find("mining.notify") == std::string::npos || received.back() != '\n') {
        const auto got = ::recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0) throw std::runtime_error("the server ended the connection");
        received.append(buffer, static_cast<std::size_t>(got));
    }
}

void run(int rounds) {
    base::SystemClock clock;
    base::Logger logger(base::LogLevel::error);
    metrics::Registry registry;
    NoRecorder recorder;
    NoBlocks blocks;
    Counting extranonces;
    stratum::ServerSettings settings;
    settings.listen.push_back({"127.0.0.1:0", "", "", false});
    auto session = std::make_shared<stratum::SessionSettings>();
    session->network = chain::Network::regtest;
    settings.session = session;
    stratum::Server server(settings, recorder, blocks, extranonces, clock, registry, logger);
    job::JobMaker maker({base::Bytes{0x51}, "/bench/"}, 1);
    server.start();
    const auto publish = [&](node::TemplateParser& parser, std::string_view json) {
        const auto parsed = parser.parse_text(json, "bench");
        if (!parsed) throw std::runtime_error(parsed.error().message);
        const auto job = maker.make(*parsed, clock.steady_ms());
        if (!job) throw std::runtime_error(std::string(job::describe(job.error())));
        recorder.record_job(*job);
        server.set_job(*job);
    };
    node::TemplateParser first(chain::Network::main);
    publish(first, template_json(1, 1));
    const int miner = bench::connect_to("127.0.0.1", server.addresses().front().port);
    bench::open_session(miner, 0);
    std::uint8_t block = 2;
    const auto measure = [&](node::TemplateParser& parser, std::uint32_t seed) {
        const auto json = template_json(seed, block++);
        const auto begin = clock.steady_ns();
        publish(parser, json);
        await_notify(miner);
        return std::pair(static_cast<double>(clock.steady_ns() - begin) / 1e6, json.size());
    };
    double cold_ms = 1e9;
    double warm_ms = 1e9;
    std::size_t size = 0;
    for (int round = 0; round < rounds; ++round) {
        node::TemplateParser parser(chain::Network::main);
        const auto cold = measure(parser, 7);
        cold_ms = std::min(cold_ms, cold.first);
        warm_ms = std::min(warm_ms, measure(parser, 7).first);
        size = cold.second;
    }
    ::close(miner);
    std::printf(
        "template of %zu transactions, %.1f MB of JSON, to the first notify: %.2f ms cold, "
        "%.2f ms with all transactions known\n",
        kTransactions, static_cast<double>(size) / 1e6, cold_ms, warm_ms);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(argc > 1 && std::string_view(argv[1]) == "--quick" ? 1 : 10);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "template_bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
