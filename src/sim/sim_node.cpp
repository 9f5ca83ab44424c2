#include "sim/sim_node.h"

#include "base/check.h"
#include "base/random.h"
#include "chain/address.h"
#include "sim/block_builder.h"
#include "sim/hash_publisher.h"
#include "sim/http_server.h"
#include "sim/rpc_amount.h"
#include "sim/rpc_methods.h"
#include "sim/rpc_wallet.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/detail/base64.hpp>
#include <nlohmann/json.hpp>

#include <fstream>
#include <future>
#include <list>

namespace adit::sim {
namespace {

namespace asio = boost::asio;
using Json = nlohmann::json;

constexpr std::size_t kMaxWaiting = 64;  // long polls at a time; the oldest is answered early
// A long poll that has waited this long is answered for a changed mempool too.
constexpr std::int64_t kMempoolPatienceMs = 5'000;
constexpr auto kTick = std::chrono::milliseconds(500);
constexpr std::string_view kAbsurd = R"({"result": [[[{"height": -1e999, "x": "\u12)";
constexpr std::size_t kMaxRelayed = 1'000;  // blocks handed on after one change of the tip

std::string basic(std::string_view credentials) {
    namespace base64 = boost::beast::detail::base64;
    std::string encoded(base64::encoded_size(credentials.size()), '\0');
    encoded.resize(base64::encode(encoded.data(), credentials.data(), credentials.size()));
    return "Basic " + encoded;
}

Json reply_json(const Json& id, const RpcFailure& failure, Json result) {
    Json error = nullptr;
    if (failure) {
        error = {{"code", failure.code}, {"message", failure.message}};
        result = nullptr;
    }
    return {{"result", std::move(result)}, {"error", std::move(error)}, {"id", id}};
}

// The HTTP status Bitcoin Core sends with an error.
unsigned status_of(const RpcFailure& failure) {
    if (!failure) return 200;
    if (failure.code == rpc_code::kMethodNotFound) return 404;
    return failure.code == rpc_code::kInvalidRequest ? 400 : 500;
}

void write_cookie(const std::filesystem::path& path, std::string_view cookie) {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    std::ofstream file(path, std::ios::binary);
    std::filesystem::permissions(
        path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
    file << cookie;
    file.flush();
    if (!file) throw std::runtime_error("cannot write the cookie file " + path.string());
}

}  // namespace

class SimNode::Impl {
 public:
    Impl(SimNodeSettings settings, SimParams params, const base::Clock& clock, base::Logger& log)
        : settings_(std::move(settings)),
          clock_(clock),
          log_(log),
          chain_(params, clock),
          wallets_(chain_, settings_.wallet_seed, clock),
          methods_(chain_, clock),
          wallet_methods_(chain_, wallets_),
          ticker_(io_) {
        if (!settings_.zmq_hashblock.empty()) {
            publisher_.emplace(settings_.zmq_hashblock);
            methods_.set_zmq_endpoint(publisher_->endpoint());
        }
        server_.emplace(
            io_, settings_.port,
            HttpServer::Handlers{
                [this](std::string_view given) { return authorized(given); },
                [this](const std::string& path, const std::string& body, HttpServer::Reply reply) {
                    handle({path, Json::parse(body, nullptr, false)}, std::move(reply));
                }});
        port_ = server_->port();
        passwords_.push_back(basic(settings_.user + ":" + settings_.password));
        for (const auto& name : settings_.wallets) {
            ADIT_CHECK(wallets_.create(name, true), "wallets of different names on a fresh chain");
        }
    }

    void start() {
        if (thread_.joinable()) return;
        if (!settings_.cookie_file.empty()) {
            const auto cookie = "__cookie__:" + base::random_hex(32);
            write_cookie(settings_.cookie_file, cookie);
            passwords_.resize(1);
            passwords_.push_back(basic(cookie));
        }
        io_.restart();
        server_->open();
        tick();
        thread_ = std::thread([this] {
            const auto keep = asio::make_work_guard(io_);
            io_.run();
        });
        log_.info("sim", "node started", {{"port", port_}, {"height", chain_.tip().height}});
    }

    void stop() {
        if (!thread_.joinable()) return;
        run([this] {
            ticker_.cancel();
            server_->close();
            waiting_.clear();
            hung_.clear();
        });
        io_.stop();
        thread_.join();
        wallets_.restart();
        if (!settings_.cookie_file.empty()) {
            std::error_code ignored;
            std::filesystem::remove(settings_.cookie_file, ignored);
        }
    }

