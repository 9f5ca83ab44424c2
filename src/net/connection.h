// One accepted connection: lines in, bytes out. A Connection belongs to its Loop, lives on that
// loop's thread only, and is named everywhere else by its ConnectionId, never by its descriptor.
//
// Memory: a connection owns an input buffer only while a line is incomplete and an output buffer
// only while output is pending; reads go into one buffer per loop.
#pragma once

#include "net/address.h"
#include "net/limits.h"
#include "net/metrics.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace adit::net {

class Connection;
class Loop;
struct Output;
class TlsContext;
class TlsStream;

// Slot in the low and generation in the high 32 bits; unique within a loop for four thousand
// million connections per slot. Never 0.
enum class ConnectionId : std::uint64_t {};

// What the owner of the protocol keeps with a connection (the Stratum session).
struct ConnectionState {
    virtual ~ConnectionState() = default;
};

enum class ProtocolError : std::uint8_t { line_too_long };

// The protocol above. Called on the loop's thread; may close any connection from inside any call.
class ConnectionHandler {
 public:
    virtual ~ConnectionHandler() = default;

    // After accept, PROXY header and TLS handshake: the peer's address is final. False refuses the
    // connection with RST (counted as filtered; on_closed is not called). Call set_state() here.
    virtual bool on_open(Connection& connection) = 0;

    // One line without its "\n" or "\r\n"; blank lines are skipped. The view points into the loop's
    // read buffer and is valid during the call only.
    virtual void on_line(Connection& connection, std::string_view line) = 0;

    // As on_line, but the connection was closed gracefully before this line was served: what came
    // with the last lines, or comes while the rest is written and for the second after. Sends have
    // no effect. At most kLateBytes of input are looked at.
    virtual void on_late_line(Connection&, std::string_view) {}

    // The peer has ended its side and still reads: all lines were handed over, none will come.
    // Closes gracefully (CloseReason::peer) unless overridden; an override that has replies to make
    // may close later (bound that wait with expire_in).
    virtual void on_input_end(Connection& connection);

    // Called once; all further input is discarded. An override sends its last words and calls
    // connection.close_gracefully(CloseReason::protocol_error), at once or when replies that are
    // still being made have left (bound that wait with expire_in).
    virtual void on_protocol_error(Connection& connection, ProtocolError error);

    // The time given to expire_in() has passed. Aborts with CloseReason::timeout unless overridden;
    // an override may extend the time instead.
    virtual void on_deadline(Connection& connection);

    // Exactly once for each connection whose on_open returned true, at the end of the turn in which
    // it ended or was closed. The state is destroyed after this call, or after a graceful close
    // with the connection, since late lines may follow; sends have no effect. Bytes sent before a
    // graceful close are still delivered.
    virtual void on_closed(Connection& connection, CloseReason reason) = 0;
};

// What all connections of a listener share.
struct ConnectionSettings {
    ConnectionHandler* handler = nullptr;
    Metrics* metrics = nullptr;
    ConnectionBudget* budget = nullptr;           // required
    PerAddressLimits* per_address = nullptr;      // nullptr: no limit
    std::shared_ptr<TlsContext> tls;              // nullptr: plain TCP
    bool proxy_protocol = false;                  // a PROXY header v1 or v2 must come first
    std::uint32_t handshake_timeout_ms = 10'000;  // PROXY and TLS together, until on_open
    std::uint32_t max_line = 16 * 1024;           // bytes, without line end; at most 64 KiB
    std::uint32_t max_output = 256 * 1024;    // unsent bytes; a peer that lets more gather gets RST
    std::uint32_t stall_timeout_ms = 60'000;  // pending output without progress: RST
    // Asked as soon as the peer's address is known, before any TLS work; false refuses (RST).
    std::function<bool(const Address&)> admit;
};

class Connection {
 public:
    static constexpr std::uint32_t kLateBytes = 64 * 1024;

    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    ConnectionId id() const { return id_; }
    // The client's address: the socket's, or the PROXY header's.
    const Address& peer() const { return peer_; }
    Loop& loop() const { return loop_; }
    // For socket options only.
    int descriptor() const { return fd_; }
    bool encrypted() const { return tls_ != nullptr; }
    // Lines may still arrive and sends still count.
    bool is_open() const { return phase_ == Phase::open || phase_ == Phase::deaf; }

