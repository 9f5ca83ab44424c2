// What a full share check costs, as ratios in one run against the same check on OpenSSL's
// SHA256_Init/Update/Final, one share at a time; and how long a job of 3,000 transactions takes.
// Variants take turns, and the best round of each counts, so that a busy machine disturbs all
// alike.
//   share_bench [--quick]
// Exit code 1 when the two ways disagree about a hash.
#define OPENSSL_SUPPRESS_DEPRECATED  // the one-shot calls of OpenSSL 3 are slower still

#include "base/clock.h"
#include "job/job_maker.h"
#include "job/sample_template.h"
#include "share/share_processor.h"

#include <openssl/sha.h>

#include <cstdio>
#include <limits>

namespace {

using namespace adit;

constexpr std::size_t kTransactions = 3'000;  // 12 branches
constexpr std::size_t kCoinbaseSize = 300;
constexpr std::size_t kShares = 256;

chain::Hash256 openssl_sha256d(std::initializer_list<base::ByteSpan> parts) {
    chain::Hash256 hash;
    SHA256_CTX context;
    SHA256_Init(&context);
    for (const auto part : parts)
        SHA256_Update(&context, part.data(), part.size());
    SHA256_Final(hash.bytes.data(), &context);
    SHA256_Init(&context);
    SHA256_Update(&context, hash.bytes.data(), hash.bytes.size());
    SHA256_Final(hash.bytes.data(), &context);
    return hash;
}

// The full check as one writes it without an own kernel.
share::CheckResult openssl_check(const share::CheckRequest& request) {
    const auto& job = *request.job;
    const auto& choice = request.choice;
    std::array<std::uint8_t, 13> extra;
    extra[0] = choice.variant;
    base::store_be32(extra.data() + 1, choice.extranonce1);
    std::copy(choice.extranonce2.begin(), choice.extranonce2.end(), extra.begin() + 5);
    auto root = openssl_sha256d({job.coinbase_head, extra, job.coinbase_tail});
    for (const auto& branch : job.branches)
        root = openssl_sha256d({root.bytes, branch.bytes});

    chain::BlockHeader header;
    header.version = static_cast<std::int32_t>(choice.version);
    header.previous = job.source->previous;
    header.merkle_root = root;
    header.time = choice.ntime;
    header.bits = job.bits;
    header.nonce = choice.nonce;
    share::CheckResult result;
    result.hash = openssl_sha256d({header.serialize()});
    result.meets_share = request.share_target.met_by(result.hash);
    result.meets_network = job.network_target.met_by(result.hash);
    return result;
}

// A job whose coinbase has exactly kCoinbaseSize bytes.
job::JobRef make_job(const job::TemplateRef& source) {
    job::JobMaker probe({.payout_script = base::Bytes(100, 0x51)}, 1);
    const auto size = job::coinbase_of(**probe.make(source, 0), {}).size();
    job::JobMaker maker({.payout_script = base::Bytes(100 + kCoinbaseSize - size, 0x51)}, 1);
    return maker.make(source, 0).value();
}

struct Variant {
    std::string name;
    std::function<void()> run;  // all kShares once
    double best_ns = std::numeric_limits<double>::max();
};

void measure(std::span<Variant> variants, int rounds, int repeats) {
    const base::SystemClock clock;
    for (int round = 0; round < rounds; ++round) {
        for (auto& variant : variants) {
            const auto begin = clock.steady_ns();
            for (int i = 0; i < repeats; ++i)
                variant.run();
            const auto ns = static_cast<double>(clock.steady_ns() - begin);
            variant.best_ns = std::min(variant.best_ns, ns / repeats / kShares);
        }
    }
}

void measure_job(const job::TemplateRef& source, int rounds) {
    const base::SystemClock clock;
    job::JobMaker maker({.payout_script = base::Bytes(22, 0x51)}, 1);
    auto best_ns = std::numeric_limits<std::int64_t>::max();
    for (int round = 0; round < rounds; ++round) {
        const auto begin = clock.steady_ns();
        const auto job = maker.make(source, 0);
        best_ns = std::min(best_ns, clock.steady_ns() - begin);
    }
    fmt::print("job of {} transactions, from template to notify line: {:.2f} ms\n",
               source->transactions.size(), static_cast<double>(best_ns) / 1e6);
}

// The shares to check and where each way leaves what it found.
struct Shares {
    explicit Shares(const job::JobRef& job)
        : requests(kShares),
          results(kShares),
          reference(kShares),
          pending(kShares),
          verdicts(kShares) {
        std::mt19937 random(1);
        for (std::size_t i = 0; i < kShares; ++i) {
            auto& request = requests[i];
            request = {job.get(), {}, chain::Difficulty::from_double(1024)->target()};
            request.choice.extranonce1 = static_cast<std::uint32_t>(random());
            request.choice.nonce = static_cast<std::uint32_t>(random());
            request.choice.ntime = job->ntime;
            request.choice.version = job->version;
            pending[i].job = job;
            pending[i].choice = request.choice;
            pending[i].difficulty = *chain::Difficulty::from_double(0x1p-40);  // met by all
        }
    }

