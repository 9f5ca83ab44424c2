#include "node/template_parser.h"

#include "chain/block.h"
#include "node/json.h"
#include "node/raw_transaction.h"

#include <unordered_set>

namespace adit::node {
namespace {

using Array = simdjson::dom::array;

constexpr std::int64_t kMaxHeight = 100'000'000;
constexpr std::int64_t kMaxMoneySat = 21'000'000LL * 100'000'000;
constexpr std::uint32_t kMaxWeight = 4'000'000;
constexpr std::size_t kMaxTransactions = 20'000;  // more do not fit into a block
constexpr std::size_t kMaxLongpollId = 512;

using Fault = TemplateFault;

std::unexpected<TemplateError> bad(Fault fault, std::string message) {
    return std::unexpected(TemplateError{fault, std::move(message)});
}

// A required field of type T.
template <class T>
std::expected<T, TemplateError> required(const Json& object, std::string_view key) {
    const auto field = json_field(object, key);
    if (!field) return bad(Fault::missing_field, fmt::format("the template has no {}", key));
    T value;
    if (field->get(value) != simdjson::SUCCESS) {
        return bad(Fault::wrong_type, fmt::format("{} of the template has the wrong type", key));
    }
    return value;
}

// A required integer from low to high.
std::expected<std::int64_t, TemplateError> ranged(const Json& object, std::string_view key,
                                                  std::int64_t low, std::int64_t high,
                                                  Fault fault) {
    const auto value = required<std::int64_t>(object, key);
    if (!value) return value;
    if (*value < low || *value > high) {
        return bad(fault, fmt::format("{} of the template is {}", key, *value));
    }
    return value;
}

// One template being read.
class Reading {
 public:
    Reading(chain::Network network, TransactionCache& cache) : network_(network), cache_(cache) {}

    TemplateParser::Result read(const Json& result, const std::string& node) {
        if (!result.is_object()) return bad(Fault::not_an_object, "the template is no object");
        template_->network = network_;
        template_->node = node;
        using Step = std::expected<void, TemplateError> (Reading::*)(const Json&);
        for (const Step step :
             {&Reading::header, &Reading::times, &Reading::limits, &Reading::rules,
              &Reading::transactions, &Reading::value, &Reading::commitment}) {
            if (auto done = (this->*step)(result); !done) return std::unexpected(done.error());
        }
        return std::move(template_);
    }

 private:
    using Done = std::expected<void, TemplateError>;

    Done header(const Json& result) {
        const auto height = ranged(result, "height", 1, kMaxHeight, Fault::bad_height);
        if (!height) return std::unexpected(height.error());
        template_->height = static_cast<std::int32_t>(*height);
        const auto previous = required<std::string_view>(result, "previousblockhash");
        if (!previous) return std::unexpected(previous.error());
        const auto hash = chain::Hash256::from_rpc_hex(*previous);
        if (!hash || hash->is_zero()) {
            return bad(Fault::bad_previous, "previousblockhash of the template is no block hash");
        }
        template_->previous = *hash;
        const auto version = ranged(result, "version", 1, UINT32_MAX, Fault::bad_version);
        if (!version) return std::unexpected(version.error());
        template_->version = static_cast<std::uint32_t>(*version);
        const auto text = required<std::string_view>(result, "bits");
        if (!text) return std::unexpected(text.error());
        const auto bits = base::parse_hex32(*text);
        const auto target = bits ? chain::target_from_compact(*bits) : std::nullopt;
        const auto limit = chain::target_from_compact(chain::params(network_).pow_limit_bits);
        if (!target || *target > *limit) {
            return bad(Fault::bad_bits, "bits of the template are no target of this chain");
        }
        template_->bits = *bits;
        return {};
    }

    Done times(const Json& result) {
        const auto min_time = ranged(result, "mintime", 1, UINT32_MAX, Fault::bad_time);
        if (!min_time) return std::unexpected(min_time.error());
        const auto now = ranged(result, "curtime", 1, UINT32_MAX, Fault::bad_time);
        if (!now) return std::unexpected(now.error());
        template_->min_time = static_cast<std::uint32_t>(*min_time);
        template_->current_time = static_cast<std::uint32_t>(std::max(*now, *min_time));
        return {};
    }