    // Queues bytes; everything queued in one turn of the loop leaves in one write at its end.
    // Above max_output unsent bytes the connection is aborted (CloseReason::output_limit).
    void send(std::string_view bytes);

    // Writes at once, after what is pending and in the same system call; only what the socket does
    // not take is copied. For broadcasts: the bytes are shared by all receivers. `first` is for
    // what must directly precede it (set_difficulty before notify).
    void send_now(std::string_view first, std::string_view second = {});

    // Bytes not yet taken by the kernel.
    std::size_t unsent() const;

    // Writes the rest, shuts down sending, reads for up to 1 s, closes: the last replies arrive.
    // Lines are handed to on_late_line from now on.
    void close_gracefully(CloseReason reason = CloseReason::server);
    // RST at the end of the turn; unsent bytes are lost. For peers that do not read, are idle or
    // are banned.
    void abort(CloseReason reason = CloseReason::server);

    // Hands over the lines that have arrived already, at most kLateBytes: a last look before an
    // abort(). Not from within a call of the handler that hands over a line.
    void take_arrived();

    // on_deadline is called when this time has passed without another expire_in (checked twice
    // a second). Cheap enough for every line. 0: never.
    void expire_in(std::uint64_t ms);

    void set_state(std::unique_ptr<ConnectionState> state) { state_ = std::move(state); }
    // nullptr before set_state. T is the type that was set.
    template <class T>
    T* state() const {
        return static_cast<T*>(state_.get());
    }

 private:
    friend class Loop;

    enum class Phase : std::uint8_t {
        proxy,      // waiting for the PROXY header
        handshake,  // TLS
        open,
        deaf,       // protocol error or end of input: nothing is read, output goes on
        draining,   // close asked: the rest is being written
        lingering,  // sending is shut down: reading to the peer's end or the deadline
        dead,       // to be destroyed at the end of the turn
    };
    struct Io;

    Connection(Loop& loop, ConnectionId id, int fd, const Address& peer,
               std::shared_ptr<const ConnectionSettings> settings, const Place& place);

    // Called by the loop.
    void start();
    void on_events(std::uint32_t events);
    void resume();
    void flush();
    void finish();
    void on_time(std::int64_t now_ms);

    void admit_peer();
    void begin_tls();
    void open();
    void read_proxy_header();
    void continue_handshake();
    void read_lines();
    void serve_buffer(std::string_view buffer, std::size_t searched);
    // Lines are handed to on_late_line, until late_bytes_ have reached kLateBytes.
    bool is_late() const { return phase_ == Phase::draining || phase_ == Phase::lingering; }
    bool listens() const {
        return phase_ == Phase::open || (is_late() && late_bytes_ < kLateBytes);
    }
    void fail_line();
    void go_on_next_turn();
    void discard_input();
    void end_of_input();
    Io read_some(char* to, std::size_t size);
    Io write_some(std::string_view bytes);
    void write_parts(std::string_view first, std::string_view second);
    bool keep_output(std::string_view bytes);
    void wait_for_room();
    void drop_output();
    void start_lingering();
    void refuse(RefuseReason reason);
    void end(Phase phase, CloseReason reason);
    void update_interest();

    Loop& loop_;
    std::shared_ptr<const ConnectionSettings> settings_;
    std::unique_ptr<ConnectionState> state_;
    std::unique_ptr<TlsStream> tls_;
    std::unique_ptr<std::string> input_;  // an incomplete line, or lines beyond the turn's budget
    std::unique_ptr<Output> output_;
    ConnectionId id_;
    int fd_;
    std::uint32_t interest_ = 0;    // what epoll was told
    std::uint32_t late_bytes_ = 0;  // input read since a graceful close
    Place place_;
    Address peer_;
    Phase phase_ = Phase::open;
    CloseReason reason_ = CloseReason::server;
    bool owes_on_closed_ = false;  // on_open returned true, on_closed not called yet
    bool ending_ = false;          // in the loop's list of connections to finish
    bool dirty_ = false;           // in the loop's list of connections to flush
    bool blocked_ = false;         // the socket takes no more for now
    bool paused_ = false;          // TLS must write before it can read on
    bool resuming_ = false;        // in the loop's list of connections to go on with
    bool peer_ended_ = false;      // read end of file
    bool counted_address_ = false;
    bool reset_ = false;    // end with RST
    bool refused_ = false;  // never opened, counted as refused
};

}  // namespace adit::net
