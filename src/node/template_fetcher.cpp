#include "node/template_fetcher.h"

#include "node/json.h"

namespace adit::node {

std::string_view template_rules(chain::Network network) {
    return network == chain::Network::signet ? R"(["segwit","signet"])" : R"(["segwit"])";
}

TemplateFetcher::TemplateFetcher(NodeSettings node, chain::Network network, TemplateParser& parser,
                                 RpcMetrics& metrics, Listener listener)
    : name_(node.label()),
      rules_(fmt::format(R"("rules":{})", template_rules(network))),
      parser_(parser),
      listener_(std::move(listener)),
      client_(std::move(node), {}, &metrics) {}

TemplateFetcher::~TemplateFetcher() {
    stop();
}

void TemplateFetcher::start() {
    if (thread_.joinable()) return;
    stopping_ = false;
    busy_ = false;
    abandoned_ = false;
    client_.reset();
    thread_ = std::thread([this] { run(); });
}

void TemplateFetcher::stop() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        client_.cancel();
        wake_.notify_all();
    }
    thread_.join();
}

void TemplateFetcher::request(std::string longpoll_id, int timeout_ms) {
    const std::lock_guard lock(mutex_);
    if (busy_) return;
    busy_ = true;
    longpoll_id_ = std::move(longpoll_id);
    timeout_ms_ = timeout_ms;
    wake_.notify_all();
}

void TemplateFetcher::abandon() {
    const std::lock_guard lock(mutex_);
    if (!busy_ || abandoned_) return;
    abandoned_ = true;
    client_.cancel();
}

void TemplateFetcher::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stopping_ || busy_; });
        if (stopping_) return;
        const auto longpoll_id = longpoll_id_;
        const auto timeout_ms = timeout_ms_;
        lock.unlock();
        auto result = fetch(longpoll_id, timeout_ms);
        lock.lock();
        if (stopping_) return;
        if (abandoned_) client_.reset();
        abandoned_ = false;
        busy_ = false;
        lock.unlock();
        listener_(std::move(result));
        lock.lock();
    }
}

TemplateFetcher::Result TemplateFetcher::fetch(const std::string& longpoll_id, int timeout_ms) {
    const auto params = longpoll_id.empty() ? fmt::format("[{{{}}}]", rules_)
                                            : fmt::format(R"([{{{},"longpollid":{}}}])", rules_,
                                                          json_quoted(longpoll_id));
    const auto reply = client_.call("getblocktemplate", params, timeout_ms);
    if (!reply) {
        return std::unexpected(TemplateFailure{reply.error().kind, reply.error().message});
    }
    auto parsed = parser_.parse(reply->result(), name_);
    if (parsed) return std::move(*parsed);
    return std::unexpected(TemplateFailure{
        RpcErrorKind::malformed,
        fmt::format("{} ({})", parsed.error().message, name_of(parsed.error().fault))});
}

}  // namespace adit::node
