#include "tests/support/line_miner.h"

#include "base/bytes.h"
#include "chain/target.h"

#include <stdexcept>

namespace adit::tests {
namespace {

constexpr int kTimeoutMs = static_cast<int>(kDeadlineMs);

base::Bytes bytes_of(std::string_view hex) {
    auto bytes = base::from_hex(hex);
    if (!bytes) throw std::runtime_error("no hex: " + std::string(hex));
    return *bytes;
}

chain::Hash256 hash_of(std::string_view hex) {
    chain::Hash256 hash;
    if (!base::from_hex(hex, hash.bytes)) throw std::runtime_error("no hash");
    return hash;
}

}  // namespace

LineMiner::LineMiner(std::uint16_t port, std::string_view greeting,
                     net::LineClient::Options options) {
    auto client = net::LineClient::connect({"127.0.0.1", port}, kTimeoutMs, std::move(options));
    if (!client) {
        throw std::runtime_error(fmt::format("connect: {} {}", net::describe(client.error().error),
                                             client.error().detail));
    }
    client_ = std::move(*client);
    if (!greeting.empty()) send_bytes(greeting);
}

void LineMiner::send(std::string_view line) {
    if (!client_->send_line(line, kTimeoutMs)) throw std::runtime_error("the pool is gone");
}

void LineMiner::send_bytes(std::string_view bytes) {
    if (!client_->send_bytes(bytes, kTimeoutMs)) throw std::runtime_error("the pool is gone");
}

LineMiner::Json LineMiner::request(std::string_view method, const Json& params) {
    const Json id = next_id_++;
    send(Json{{"id", id}, {"method", method}, {"params", params}}.dump());
    return reply_to(id);
}

LineMiner::Json LineMiner::reply_to(const Json& id) {
    auto found = replies_.end();
    const bool there = read_until([&] {
        found = std::ranges::find_if(replies_, [&](const Json& one) { return one["id"] == id; });
        return found != replies_.end();
    });
    if (!there) throw std::runtime_error("no reply to request " + id.dump());
    auto reply = std::move(*found);
    replies_.erase(found);
    return reply;
}

void LineMiner::open(const std::string& user) {
    const auto subscribed = request("mining.subscribe", Json::array({"line-miner/1"}));
    const auto& result = subscribed.at("result");
    session_ = result.at(0).at(0).at(1).get<std::string>();
    extranonce1_ = result.at(1).get<std::string>();
    extranonce2_size_ = result.at(2).get<std::size_t>();
    if (!authorize(user)) throw std::runtime_error("not authorized: " + user);
    if (!read_until([&] { return !jobs_.empty(); })) throw std::runtime_error("no job came");
}

bool LineMiner::authorize(const std::string& user) {
    return request("mining.authorize", Json::array({user, "x"})).at("result") == true;
}

bool LineMiner::ended(std::int64_t deadline_ms) {
    return client_->receive_rest(static_cast<int>(deadline_ms)).has_value() ||
           !client_->send_line("", kTimeoutMs);
}

bool LineMiner::read_line(int timeout_ms) {
    const auto line = client_->receive_line(timeout_ms);
    if (!line) return false;
    take(Json::parse(*line));
    return true;
}

void LineMiner::take(const Json& message) {
    if (!message.contains("method")) {
        replies_.push_back(message);
        return;
    }
    const auto& method = message["method"];
    const auto& params = message["params"];
    if (method == "mining.set_difficulty") difficulty_ = params.at(0).get<double>();
    if (method != "mining.notify") return;
    LineJob job;
    job.id = params.at(0).get<std::string>();
    job.previous = params.at(1).get<std::string>();
    job.coinbase1 = params.at(2).get<std::string>();
    job.coinbase2 = params.at(3).get<std::string>();
    job.branches = params.at(4).get<std::vector<std::string>>();
    job.version = base::parse_hex32(params.at(5).get<std::string>()).value();
    job.bits = base::parse_hex32(params.at(6).get<std::string>()).value();
    job.ntime = base::parse_hex32(params.at(7).get<std::string>()).value();
    job.clean = params.at(8).get<bool>();
    jobs_.push_back(std::move(job));
}

chain::BlockHeader LineMiner::header(const LineJob& job, const Json& submit) const {
    const auto coinbase =
        bytes_of(job.coinbase1 + extranonce1_ + submit.at(2).get<std::string>() + job.coinbase2);
    chain::BlockHeader header;
    header.version = static_cast<std::int32_t>(job.version);
    header.merkle_root = chain::sha256d(coinbase);
    for (const auto& branch : job.branches) {
        header.merkle_root = chain::sha256d_pair(header.merkle_root, hash_of(branch));
    }
    const auto words = bytes_of(job.previous);
    for (std::size_t i = 0; i < 32; ++i)
        header.previous.bytes[i] = words[i / 4 * 4 + (3 - i % 4)];
    header.time = base::parse_hex32(submit.at(3).get<std::string>()).value();
    header.bits = job.bits;
    header.nonce = base::parse_hex32(submit.at(4).get<std::string>()).value();
    return header;
}

LineMiner::Json LineMiner::solve(const LineJob& job, const std::string& user,
                                 std::uint64_t salt) const {
    std::string extranonce2;
    for (std::size_t i = 0; i < extranonce2_size_; ++i) {
        extranonce2 += fmt::format("{:02x}", salt >> (8 * (i % 8)) & 0xff);
    }
    Json submit = Json::array({user, job.id, extranonce2, base::hex32(job.ntime), "00000000"});
    auto candidate = header(job, submit);
    const auto target = chain::target_from_compact(job.bits).value();
    while (!target.met_by(candidate.hash()))
        ++candidate.nonce;
    submit[4] = base::hex32(candidate.nonce);
    return submit;
}

bool turned_away(std::uint16_t port, std::string_view greeting) {
    try {
        LineMiner miner(port, greeting);
        return miner.ended();
    } catch (const std::runtime_error&) {
        return true;
    }
}

}  // namespace adit::tests
