#include "job/job.h"

#include "base/check.h"

#include <fmt/format.h>

#include <charconv>

namespace adit::job {

namespace {

constexpr std::size_t kExtraSize = 1 + kExtranonce1Size + kExtranonce2Size;
constexpr std::size_t kVersionSize = 4;  // of a transaction, before marker and flag (BIP144)

// FIPS 180-4, 5.1.1: one bit, zeroes up to eight bytes before a block's end, the length in bits.
base::Bytes padded(base::ByteSpan tail, std::size_t before) {
    const auto length = before + tail.size();
    base::Bytes out(tail.begin(), tail.end());
    out.push_back(0x80);
    while ((before + out.size()) % 64 != 56)
        out.push_back(0);
    out.resize(out.size() + 8);
    base::store_be64(out.data() + out.size() - 8, length * 8);
    return out;
}

// Stratum's odd order of a previous hash: internal bytes, each group of four reversed.
std::string stratum_prevhash(const chain::Hash256& previous) {
    chain::Hash256 swapped;
    for (std::size_t i = 0; i < swapped.bytes.size(); i += 4) {
        base::store_le(swapped.bytes.data() + i, base::load_be32(previous.bytes.data() + i));
    }
    return base::to_hex(swapped.bytes);
}

std::string branches_json(const std::vector<chain::Hash256>& branches) {
    std::string out;
    out.reserve(branches.size() * 67);
    for (const auto& branch : branches) {
        if (!out.empty()) out += ',';
        out += '"';
        out += base::to_hex(branch.bytes);
        out += '"';
    }
    return out;
}

void derive_notify(Job& job) {
    job.notify_a = R"({"id":null,"method":"mining.notify","params":[")";
    job.notify_b = fmt::format(R"(","{}","{})", stratum_prevhash(job.source->previous),
                               base::to_hex(job.coinbase_head));
    const auto rest = fmt::format(R"(","{}",[{}],"{}","{}","{}",)", base::to_hex(job.coinbase_tail),
                                  branches_json(job.branches), base::hex32(job.version),
                                  base::hex32(job.bits), base::hex32(job.ntime));
    job.notify_c_clean = rest + "true]}\n";
    job.notify_c = job.clean ? job.notify_c_clean : rest + "false]}\n";
    job.broadcast_line = notify_line(job, 0, job.clean);
}

template <class T>
std::optional<T> parse_hex(std::string_view text) {
    if (text.empty() || text.size() > 2 * sizeof(T)) return std::nullopt;
    T value = 0;
    const auto* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value, 16);
    if (error != std::errc{} || at != end) return std::nullopt;
    return value;
}

}  // namespace

bool derive(Job& job) {
    ADIT_CHECK(job.source != nullptr, "a job has a template");
    const auto target = chain::target_from_compact(job.bits);
    if (!target) return false;
    job.network_target = *target;
    job.network_difficulty = chain::Difficulty::from_target(*target);

    const auto& head = job.coinbase_head;
    job.midstate = chain::sha256_midstate(chain::sha256_kernel(), head);
    job.head_rest.assign(head.end() - static_cast<std::ptrdiff_t>(head.size() % 64), head.end());
    job.padded_tail = padded(job.coinbase_tail, head.size() + kExtraSize);
    derive_notify(job);
    return true;
}

std::string job_id_text(JobId id, std::uint8_t variant) {
    return fmt::format("{:x}.{:x}", id, variant);
}

std::optional<ParsedJobId> parse_job_id(std::string_view text) {
    const auto dot = text.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto id = parse_hex<JobId>(text.substr(0, dot));
    const auto variant = parse_hex<std::uint8_t>(text.substr(dot + 1));
    if (!id || !variant) return std::nullopt;
    return ParsedJobId{*id, *variant};
}

std::string notify_line(const Job& job, std::uint8_t variant, bool clean) {
    const auto& end = clean ? job.notify_c_clean : job.notify_c;
    std::string line;
    line.reserve(job.notify_a.size() + job.notify_b.size() + end.size() + 24);
    line += job.notify_a;
    fmt::format_to(std::back_inserter(line), "{:x}.{:x}", job.id, variant);
    line += job.notify_b;
    fmt::format_to(std::back_inserter(line), "{:02x}", variant);
    line += end;
    return line;
}

base::Bytes coinbase_of(const Job& job, const HeaderChoice& choice) {
    base::Bytes out;
    out.reserve(job.coinbase_head.size() + kExtraSize + job.coinbase_tail.size());
    base::append(out, job.coinbase_head);
    out.push_back(choice.variant);
    base::append_le(out, __builtin_bswap32(choice.extranonce1));
    base::append(out, choice.extranonce2);
    base::append(out, job.coinbase_tail);
    return out;
}

chain::BlockHeader header_of(const Job& job, const HeaderChoice& choice) {
    const auto txid = chain::sha256d(coinbase_of(job, choice));
    chain::BlockHeader header;
    header.version = static_cast<std::int32_t>(choice.version);
    header.previous = job.source->previous;
    header.merkle_root = chain::fold_branches(txid, job.branches);
    header.time = choice.ntime;
    header.bits = job.bits;
    header.nonce = choice.nonce;
    return header;
}

base::Bytes block_of(const Job& job, const HeaderChoice& choice) {
    const auto& transactions = job.source->transactions;
    const auto coinbase = coinbase_of(job, choice);
    std::size_t size = chain::kHeaderSize + 9 + coinbase.size() + 36;
    for (const auto& transaction : transactions)
        size += transaction->raw.size();

    base::Bytes out;
    out.reserve(size);
    base::append(out, header_of(job, choice).serialize());
    chain::append_compact_size(out, 1 + transactions.size());
    if (job.source->segwit) {
        // BIP141: the coinbase's witness is one item, the 32 zero bytes of the reserved value.
        const base::ByteSpan bytes = coinbase;
        base::append(out, bytes.first(kVersionSize));
        out.insert(out.end(), {0x00, 0x01});  // BIP144 marker and flag
        base::append(out, bytes.subspan(kVersionSize, bytes.size() - 2 * kVersionSize));
        out.insert(out.end(), {0x01, 0x20});
        out.resize(out.size() + 32);
        base::append(out, bytes.last(kVersionSize));  // lock time
    } else {
        base::append(out, coinbase);
    }
    for (const auto& transaction : transactions)
        base::append(out, transaction->raw);
    return out;
}

}  // namespace adit::job