    Done limits(const Json& result) {
        if (json_field(result, "weightlimit")) {
            const auto limit =
                ranged(result, "weightlimit", 4'000, kMaxWeight, Fault::bad_weight_limit);
            if (!limit) return std::unexpected(limit.error());
            template_->weight_limit = static_cast<std::uint32_t>(*limit);
        }
        if (json_field(result, "longpollid")) {
            const auto id = required<std::string_view>(result, "longpollid");
            if (!id) return std::unexpected(id.error());
            if (id->size() > kMaxLongpollId)
                return bad(Fault::wrong_type, "longpollid is too long");
            template_->longpoll_id = *id;
        }
        return {};
    }

    Done rules(const Json& result) {
        if (!json_field(result, "rules")) return {};
        const auto list = required<Array>(result, "rules");
        if (!list) return std::unexpected(list.error());
        for (const Json rule : *list) {
            std::string_view name;
            if (rule.get(name) != simdjson::SUCCESS) {
                return bad(Fault::wrong_type,
                           "rules of the template hold something else than text");
            }
            const bool mandatory = name.starts_with('!');
            if (mandatory) name.remove_prefix(1);
            if (name == "segwit") template_->segwit = true;
            static constexpr std::array<std::string_view, 6> kUnderstood{
                "csv", "segwit", "taproot", "signet", "testdummy", "segsignal"};
            if (mandatory && std::ranges::find(kUnderstood, name) == kUnderstood.end()) {
                return bad(Fault::unknown_rule,
                           fmt::format("the template demands the rule \"{}\", which this version "
                                       "of Adit does not know; update Adit",
                                       name));
            }
        }
        return {};
    }

    Done transactions(const Json& result) {
        const auto list = required<Array>(result, "transactions");
        if (!list) return std::unexpected(list.error());
        const std::size_t count = std::min<std::size_t>(list->size(), kMaxTransactions + 1);
        if (count > kMaxTransactions) return bad(Fault::too_heavy, "far too many transactions");
        template_->transactions.reserve(count);
        seen_.reserve(count);
        std::uint64_t weight = 0;
        for (const Json item : *list) {
            auto one = transaction(item);
            if (!one) return std::unexpected(one.error());
            fees_sat_ += (*one)->fee_sat;
            weight += (*one)->weight;
            template_->transactions.push_back(std::move(*one));
        }
        if (weight > template_->weight_limit || fees_sat_ > kMaxMoneySat) {
            return bad(weight > template_->weight_limit ? Fault::too_heavy : Fault::bad_fee,
                       "the transactions together exceed a block's weight or all money");
        }
        return {};
    }

    std::expected<TransactionCache::Ref, TemplateError> transaction(const Json& item) {
        const auto index = template_->transactions.size();
        const auto id_text = json_text(item, "txid");
        auto txid = id_text ? chain::Hash256::from_rpc_hex(*id_text) : std::nullopt;
        // Before BIP145 there was no txid and hash was the id.
        if (!id_text) txid = json_hash(item, "hash");
        if (!txid) return broken(Fault::bad_transaction, index, "has no txid");
        if (!seen_.insert(*txid).second) {
            return broken(Fault::duplicate_transaction, index, "occurs twice");
        }
        const auto fee = json_int(item, "fee");
        if (!fee || *fee < 0 || *fee > kMaxMoneySat) {
            return broken(Fault::bad_fee, index, "has no or an absurd fee");
        }
        if (auto fine = depends(item, index); !fine) return std::unexpected(fine.error());
        const auto hash_text = json_text(item, "hash");
        const auto wtxid = hash_text ? chain::Hash256::from_rpc_hex(*hash_text) : std::nullopt;
        if (hash_text && !wtxid) return broken(Fault::bad_transaction, index, "has a bad hash");
        const auto data = json_text(item, "data");
        if (!data) return broken(Fault::bad_transaction, index, "has no data");
        auto known = cache_.find(*txid);
        if (known && wtxid && known->wtxid == *wtxid && known->fee_sat == *fee &&
            known->raw.size() * 2 == data->size()) {
            return known;
        }
        return decode(*data, *txid, id_text ? wtxid : std::nullopt, *fee, known);
    }

    std::expected<TransactionCache::Ref, TemplateError> decode(
        std::string_view data, const chain::Hash256& txid,
        const std::optional<chain::Hash256>& wtxid, std::int64_t fee_sat,
        const TransactionCache::Ref& known) {
        const auto index = template_->transactions.size();
        auto raw = base::from_hex(data);
        const auto ids = raw ? ids_of_transaction(*raw, scratch_) : std::nullopt;
        if (!ids) return broken(Fault::bad_transaction, index, "is no transaction");
        if (ids->txid != txid || (wtxid && ids->wtxid != *wtxid)) {
            return broken(Fault::wrong_txid, index, "hashes to another id than it is given");
        }
        if (known && known->wtxid == ids->wtxid && known->fee_sat == fee_sat) return known;
        auto made = std::make_shared<job::TemplateTransaction>();
        made->txid = txid;
        made->wtxid = ids->wtxid;
        made->raw = std::move(*raw);
        made->fee_sat = fee_sat;
        made->weight = ids->weight;
        cache_.insert(made);
        return made;
    }

    // `depends` counts transactions from 1 and may only name earlier ones.
    static Done depends(const Json& item, std::size_t index) {
        if (!json_field(item, "depends")) return {};
        const auto list = json_as<Array>(item, "depends");
        if (!list) return broken(Fault::bad_depends, index, "has depends that are no list");
        for (const Json entry : *list) {
            std::int64_t other = 0;
            if (entry.get(other) != simdjson::SUCCESS || other < 1 ||
                other > static_cast<std::int64_t>(index)) {
                return broken(Fault::bad_depends, index, "depends on one that is not before it");
            }
        }
        return {};
    }

    Done value(const Json& result) {
        const auto value = ranged(result, "coinbasevalue", 0, kMaxMoneySat, Fault::bad_value);
        if (!value) return std::unexpected(value.error());
        const auto most =
            chain::block_subsidy_sat(chain::params(network_), template_->height) + fees_sat_;
        if (*value > most) {
            return bad(Fault::bad_value,
                       fmt::format("coinbasevalue of the template is {}, but subsidy and fees are "
                                   "{} sat; a transaction may be missing",
                                   *value, most));
        }
        template_->coinbase_value_sat = *value;
        return {};
    }

    // The node's own commitment proves that these are all the transactions it has in mind.
    Done commitment(const Json& result) {
        if (!template_->segwit || !json_field(result, "default_witness_commitment")) return {};
        const auto text = required<std::string_view>(result, "default_witness_commitment");
        if (!text) return std::unexpected(text.error());
        std::vector<chain::Hash256> leaves(1);
        leaves.reserve(template_->transactions.size() + 2);
        for (const auto& one : template_->transactions)
            leaves.push_back(one->wtxid);
        const auto script =
            chain::witness_commitment_script(chain::merkle_root(std::move(leaves)), {});
        const auto given = base::from_hex(*text);
        if (!given || given->size() < script.size() ||
            !std::equal(script.begin(), script.end(), given->begin())) {
            return bad(Fault::commitment_mismatch,
                       "the transactions of the template are not those of its witness commitment; "
                       "one is missing or changed");
        }
        return {};
    }

    static std::unexpected<TemplateError> broken(Fault fault, std::size_t index,
                                                 std::string_view what) {
        return bad(fault, fmt::format("transaction {} of the template {}", index + 1, what));
    }

    const chain::Network network_;
    TransactionCache& cache_;
    std::shared_ptr<job::BlockTemplate> template_ = std::make_shared<job::BlockTemplate>();
    std::unordered_set<chain::Hash256, chain::Hash256Hasher> seen_;
    base::Bytes scratch_;
    std::int64_t fees_sat_ = 0;
};

}  // namespace

std::string_view name_of(TemplateFault fault) {
    switch (fault) {
        case Fault::not_json:
            return "not_json";
        case Fault::not_an_object:
            return "not_an_object";
        case Fault::missing_field:
            return "missing_field";
        case Fault::wrong_type:
            return "wrong_type";
        case Fault::bad_height:
            return "bad_height";
        case Fault::bad_previous:
            return "bad_previous";
        case Fault::bad_bits:
            return "bad_bits";
        case Fault::bad_version:
            return "bad_version";
        case Fault::bad_time:
            return "bad_time";
        case Fault::bad_value:
            return "bad_value";
        case Fault::bad_weight_limit:
            return "bad_weight_limit";
        case Fault::unknown_rule:
            return "unknown_rule";
        case Fault::bad_transaction:
            return "bad_transaction";
        case Fault::wrong_txid:
            return "wrong_txid";
        case Fault::duplicate_transaction:
            return "duplicate_transaction";
        case Fault::bad_fee:
            return "bad_fee";
        case Fault::bad_depends:
            return "bad_depends";
        case Fault::commitment_mismatch:
            return "commitment_mismatch";
        case Fault::too_heavy:
            return "too_heavy";
    }
    return "?";
}

TemplateParser::Result TemplateParser::parse(const Json& result, const std::string& node) {
    const std::lock_guard lock(mutex_);
    auto read = Reading(network_, cache_).read(result, node);
    cache_.end_template();
    return read;
}

TemplateParser::Result TemplateParser::parse_text(std::string_view json, const std::string& node) {
    simdjson::dom::parser parser;
    Json document;
    const simdjson::padded_string padded(json);
    if (const auto error = parser.parse(padded).get(document); error != simdjson::SUCCESS) {
        return bad(Fault::not_json, simdjson::error_message(error));
    }
    return parse(document, node);
}

std::size_t TemplateParser::cached_transactions() const {
    const std::lock_guard lock(mutex_);
    return cache_.size();
}

}  // namespace adit::node
