// A thread that asks one node for one template at a time: at once, or as a long poll (BIP22) that
// the node answers when there is something new. Public functions from any thread; the listener is
// called on the fetcher's thread.
#pragma once

#include "node/rpc_client.h"
#include "node/template_parser.h"

#include <condition_variable>
#include <expected>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace adit::node {

// What the `rules` of a getblocktemplate request must list on this network, as a JSON array.
// Bitcoin Core refuses a template to those who do not list segwit, and on signet signet.
std::string_view template_rules(chain::Network network);

struct TemplateFailure {
    RpcErrorKind kind = RpcErrorKind::rpc;  // malformed for a template that cannot be used
    std::string message;
};

class TemplateFetcher {
 public:
    using Result = std::expected<job::TemplateRef, TemplateFailure>;
    // Called once per request; after stop() not any more.
    using Listener = std::function<void(Result)>;

    TemplateFetcher(NodeSettings node, chain::Network network, TemplateParser& parser,
                    RpcMetrics& metrics, Listener listener);
    ~TemplateFetcher();
    TemplateFetcher(const TemplateFetcher&) = delete;
    TemplateFetcher& operator=(const TemplateFetcher&) = delete;

    void start();
    void stop();
    // longpoll_id empty: answer at once. Ignored while another request is under way.
    void request(std::string longpoll_id, int timeout_ms);
    // Ends the request under way, if any; its result is `cancelled`.
    void abandon();

 private:
    void run();
    Result fetch(const std::string& longpoll_id, int timeout_ms);

    const std::string name_;
    const std::string rules_;
    TemplateParser& parser_;
    Listener listener_;
    RpcClient client_;

    std::mutex mutex_;
    std::condition_variable wake_;
    bool busy_ = false;  // a request waits or is under way
    bool abandoned_ = false;
    bool stopping_ = false;
    std::string longpoll_id_;
    int timeout_ms_ = 0;
    std::thread thread_;
};

}  // namespace adit::node
