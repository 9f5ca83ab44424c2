// The running pool's ear for the other adit commands: a Unix domain socket `data_dir/control` (mode
// 0600: only the pool's own user, and root), one JSON object a line each way.
//
//   {"method":"payout.run","params":{"dry":true}}
//   {"ok":true,"result":...}        or  {"ok":false,"error":"a sentence"}
//
// Owns one thread, on which requests are handled one after another in the order of their arrival,
// so that two operators' commands never interleave. A handler may take its time; others wait.
// Lines, clients, time and replies are bounded: a client must finish a line, and take a reply,
// within `patience_ms`.
#pragma once

#include "base/clock.h"
#include "base/log.h"

#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

namespace adit::manager {

struct ControlRequest {
    std::string method;
    std::string params;    // a JSON object as compact text; "{}" when there were none
    std::stop_token stop;  // requested when the pool ends: come to an end soon
};

struct ControlReply {
    bool ok = true;
    std::string body;  // JSON text when ok, else a sentence

    static ControlReply result(std::string json) { return {true, std::move(json)}; }
    static ControlReply refusal(std::string sentence) { return {false, std::move(sentence)}; }
};

// Called on the socket's thread.
using ControlHandler = std::function<ControlReply(const ControlRequest&)>;
using ControlHandlers = std::map<std::string, ControlHandler, std::less<>>;  // by method

struct ControlSettings {
    std::size_t max_line = 64u << 10;   // bytes of a request
    std::size_t max_reply = 32u << 20;  // bytes
    std::size_t max_clients = 16;
    std::size_t max_nesting = 32;  // of a request's JSON
    int patience_ms = 30'000;
};

// Where the socket lies in a data directory.
std::filesystem::path control_path(const std::filesystem::path& data_dir);

class ControlSocket {
 public:
    // Listens, and answers from then on. The caller holds the data directory's lock, so a socket
    // that is there already belongs to a pool that died: it is replaced. The error is a sentence.
    static std::expected<std::unique_ptr<ControlSocket>, std::string> open(
        const std::filesystem::path& data_dir, ControlHandlers handlers, ControlSettings settings,
        const base::Clock& clock, base::Logger& logger);
    // stop()
    ~ControlSocket();
    ControlSocket(const ControlSocket&) = delete;
    ControlSocket& operator=(const ControlSocket&) = delete;

    // Takes no more requests, waits for the one that is being handled and answers it, closes all
    // connections and removes the socket. Idempotent.
    void stop();

 private:
    class Core;
    explicit ControlSocket(std::unique_ptr<Core> core);
    std::unique_ptr<Core> core_;
};

}  // namespace adit::manager