    // Runs work on the node's thread (or here, when it is not running) and waits for it.
    void run(const std::function<void()>& work) {
        if (!thread_.joinable()) {
            work();
            return;
        }
        ADIT_CHECK(std::this_thread::get_id() != thread_.get_id(), "not on the node's own thread");
        std::promise<void> done;
        asio::post(io_, [&] {
            work();
            after_change();
            done.set_value();
        });
        done.get_future().get();
    }

    void receive(std::shared_ptr<const chain::Block> block) {
        asio::post(io_, [this, block = std::move(block)] {
            chain_.process(*block);
            after_change();
        });
    }

    void set_fault(SimFault fault) {
        run([&] {
            fault_ = fault;
            methods_.set_fault(fault);
            if (fault == SimFault::refuse_connections) {
                server_->close();
            } else if (thread_.joinable()) {
                server_->open();
            }
        });
    }

    void set_wallet_fault(WalletFault fault) {
        run([&] {
            wallet_fault_ = fault;
            methods_.set_wallet_fault(fault);
            wallet_methods_.set_fault(fault);
        });
    }

    const SimNodeSettings settings_;
    const base::Clock& clock_;
    base::Logger& log_;
    asio::io_context io_;
    SimChain chain_;
    WalletSet wallets_;
    std::map<std::string, std::uint64_t, std::less<>> calls_;  // by method
    std::atomic<std::uint64_t> requests_{0};
    std::vector<SimNode*> peers_;
    std::optional<HashPublisher> publisher_;
    std::uint16_t port_ = 0;

 private:
    struct Request {
        std::string path;
        Json json;  // discarded: it was no JSON
    };
    struct Waiting {
        Request request;
        HttpServer::Reply reply;
        std::int64_t since_ms;
    };

    bool authorized(std::string_view given) const {
        if (fault_ == SimFault::wrong_credentials) return false;
        return std::ranges::find(passwords_, given) != passwords_.end();
    }

    void handle(Request request, HttpServer::Reply reply) {
        ++requests_;
        if (fault_ == SimFault::hang) return keep_waiting(std::move(reply));
        if (request.json.is_array()) return answer_batch(request, reply);
        if (wallet_fault_ != WalletFault::none && suffer(request, reply)) return;
        if (must_wait(request.json, true)) {
            waiting_.push_back({std::move(request), std::move(reply), clock_.steady_ms()});
            if (waiting_.size() > kMaxWaiting) answer_waiting(waiting_.begin());
            return;
        }
        answer(request, reply);
    }

    // Never to be answered.
    void keep_waiting(HttpServer::Reply reply) {
        if (hung_.size() >= kMaxWaiting) hung_.pop_front();
        hung_.push_back(std::move(reply));
    }

    // What the wallet's fault does to this request before or instead of its answer; true: there is
    // nothing left to do.
    bool suffer(const Request& request, HttpServer::Reply& reply) {
        const auto method = method_of(request.json);
        const bool of_wallet = WalletMethods::knows(method) || request.path.starts_with("/wallet/");
        const bool broadcast = method == "sendrawtransaction";
        if (wallet_fault_ == WalletFault::unreachable && of_wallet) {
            reply({0, {}, HttpDelivery::none});
        } else if (wallet_fault_ == WalletFault::absurd_json && of_wallet) {
            reply({200, std::string(kAbsurd), HttpDelivery::whole});
        } else if (wallet_fault_ == WalletFault::broadcast_reply_lost && broadcast) {
            Json id, result;
            execute(request.path, request.json, id, result);
            keep_waiting(std::move(reply));
            after_change();
        } else if ((wallet_fault_ == WalletFault::broadcast_lost && broadcast) ||
                   (wallet_fault_ == WalletFault::sign_hangs &&
                    method == "signrawtransactionwithwallet")) {
            keep_waiting(std::move(reply));
        } else {
            return false;
        }
        return true;
    }

    static std::string method_of(const Json& request) {
        const auto* method = request.is_object() ? member(request, "method") : nullptr;
        return method != nullptr && method->is_string() ? method->get<std::string>() : "";
    }

    bool must_wait(const Json& request, bool mempool_counts) const {
        const auto method = method_of(request);
        return !method.empty() &&
               methods_.must_wait(method, request.value("params", Json::array()), mempool_counts);
    }

