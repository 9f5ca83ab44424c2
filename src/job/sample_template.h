// Made-up templates for tests and benchmarks: well-formed transactions with random contents, the
// same for the same seed. Never used by the pool itself.
#pragma once

#include "job/template.h"

#include <random>

namespace adit::job {

struct SampleTemplate {
    std::uint32_t seed = 1;
    std::int32_t height = 840'000;
    std::size_t transactions = 5;
    bool segwit = true;
    std::uint32_t bits = 0x1703255b;
};

inline base::Bytes random_bytes(std::mt19937& random, std::size_t size) {
    base::Bytes bytes(size);
    for (auto& byte : bytes)
        byte = static_cast<std::uint8_t>(random());
    return bytes;
}

inline chain::Hash256 random_hash(std::mt19937& random) {
    chain::Hash256 hash;
    for (auto& byte : hash.bytes)
        byte = static_cast<std::uint8_t>(random());
    return hash;
}

inline std::shared_ptr<const TemplateTransaction> sample_transaction(std::mt19937& random,
                                                                     bool segwit) {
    chain::Transaction transaction;
    const auto inputs = 1 + random() % 3;
    for (std::size_t i = 0; i < inputs; ++i) {
        auto& input = transaction.inputs.emplace_back();
        input.previous = {random_hash(random), static_cast<std::uint32_t>(random() % 4)};
        if (segwit) {
            input.witness = {random_bytes(random, 72), random_bytes(random, 33)};
        } else {
            input.script = random_bytes(random, 107);
        }
    }
    const auto outputs = 1 + random() % 3;
    for (std::size_t i = 0; i < outputs; ++i) {
        transaction.outputs.push_back(
            {static_cast<std::int64_t>(random()), random_bytes(random, 22)});
    }
    TemplateTransaction result;
    result.txid = transaction.txid();
    result.wtxid = transaction.wtxid();
    result.raw = transaction.serialize();
    result.fee_sat = random() % 10'000;
    result.weight = static_cast<std::uint32_t>(transaction.weight());
    return std::make_shared<const TemplateTransaction>(std::move(result));
}

inline BlockTemplate sample_template(const SampleTemplate& sample) {
    std::mt19937 random(sample.seed);
    BlockTemplate result;
    result.height = sample.height;
    result.previous = random_hash(random);
    result.bits = sample.bits;
    result.current_time = 1'713'571'767;
    result.min_time = 1'713'570'001;
    result.segwit = sample.segwit;
    for (std::size_t i = 0; i < sample.transactions; ++i) {
        result.transactions.push_back(sample_transaction(random, sample.segwit));
    }
    result.coinbase_value_sat = 312'500'000 + result.fees_sat();
    result.node = "sample";
    return result;
}

inline TemplateRef sample_template_ref(const SampleTemplate& sample) {
    return std::make_shared<const BlockTemplate>(sample_template(sample));
}

}  // namespace adit::job
