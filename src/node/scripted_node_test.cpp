#include "chain/network.h"
#include "node/json.h"
#include "node/scripted_node_testing.h"

#include <arpa/inet.h>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace adit::node::testing {
namespace {

constexpr std::uint32_t kBits = 0x207fffff;
constexpr std::uint32_t kFirstTime = 1'700'000'000;

std::string base64(std::string_view text) {
    static constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        bits = bits << 8 | static_cast<std::uint8_t>(c);
        for (count += 8; count >= 6; count -= 6)
            out += kDigits[bits >> (count - 6) & 63];
    }
    if (count > 0) out += kDigits[bits << (6 - count) & 63];
    while (out.size() % 4 != 0)
        out += '=';
    return out;
}

chain::Hash256 genesis() {
    return *chain::Hash256::from_rpc_hex(chain::params(chain::Network::regtest).genesis_hash);
}

}  // namespace

chain::Block mine_block(const chain::Hash256& previous, std::int32_t height, std::string_view tag,
                        const base::Bytes& script) {
    chain::Transaction coinbase;
    coinbase.inputs.resize(1);
    coinbase.inputs[0].script = chain::height_push(height);
    base::append(coinbase.inputs[0].script, base::as_bytes(tag));
    coinbase.outputs.push_back({.value_sat = 5'000, .script = script});
    chain::Block block;
    block.transactions.push_back(coinbase);
    block.header.version = 0x20000000;
    block.header.previous = previous;
    block.header.merkle_root = block.merkle_root();
    block.header.time = kFirstTime + 600 * static_cast<std::uint32_t>(height);
    block.header.bits = kBits;
    const auto target = *chain::target_from_compact(kBits);
    while (!target.met_by(block.header.hash()))
        ++block.header.nonce;
    return block;
}

std::string template_transaction(std::int64_t fee_sat, std::uint32_t salt,
                                 std::string_view depends) {
    chain::Transaction transaction;
    transaction.inputs.resize(1);
    transaction.inputs[0].previous = {chain::sha256(base::as_bytes(fmt::format("{}", salt))), 0};
    transaction.inputs[0].witness = {{1, 2, 3}, {4}};
    transaction.outputs.push_back({.value_sat = 1'000, .script = base::Bytes(22, 0x14)});
    return fmt::format(R"({{"data":"{}","txid":"{}","hash":"{}","depends":{},"fee":{},)"
                       R"("sigops":1,"weight":{}}})",
                       base::to_hex(transaction.serialize()), transaction.txid().rpc_hex(),
                       transaction.wtxid().rpc_hex(), depends, fee_sat, transaction.weight());
}

namespace {

// The members of an answer.
std::string ok(const std::string& result) {
    return fmt::format(R"("result":{},"error":null)", result);
}
std::string no(int code, std::string_view message) {
    return fmt::format(R"("result":null,"error":{{"code":{},"message":{}}})", code,
                       json_quoted(message));
}

}  // namespace

class ScriptedNode::Server {
 public:
    explicit Server(std::int32_t height) {
        for (std::int32_t i = 1; i <= height; ++i)
            append("test", {0x51});
    }
    ~Server() { stop(); }

    void start() {
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int on = 1;
        setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port_);
        socklen_t size = sizeof address;
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        if (bind(listener_, generic, size) != 0 || listen(listener_, 64) != 0) std::abort();
        getsockname(listener_, generic, &size);
        port_ = ntohs(address.sin_port);
        running_ = true;
        acceptor_ = std::thread([this] { accept_all(); });
    }

    void stop() {
        if (!acceptor_.joinable()) return;
        {
            const std::lock_guard lock(mutex);
            running_ = false;
            news_.notify_all();
            for (const int fd : open_)
                shutdown(fd, SHUT_RDWR);
        }
        shutdown(listener_, SHUT_RDWR);
        acceptor_.join();
        close(listener_);
        for (auto& thread : threads_)
            thread.join();
        threads_.clear();
    }

    chain::Hash256 append(std::string_view tag, const base::Bytes& script) {
        return accept_block(mine_block(tip(), height() + 1, tag, script));
    }
    chain::Hash256 accept_block(const chain::Block& block) {
        const auto hash = block.header.hash();
        blocks[hash] = block;
        best.push_back(hash);
        tell_news();
        return hash;
    }
    chain::Hash256 tip() const { return best.empty() ? genesis() : best.back(); }
    std::int32_t height() const { return static_cast<std::int32_t>(best.size()); }
    void tell_news() {
        ++news_count;
        news_.notify_all();
    }

    mutable std::mutex mutex;  // guards everything public below
    std::map<chain::Hash256, chain::Block> blocks;
    std::vector<chain::Hash256> best;  // best[0] has height 1
    std::vector<chain::Hash256> invalid;
    std::map<std::string, std::string, std::less<>> answers;             // method to whole members
    std::map<std::string, std::deque<std::string>, std::less<>> queued;  // the same, each once
    std::map<std::string, std::uint64_t, std::less<>> calls;
    std::map<std::string, std::string, std::less<>> last_params, last_paths;
    ScriptedNode::Hook hook;
    std::string credentials = "user:password";
    std::string chain_name = "regtest";
    std::int32_t extra_height = 0;
    std::int32_t headers_ahead = 0;
    std::string transactions = "[]";
    std::int64_t fees_sat = 0;
    std::uint64_t news_count = 0;
    std::uint64_t connections = 0;
    std::uint16_t port() const { return port_; }

 private:
    void accept_all() {
        while (true) {
            const int fd = accept(listener_, nullptr, nullptr);
            const std::lock_guard lock(mutex);
            if (fd < 0 || !running_) {
                if (fd >= 0) close(fd);
                return;
            }
            ++connections;
            open_.push_back(fd);
            threads_.emplace_back([this, fd] { serve(fd); });
        }
    }

    void serve(int fd) {
        std::string input;
        while (const auto request = read_request(fd, input)) {
            if (!answer(fd, *request)) break;
        }
        const std::lock_guard lock(mutex);
        std::erase(open_, fd);
        close(fd);
    }

    struct Request {
        std::string head, body;
    };
    static std::optional<Request> read_request(int fd, std::string& input) {
        std::size_t end = std::string::npos, length = 0;
        while (true) {
            end = input.find("\r\n\r\n");
            if (end != std::string::npos) {
                const auto at = input.find("Content-Length: ");
                length = at < end ? std::stoul(input.substr(at + 16)) : 0;
                if (input.size() >= end + 4 + length) break;
            }
            std::array<char, 65536> buffer;
            const auto got = recv(fd, buffer.data(), buffer.size(), 0);
            if (got <= 0) return std::nullopt;
            input.append(buffer.data(), static_cast<std::size_t>(got));
        }
        Request request{input.substr(0, end), input.substr(end + 4, length)};
        input.erase(0, end + 4 + length);
        return request;
    }

    static bool write_all(int fd, std::string_view text) {
        while (!text.empty()) {
            const auto sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    // False: end the connection.
    bool answer(int fd, const Request& request) {
        simdjson::dom::parser parser;
        Json call;
        if (parser.parse(request.body).get(call) != simdjson::SUCCESS) return false;
        const std::string method(json_text(call, "method").value_or(""));
        RawAnswer answer;
        {
            std::unique_lock lock(mutex);
            ++calls[method];
            last_params[method] = simdjson::minify(*json_field(call, "params"));
            last_paths[method] = request.head.substr(0, request.head.find(" HTTP/")).substr(5);
            const bool allowed = request.head.find("Authorization: Basic " + base64(credentials)) !=
                                 std::string::npos;
            std::optional<RawAnswer> raw;
            if (!allowed)
                raw = RawAnswer{.body = "", .status = 401};
            else if (hook)
                raw = hook(method);
            if (raw)
                answer = *raw;
            else
                answer.body = members_for(method, *json_field(call, "params"), lock);
            if (!raw) {
                answer.body =
                    fmt::format(R"({{{},"id":{}}})", answer.body, json_int(call, "id").value_or(0));
            }
            if (answer.hang) news_.wait(lock, [this] { return !running_; });
            if (answer.hang || answer.close || !running_) return false;
        }
        const auto promised = std::max(answer.promised_bytes, answer.body.size());
        const auto head = fmt::format(
            "HTTP/1.1 {} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.status, promised);
        return write_all(fd, head + answer.body) && promised == answer.body.size();
    }

    std::string members_for(const std::string& method, const Json& params,
                            std::unique_lock<std::mutex>& lock) {
        if (auto& next = queued[method]; !next.empty()) {
            const auto members = std::move(next.front());
            next.pop_front();
            return members;
        }
        if (const auto found = answers.find(method); found != answers.end()) return found->second;
        if (method == "getblockchaininfo") return chain_info();
        if (method == "getblocktemplate") return block_template(params, lock);
        if (method == "getchaintips") return chain_tips();
        if (method == "submitblock") return submit(params);
        std::string_view text;
        std::int64_t number = 0;
        if (method == "getblockhash" && params.at(0).get(number) == simdjson::SUCCESS) {
            if (number < 1 || number > height()) return no(-8, "Block height out of range");
            return ok(json_quoted(best[static_cast<std::size_t>(number - 1)].rpc_hex()));
        }
        if (params.at(0).get(text) != simdjson::SUCCESS) return no(-32601, "Method not found");
        if (method == "getrawtransaction" && params.at(2).get(text) != simdjson::SUCCESS) {
            return no(-5, "No such mempool transaction");
        }
        return block_answer(method, text, params);
    }

    std::string block_answer(const std::string& method, std::string_view hash_hex,
                             const Json& params) {
        const auto hash = chain::Hash256::from_rpc_hex(hash_hex);
        const auto found = hash ? blocks.find(*hash) : blocks.end();
        if (found == blocks.end()) return no(-5, "Block not found");
        const auto& block = found->second;
        const auto& coinbase = block.transactions[0];
        if (method == "getrawtransaction") {
            return ok(json_quoted(base::to_hex(coinbase.serialize())));
        }
        const bool verbose =
            simdjson::minify(params.at(1)) != "false" && simdjson::minify(params.at(1)) != "0";
        if (method == "getblock") {
            return ok(verbose ? fmt::format(R"({{"tx":["{}"]}})", coinbase.txid().rpc_hex())
                              : json_quoted(base::to_hex(block.serialize())));
        }
        if (method != "getblockheader") return no(-32601, "Method not found");
        if (!verbose) return ok(json_quoted(base::to_hex(block.header.serialize())));
        const auto at = std::ranges::find(best, *hash);
        return ok(fmt::format(R"({{"confirmations":{},"height":{}}})",
                              at == best.end() ? -1 : best.end() - at,
                              chain::height_of_coinbase(coinbase.inputs[0].script).value_or(-1)));
    }

    std::string chain_info() const {
        const auto blocks_claimed = height() + extra_height;
        return ok(fmt::format(
            R"({{"chain":"{}","blocks":{},"headers":{},"bestblockhash":"{}","mediantime":{},)"
            R"("chainwork":"{:064x}","initialblockdownload":false}})",
            chain_name, blocks_claimed, blocks_claimed + headers_ahead, tip().rpc_hex(), kFirstTime,
            2 * (blocks_claimed + 1)));
    }

    std::string chain_tips() const {
        std::string list = fmt::format(R"([{{"hash":"{}","status":"active"}})", tip().rpc_hex());
        for (const auto& hash : invalid) {
            list += fmt::format(R"(,{{"hash":"{}","status":"invalid"}})", hash.rpc_hex());
        }
        return ok(list + "]");
    }

    std::string longpoll_id() const { return fmt::format("{}{}", tip().rpc_hex(), news_count); }

    std::string block_template(const Json& params, std::unique_lock<std::mutex>& lock) {
        const auto wanted = json_text(params.at(0).value_unsafe(), "longpollid");
        const std::string before(wanted.value_or(""));
        if (wanted) news_.wait(lock, [&] { return !running_ || longpoll_id() != before; });
        const auto subsidy =
            chain::block_subsidy_sat(chain::params(chain::Network::regtest), height() + 1);
        return ok(fmt::format(
            R"({{"version":536870912,"rules":["csv","!segwit"],"previousblockhash":"{}",)"
            R"("height":{},"bits":"207fffff","curtime":{},"mintime":{},"coinbasevalue":{},)"
            R"("weightlimit":4000000,"longpollid":"{}","transactions":{}}})",
            tip().rpc_hex(), height() + 1, kFirstTime + 100'000, kFirstTime + 1, subsidy + fees_sat,
            longpoll_id(), transactions));
    }

    std::string submit(const Json& params) {
        std::string_view hex;
        const auto bytes =
            params.at(0).get(hex) == simdjson::SUCCESS ? base::from_hex(hex) : std::nullopt;
        const auto block =
            bytes ? chain::parse_block(*bytes) : std::unexpected(chain::ParseError::truncated);
        if (!block) return no(-22, "Block decode failed");
        const auto hash = block->header.hash();
        if (std::ranges::find(invalid, hash) != invalid.end()) return ok(R"("duplicate-invalid")");
        if (blocks.contains(hash)) return ok(R"("duplicate")");
        if (block->header.previous != tip()) {
            blocks[hash] = *block;
            return ok(R"("inconclusive")");
        }
        accept_block(*block);
        return ok("null");
    }

    std::condition_variable news_;
    bool running_ = false;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::thread acceptor_;
    std::vector<std::thread> threads_;
    std::vector<int> open_;
};

ScriptedNode::ScriptedNode(std::int32_t height) : server_(std::make_unique<Server>(height)) {}
ScriptedNode::~ScriptedNode() = default;
void ScriptedNode::start() {
    server_->start();
}
void ScriptedNode::stop() {
    server_->stop();
}
NodeSettings ScriptedNode::settings(const std::string& name) const {
    return {.name = name,
            .rpc = fmt::format("http://127.0.0.1:{}", server_->port()),
            .cookie_file = {},
            .user = "user",
            .password = "password",
            .zmq_hashblock = {}};
}
chain::Hash256 ScriptedNode::add_block(std::string_view tag, const base::Bytes& script) {
    const std::lock_guard lock(server_->mutex);
    return server_->append(tag, script);
}
void ScriptedNode::invalidate_tip() {
    const std::lock_guard lock(server_->mutex);
    server_->invalid.push_back(server_->best.back());
    server_->best.pop_back();
    server_->tell_news();
}
chain::Hash256 ScriptedNode::tip() const {
    const std::lock_guard lock(server_->mutex);
    return server_->tip();
}
std::int32_t ScriptedNode::height() const {
    const std::lock_guard lock(server_->mutex);
    return server_->height();
}
bool ScriptedNode::knows(const chain::Hash256& hash) const {
    const std::lock_guard lock(server_->mutex);
    return server_->blocks.contains(hash);
}
void ScriptedNode::set_result(const std::string& method, std::string json) {
    const std::lock_guard lock(server_->mutex);
    server_->answers[method] = ok(json);
}
void ScriptedNode::set_error(const std::string& method, int code, std::string message) {
    const std::lock_guard lock(server_->mutex);
    server_->answers[method] = no(code, message);
}
void ScriptedNode::queue_result(const std::string& method, std::string json) {
    const std::lock_guard lock(server_->mutex);
    server_->queued[method].push_back(ok(json));
}
void ScriptedNode::queue_error(const std::string& method, int code, std::string message) {
    const std::lock_guard lock(server_->mutex);
    server_->queued[method].push_back(no(code, message));
}
void ScriptedNode::clear(const std::string& method) {
    const std::lock_guard lock(server_->mutex);
    server_->answers.erase(method);
    server_->queued.erase(method);
}
void ScriptedNode::set_hook(Hook hook) {
    const std::lock_guard lock(server_->mutex);
    server_->hook = std::move(hook);
}
void ScriptedNode::set_credentials(std::string user_and_password) {
    const std::lock_guard lock(server_->mutex);
    server_->credentials = std::move(user_and_password);
}
void ScriptedNode::set_chain(std::string name) {
    const std::lock_guard lock(server_->mutex);
    server_->chain_name = std::move(name);
}
void ScriptedNode::set_claimed_extra_height(std::int32_t extra) {
    const std::lock_guard lock(server_->mutex);
    server_->extra_height = extra;
}
void ScriptedNode::set_headers_ahead(std::int32_t ahead) {
    const std::lock_guard lock(server_->mutex);
    server_->headers_ahead = ahead;
}
void ScriptedNode::set_transactions(std::string json, std::int64_t fees_sat) {
    const std::lock_guard lock(server_->mutex);
    server_->transactions = std::move(json);
    server_->fees_sat = fees_sat;
    server_->tell_news();
}
std::uint64_t ScriptedNode::calls(const std::string& method) const {
    const std::lock_guard lock(server_->mutex);
    const auto found = server_->calls.find(method);
    return found == server_->calls.end() ? 0 : found->second;
}
std::string ScriptedNode::last_params(const std::string& method) const {
    const std::lock_guard lock(server_->mutex);
    return server_->last_params[method];
}
std::string ScriptedNode::last_path(const std::string& method) const {
    const std::lock_guard lock(server_->mutex);
    return server_->last_paths[method];
}
std::uint64_t ScriptedNode::connections() const {
    const std::lock_guard lock(server_->mutex);
    return server_->connections;
}

}  // namespace adit::node::testing