    // Runs one request object; `id` and `result` are for the reply.
    RpcFailure execute(std::string_view path, const Json& request, Json& id, Json& result) {
        if (request.is_discarded()) return {rpc_code::kParseError, "Parse error"};
        if (!request.is_object()) return {rpc_code::kInvalidRequest, "Invalid Request object"};
        id = request.value("id", Json(nullptr));
        const auto given = request.find("method");
        if (given == request.end()) return {rpc_code::kInvalidRequest, "Missing method"};
        if (!given->is_string()) return {rpc_code::kInvalidRequest, "Method must be a string"};
        const auto method = given->get<std::string>();
        auto params = request.value("params", Json::array());
        if (params.is_null()) params = Json::array();
        if (fault_ != SimFault::warming_up && WalletMethods::knows(method)) {
            ++calls_[method];
            return wallet_methods_.call(path, method, params, result);
        }
        const auto failure = methods_.call(method, params, result);
        if (failure.code != rpc_code::kMethodNotFound) ++calls_[method];
        return failure;
    }

    void answer(const Request& request, const HttpServer::Reply& reply) {
        Json id, result;
        const auto failure = execute(request.path, request.json, id, result);
        send(status_of(failure), reply_json(id, failure, std::move(result)), reply);
        after_change();
    }

    void answer_batch(const Request& requests, const HttpServer::Reply& reply) {
        Json replies = Json::array();
        for (const auto& request : requests.json) {
            Json id, result;
            const auto failure = execute(requests.path, request, id, result);
            replies.push_back(reply_json(id, failure, std::move(result)));
        }
        send(200, replies, reply);
        after_change();
    }

    void send(unsigned status, const Json& json, const HttpServer::Reply& reply) {
        HttpAnswer out{status, write_json(json) + "\n", HttpDelivery::whole};
        if (fault_ == SimFault::truncated_reply) out.delivery = HttpDelivery::truncated;
        if (fault_ == SimFault::absurd_json) {
            out = {200, std::string(kAbsurd), HttpDelivery::whole};
        }
        reply(std::move(out));
    }

    std::list<Waiting>::iterator answer_waiting(std::list<Waiting>::iterator at) {
        const auto waiting = std::move(*at);
        const auto next = waiting_.erase(at);
        Json id, result;
        const auto failure = execute(waiting.request.path, waiting.request.json, id, result);
        send(status_of(failure), reply_json(id, failure, std::move(result)), waiting.reply);
        return next;
    }

    void answer_due() {
        const auto now = clock_.steady_ms();
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            const bool patient = now - at->since_ms < kMempoolPatienceMs;
            at = must_wait(at->request.json, !patient) ? std::next(at) : answer_waiting(at);
        }
    }

    // Tells everybody who waits for it of a new tip.
    void after_change() {
        if (fault_ == SimFault::hang) return;
        answer_due();
        if (chain_.tip_sequence() == announced_sequence_) return;
        announced_sequence_ = chain_.tip_sequence();
        const auto& tip = chain_.tip();
        if (tip.hash == announced_) return;
        if (publisher_ && fault_ != SimFault::lag) publisher_->publish(tip.hash);
        relay(tip);
        announced_ = tip.hash;
        log_.debug("sim", "new tip", {{"height", tip.height}, {"hash", tip.hash.rpc_hex()}});
    }

    void relay(const BlockEntry& tip) {
        if (peers_.empty()) return;
        std::vector<std::shared_ptr<const chain::Block>> blocks;
        for (const auto* at = &tip; at->parent != nullptr && at->block && at->hash != announced_ &&
                                    blocks.size() < kMaxRelayed;
             at = at->parent) {
            blocks.push_back(at->block);
        }
        for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
            for (auto* peer : peers_)
                peer->receive(*block);
        }
    }

    void tick() {
        ticker_.expires_after(kTick);
        ticker_.async_wait([this](boost::system::error_code error) {
            if (error) return;
            after_change();
            tick();
        });
    }

    RpcMethods methods_;
    WalletMethods wallet_methods_;
    asio::steady_timer ticker_;
    std::optional<HttpServer> server_;
    std::vector<std::string> passwords_;  // accepted Authorization headers
    SimFault fault_ = SimFault::none;
    WalletFault wallet_fault_ = WalletFault::none;
    std::list<Waiting> waiting_;
    std::list<HttpServer::Reply> hung_;
    std::uint64_t announced_sequence_ = 0;
    chain::Hash256 announced_;
    std::thread thread_;
};

