// The event loop of one shard: one thread, one epoll, the connections accepted on it, timers, and
// functions posted from other threads. docs/decisions/0001-sockets.md says why it is not Asio.
//
// One turn: wait; serve every ready descriptor; run posted functions; run due timers; call the
// turn-end functions; write what was sent; finish what was closed. So all shares that arrived
// together can be checked together in a turn-end function, and their replies leave in one write
// per connection.
//
// Everything but post() and stop() is for the loop's thread, or for any one thread before run().
#pragma once

#include "base/clock.h"
#include "net/connection.h"
#include "net/metrics.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

namespace adit::net {

using Task = std::move_only_function<void()>;
enum class TimerId : std::uint64_t {};

class Loop {
 public:
    // Throws std::system_error when the system gives no epoll or eventfd. The clock is read once a
    // turn; it and the metrics outlive the loop.
    Loop(const base::Clock& clock, Metrics& metrics);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // Serves until stop(). Then every connection is closed (CloseReason::shutdown, on_closed is
    // called) and run() returns. Tasks posted after that never run.
    void run();
    // From any thread. With linger_ms, connections are closed gracefully, and run() goes on turning
    // until all peers have ended their side or the time is over: an RST in place of that would
    // destroy the last replies. Close the listeners before.
    void stop(std::int64_t linger_ms = 0);

    // Runs the task on the loop's thread, in order of posting. From any thread; never blocks. The
    // caller bounds how many it posts. A sleeping loop is woken once for all that gather.
    void post(Task task);

    TimerId after(std::int64_t ms, Task task);
    // First in `ms`, then again every `ms`.
    TimerId every(std::int64_t ms, Task task);
    // Nothing happens when it already ran. A timer may cancel itself.
    void cancel(TimerId timer);

    // Called once a turn in which anything happened, in order of registration.
    void on_turn_end(Task task) { turn_end_.push_back(std::move(task)); }

    // The clock as of the beginning of the turn.
    std::int64_t now_ns() const { return now_ns_; }
    std::int64_t now_ms() const { return now_ns_ / 1'000'000; }

    // nullptr when that connection was closed, even if its slot or descriptor lives again.
    Connection* find(ConnectionId id) const;
    // The same, but also one that is being closed, until its on_closed has returned.
    Connection* find_ending(ConnectionId id) const;
    // Every open connection. The function may close connections and send.
    void for_each(const std::function<void(Connection&)>& visit);
    // Connections of this loop, those not yet open or just being closed included.
    std::size_t connections() const { return live_; }

    Metrics& metrics() const { return metrics_; }

    // ---- for Listener and Connection ----

    // Something other than a connection that waits for its descriptor.
    class Watcher {
     public:
        virtual ~Watcher() = default;
        virtual void on_ready() = 0;
    };
    // Waits for fd to become readable, until unwatch. Throws std::system_error.
    std::uint32_t watch(int fd, Watcher& watcher);
    void pause(std::uint32_t watch, int fd, bool paused);
    void unwatch(std::uint32_t watch, int fd);
    // Takes the descriptor and its place in the settings' budget; handshake and on_open follow,
    // perhaps at once.
    void adopt(int fd, const Address& peer, std::shared_ptr<const ConnectionSettings> settings,
               const Place& place);

 private:
    friend class Connection;

    struct Timer {
        Task task;
        std::int64_t every_ms;
    };
    // Times in steady milliseconds at which the sweep looks at a connection; kNever: not at all.
    struct Deadlines {
        std::int64_t idle;
        std::int64_t stalled;
    };
    static constexpr std::int64_t kNever = INT64_MAX;

    void turn(int longest_wait_ms);
    int wait_ms() const;
    void serve(std::uint64_t key, std::uint32_t events);
    void run_posted();
    void run_timers();
    void end_turn();
    void flush_dirty();
    void mark_dirty(Connection& connection);
    void sweep();
    void linger();
    void close_all();
    TimerId add_timer(std::int64_t ms, std::int64_t every_ms, Task task);
    void read_clock() { now_ns_ = clock_.steady_ns(); }
    void wake();
    // For Connection.
    Deadlines& deadlines_of(ConnectionId id);
    void destroy(Connection& connection);
    std::unique_ptr<Output> take_output();
    void give_back(std::unique_ptr<Output> output);

    const base::Clock& clock_;
    Metrics& metrics_;
    int epoll_ = -1;
    int event_ = -1;
    std::int64_t now_ns_ = 0;
    std::atomic<bool> stop_{false};
    std::atomic<std::int64_t> linger_ms_{0};

    std::mutex mutex_;  // guards the next two
    std::vector<Task> posted_;
    bool woken_ = false;
    bool posts_ready_ = false;
    std::vector<Task> running_;  // kept for its capacity

    std::vector<std::unique_ptr<Connection>> slots_;
    std::vector<std::uint32_t> generations_;
    std::vector<Deadlines> deadlines_;
    std::vector<std::uint32_t> free_slots_;
    std::size_t live_ = 0;
    std::vector<Watcher*> watchers_;

    std::vector<Connection*> dirty_;
    std::vector<Connection*> ending_;
    std::vector<ConnectionId> resuming_;
    std::vector<ConnectionId> resuming_now_;
    std::vector<std::unique_ptr<Output>> spare_outputs_;
    std::unique_ptr<char[]> buffer_;  // kBufferSize bytes: one incomplete line and one read
    std::uint64_t bytes_in_ = 0;      // of this turn
    std::uint64_t bytes_out_ = 0;

    std::map<std::pair<std::int64_t, std::uint64_t>, Timer> timers_;
    std::unordered_map<std::uint64_t, std::int64_t> timer_due_;
    std::uint64_t next_timer_ = 0;
    std::vector<Task> turn_end_;
};

}  // namespace adit::net
