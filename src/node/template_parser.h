// getblocktemplate's answer (BIP22, BIP23, BIP9, BIP145) to job::BlockTemplate. Nothing in the
// answer is believed that can be checked: transactions are hashed, their order and number are
// compared with the node's own witness commitment, and the coinbase value with subsidy and fees.
//
// Safe from any thread: templates of several nodes share one cache, under one lock.
#pragma once

#include "job/template.h"

#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace simdjson::dom {
class element;
}

namespace adit::node {

enum class TemplateFault {
    not_json,
    not_an_object,
    missing_field,
    wrong_type,
    bad_height,
    bad_previous,
    bad_bits,
    bad_version,
    bad_time,
    bad_value,  // coinbasevalue negative or above subsidy + fees
    bad_weight_limit,
    unknown_rule,     // a rule marked "!" that this pool does not understand
    bad_transaction,  // not hex or not a transaction
    wrong_txid,       // the data hashes to another id
    duplicate_transaction,
    bad_fee,
    bad_depends,          // refers to itself, to a later or to a missing transaction
    commitment_mismatch,  // the transactions are not those the node has committed to
    too_heavy,
};
inline constexpr std::size_t kTemplateFaults = 19;
std::string_view name_of(TemplateFault fault);

struct TemplateError {
    TemplateFault fault = TemplateFault::not_json;
    std::string message;  // names the field or transaction
};

// Transactions by txid, each held once for all templates (and, through them, jobs) that contain it.
// An entry leaves when it was in none of the last kKeepTemplates templates and nobody else holds
// it. Not thread-safe: the parser's lock guards it.
class TransactionCache {
 public:
    using Ref = std::shared_ptr<const job::TemplateTransaction>;
    static constexpr std::uint64_t kKeepTemplates = 4;

    // Null when unknown.
    Ref find(const chain::Hash256& txid);
    void insert(Ref transaction);
    // Ends one template: forgets what is no longer needed.
    void end_template();
    std::size_t size() const { return entries_.size(); }

 private:
    struct Entry {
        Ref transaction;
        std::uint64_t used = 0;
    };
    std::unordered_map<chain::Hash256, Entry, chain::Hash256Hasher> entries_;
    std::uint64_t generation_ = 1;
};

class TemplateParser {
 public:
    using Result = std::expected<job::TemplateRef, TemplateError>;

    explicit TemplateParser(chain::Network network) : network_(network) {}

    // The "result" of getblocktemplate. `node` becomes BlockTemplate::node.
    Result parse(const simdjson::dom::element& result, const std::string& node);
    // The same from JSON text.
    Result parse_text(std::string_view json, const std::string& node);

    // Transactions held at present.
    std::size_t cached_transactions() const;

 private:
    chain::Network network_;
    mutable std::mutex mutex_;
    TransactionCache cache_;
};

}  // namespace adit::node