SimNode::SimNode(SimNodeSettings settings, SimParams params, const base::Clock& clock,
                 base::Logger& log)
    : impl_(std::make_unique<Impl>(std::move(settings), params, clock, log)) {}

SimNode::~SimNode() {
    stop();
}

void SimNode::start() {
    impl_->start();
}
void SimNode::stop() {
    impl_->stop();
}
std::uint16_t SimNode::port() const {
    return impl_->port_;
}
std::string SimNode::url() const {
    return fmt::format("http://127.0.0.1:{}", impl_->port_);
}
const SimNodeSettings& SimNode::settings() const {
    return impl_->settings_;
}
std::string SimNode::zmq_endpoint() const {
    return impl_->publisher_ ? impl_->publisher_->endpoint() : std::string();
}

void SimNode::with_chain(const std::function<void(SimChain&)>& work) {
    impl_->run([&] { work(impl_->chain_); });
}

std::vector<chain::Hash256> SimNode::generate(int n, base::ByteSpan script,
                                              std::uint64_t max_tries) {
    std::vector<chain::Hash256> hashes;
    with_chain([&](SimChain& chain) {
        for (int i = 0; i < n; ++i) {
            auto tries = max_tries;
            const auto hash = mine_block(chain, script, tries);
            if (!hash) break;
            hashes.push_back(*hash);
        }
    });
    return hashes;
}

std::optional<chain::Hash256> SimNode::mine_transactions(
    const std::vector<chain::Transaction>& transactions, base::ByteSpan script,
    std::uint64_t max_tries) {
    std::optional<chain::Hash256> hash;
    with_chain([&](SimChain& chain) {
        hash = mine_block_on(chain, chain.tip(), transactions, script, max_tries);
    });
    return hash;
}

std::vector<chain::Hash256> SimNode::mine_branch(std::int32_t depth, int n, base::ByteSpan script,
                                                 std::uint64_t max_tries) {
    std::vector<chain::Hash256> hashes;
    with_chain([&](SimChain& chain) {
        const auto* parent = chain.at_height(chain.tip().height - depth);
        for (int i = 0; i < n && parent != nullptr; ++i) {
            auto tries = max_tries;
            const auto hash = sim::mine_block_on(chain, *parent, {}, script, tries);
            if (!hash) break;
            hashes.push_back(*hash);
            parent = chain.find(*hash);
        }
    });
    return hashes;
}

bool SimNode::with_wallet(std::string_view name, const std::function<void(SimWallet&)>& work) {
    bool found = false;
    impl_->run([&] {
        auto* wallet = impl_->wallets_.find(name);
        found = wallet != nullptr;
        if (found) work(*wallet);
    });
    return found;
}

SimNode::PaidTo SimNode::new_address(std::string_view wallet) {
    PaidTo result;
    const bool found = with_wallet(wallet, [&](SimWallet& loaded) {
        result.script = loaded.new_receiving_script(ScriptKind::p2wpkh, "");
        result.address = *chain::address_of_script(result.script, rpc_network());
    });
    if (!found) throw std::runtime_error(fmt::format("wallet {} is not loaded", wallet));
    return result;
}

void SimNode::restart_wallets() {
    impl_->run([&] { impl_->wallets_.restart(); });
}
void SimNode::set_wallet_fault(WalletFault fault) {
    impl_->set_wallet_fault(fault);
}

std::uint64_t SimNode::calls(std::string_view method) {
    std::uint64_t calls = 0;
    impl_->run([&] {
        const auto at = impl_->calls_.find(method);
        if (at != impl_->calls_.end()) calls = at->second;
    });
    return calls;
}

std::int32_t SimNode::height() {
    std::int32_t height = 0;
    with_chain([&](SimChain& chain) { height = chain.tip().height; });
    return height;
}

void SimNode::set_fault(SimFault fault) {
    impl_->set_fault(fault);
}
void SimNode::relay_to(SimNode& peer) {
    impl_->run([&] { impl_->peers_.push_back(&peer); });
}
void SimNode::receive(std::shared_ptr<const chain::Block> block) {
    impl_->receive(std::move(block));
}
std::uint64_t SimNode::requests() const {
    return impl_->requests_;
}

}  // namespace adit::sim
