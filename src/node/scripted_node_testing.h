// A node for this layer's tests: JSON-RPC over HTTP/1.1 on a loopback port, with real sockets. It
// keeps a small regtest chain with real proof of work, answers what the layer asks, and misbehaves
// on order. Everything may be called from the test's thread.
#pragma once

#include "chain/block.h"
#include "node/node_settings.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace adit::node::testing {

// A raw answer to one request.
struct RawAnswer {
    std::string body;
    int status = 200;
    std::size_t promised_bytes = 0;  // more than the body has: the connection ends too early
    bool hang = false;               // no answer; the connection stays open until stop()
    bool close = false;              // the connection ends instead of an answer
};

// A block with only a coinbase that meets regtest's target. Equal arguments give equal blocks.
chain::Block mine_block(const chain::Hash256& previous, std::int32_t height,
                        std::string_view tag = "test", const base::Bytes& script = {0x51});

// A transaction for a template, as JSON with a fee; each salt gives another transaction.
std::string template_transaction(std::int64_t fee_sat, std::uint32_t salt,
                                 std::string_view depends = "[]");

class ScriptedNode {
 public:
    // A chain of `height` blocks; nodes of equal height have equal chains.
    explicit ScriptedNode(std::int32_t height = 10);
    ~ScriptedNode();

    void start();  // on a free port at first, on the same one after a stop()
    void stop();   // closes the listener and all connections at once
    NodeSettings settings(const std::string& name) const;

    // ---- its chain
    chain::Hash256 add_block(std::string_view tag = "test", const base::Bytes& script = {0x51});
    void invalidate_tip();  // as the RPC invalidateblock
    chain::Hash256 tip() const;
    std::int32_t height() const;
    bool knows(const chain::Hash256& hash) const;

    // ---- its manner
    // What a method answers instead of the truth: a JSON value, or an error.
    void set_result(const std::string& method, std::string json);
    void set_error(const std::string& method, int code, std::string message);
    void clear(const std::string& method);
    // Whole answers that a method gives one after the other, each once, before all else.
    void queue_result(const std::string& method, std::string json);
    void queue_error(const std::string& method, int code, std::string message);
    // Asked first for every request; nullopt: answer normally.
    using Hook = std::function<std::optional<RawAnswer>(std::string_view method)>;
    void set_hook(Hook hook);
    void set_credentials(std::string user_and_password);
    void set_chain(std::string name);
    void set_claimed_extra_height(std::int32_t extra);
    void set_headers_ahead(std::int32_t ahead);
    // The template's transactions (a JSON array) and their fees; ends long polls.
    void set_transactions(std::string json, std::int64_t fees_sat);

    std::uint64_t calls(const std::string& method) const;
    // Of the last call of this method: its params as compact JSON, and the path it came to.
    std::string last_params(const std::string& method) const;
    std::string last_path(const std::string& method) const;
    std::uint64_t connections() const;

 private:
    class Server;
    std::unique_ptr<Server> server_;
};

}  // namespace adit::node::testing
