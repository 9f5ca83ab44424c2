#include "sim/sim_node.h"

#include "base/check.h"
#include "base/random.h"
#include "sim/block_builder.h"
#include "sim/hash_publisher.h"
#include "sim/http_server.h"
#include "sim/rpc_methods.h"

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
          methods_(chain_, clock),
          ticker_(io_) {
        if (!settings_.zmq_hashblock.empty()) {
            publisher_.emplace(settings_.zmq_hashblock);
            methods_.set_zmq_endpoint(publisher_->endpoint());
        }
        server_.emplace(
            io_, settings_.port,
            HttpServer::Handlers{[this](std::string_view given) { return authorized(given); },
                                 [this](const std::string& body, HttpServer::Reply reply) {
                                     handle(body, std::move(reply));
                                 }});
        port_ = server_->port();
        passwords_.push_back(basic(settings_.user + ":" + settings_.password));
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

    const SimNodeSettings settings_;
    const base::Clock& clock_;
    base::Logger& log_;
    asio::io_context io_;
    SimChain chain_;
    std::atomic<std::uint64_t> requests_{0};
    std::vector<SimNode*> peers_;
    std::optional<HashPublisher> publisher_;
    std::uint16_t port_ = 0;

 private:
    struct Waiting {
        Json request;
        HttpServer::Reply reply;
        std::int64_t since_ms;
    };

    bool authorized(std::string_view given) const {
        if (fault_ == SimFault::wrong_credentials) return false;
        return std::ranges::find(passwords_, given) != passwords_.end();
    }

    void handle(const std::string& body, HttpServer::Reply reply) {
        ++requests_;
        if (fault_ == SimFault::hang) {
            if (hung_.size() >= kMaxWaiting) hung_.pop_front();
            hung_.push_back(std::move(reply));
            return;
        }
        auto request = Json::parse(body, nullptr, false);
        if (request.is_array()) return answer_batch(request, reply);
        if (must_wait(request, true)) {
            waiting_.push_back({std::move(request), std::move(reply), clock_.steady_ms()});
            if (waiting_.size() > kMaxWaiting) answer_waiting(waiting_.begin());
            return;
        }
        answer(request, reply);
    }

    bool must_wait(const Json& request, bool mempool_counts) const {
        if (!request.is_object() || !request.contains("method")) return false;
        const auto& method = request["method"];
        return method.is_string() &&
               methods_.must_wait(method.get<std::string>(), request.value("params", Json::array()),
                                  mempool_counts);
    }

    // Runs one request object; `id` and `result` are for the reply.
    RpcFailure execute(const Json& request, Json& id, Json& result) {
        if (request.is_discarded()) return {rpc_code::kParseError, "Parse error"};
        if (!request.is_object()) return {rpc_code::kInvalidRequest, "Invalid Request object"};
        id = request.value("id", Json(nullptr));
        const auto method = request.find("method");
        if (method == request.end()) return {rpc_code::kInvalidRequest, "Missing method"};
        if (!method->is_string()) {
            return {rpc_code::kInvalidRequest, "Method must be a string"};
        }
        auto params = request.value("params", Json::array());
        if (params.is_null()) params = Json::array();
        return methods_.call(method->get<std::string>(), params, result);
    }

    void answer(const Json& request, const HttpServer::Reply& reply) {
        Json id, result;
        const auto failure = execute(request, id, result);
        send(status_of(failure), reply_json(id, failure, std::move(result)), reply);
        after_change();
    }

    void answer_batch(const Json& requests, const HttpServer::Reply& reply) {
        Json replies = Json::array();
        for (const auto& request : requests) {
            Json id, result;
            const auto failure = execute(request, id, result);
            replies.push_back(reply_json(id, failure, std::move(result)));
        }
        send(200, replies, reply);
        after_change();
    }

    void send(unsigned status, const Json& json, const HttpServer::Reply& reply) {
        HttpAnswer out{status, json.dump() + "\n", HttpDelivery::whole};
        if (fault_ == SimFault::truncated_reply) out.delivery = HttpDelivery::truncated;
        if (fault_ == SimFault::absurd_json) {
            out = {200, R"({"result": [[[{"height": -1e999, "x": "\u12)", HttpDelivery::whole};
        }
        reply(std::move(out));
    }

    std::list<Waiting>::iterator answer_waiting(std::list<Waiting>::iterator at) {
        const auto waiting = std::move(*at);
        const auto next = waiting_.erase(at);
        Json id, result;
        const auto failure = execute(waiting.request, id, result);
        send(status_of(failure), reply_json(id, failure, std::move(result)), waiting.reply);
        return next;
    }

    void answer_due() {
        const auto now = clock_.steady_ms();
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            const bool patient = now - at->since_ms < kMempoolPatienceMs;
            at = must_wait(at->request, !patient) ? std::next(at) : answer_waiting(at);
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
    asio::steady_timer ticker_;
    std::optional<HttpServer> server_;
    std::vector<std::string> passwords_;  // accepted Authorization headers
    SimFault fault_ = SimFault::none;
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