    void check_with_openssl() {
        for (std::size_t i = 0; i < kShares; ++i)
            reference[i] = openssl_check(requests[i]);
    }
    void check(std::size_t batch) {
        for (std::size_t i = 0; i < kShares; i += batch) {
            const auto count = std::min(batch, kShares - i);
            validator.check(std::span(requests).subspan(i, count),
                            std::span(results).subspan(i, count));
        }
    }
    // The whole judgement, duplicates and all.
    void process(std::size_t turn) {
        share::DuplicateFilter filter;
        for (auto& share : pending)
            share.duplicates = &filter;
        for (std::size_t i = 0; i < kShares; i += turn) {
            processor.process(std::span(pending).subspan(i, turn),
                              std::span(verdicts).subspan(i, turn));
        }
    }
    bool agree() const {
        for (std::size_t i = 0; i < kShares; ++i) {
            if (results[i].hash != reference[i].hash) return false;
            if (verdicts[i].hash != reference[i].hash || verdicts[i].refusal) return false;
        }
        return true;
    }

    share::Validator validator;
    share::ShareProcessor processor;
    std::vector<share::CheckRequest> requests;
    std::vector<share::CheckResult> results;
    std::vector<share::CheckResult> reference;
    std::vector<share::PendingShare> pending;
    std::vector<share::Verdict> verdicts;
};

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::string_view(argv[1]) == "--quick";
    const auto source =
        job::sample_template_ref({.transactions = kTransactions, .bits = 0x1703255b});
    const auto job = make_job(source);
    Shares shares(job);

    std::vector<Variant> variants;
    variants.push_back({"OpenSSL SHA256_Init/Update/Final", [&] { shares.check_with_openssl(); }});
    for (const std::size_t batch : {1, 2, 3, 4, 8, 64}) {
        variants.push_back(
            {fmt::format("{} kernel, {} at a time", chain::sha256_kernel().name, batch),
             [&shares, batch] { shares.check(batch); }});
    }
    for (const std::size_t turn : {1, 8}) {
        variants.push_back({fmt::format("processor, {} in a turn", turn),
                            [&shares, turn] { shares.process(turn); }});
    }
    measure(variants, quick ? 2 : 500, quick ? 1 : 2);
    if (!shares.agree()) {
        fmt::print(stderr, "the kernel and OpenSSL disagree about a share\n");
        return 1;
    }

    fmt::print("full share check, {}-byte coinbase, {} branches\n", kCoinbaseSize,
               job->branches.size());
    for (const auto& variant : variants) {
        fmt::print("  {:<34} {:>7.0f} ns  {:>5.2f} x\n", variant.name, variant.best_ns,
                   variants[0].best_ns / variant.best_ns);
    }
    measure_job(source, quick ? 2 : 50);
    return 0;
}
