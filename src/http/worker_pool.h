// A few threads and a bounded queue of work for them, so that a handler that takes long holds up
// neither a socket nor an unbounded crowd of others. Safe from any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace adit::http {

class WorkerPool {
 public:
    using Task = std::move_only_function<void()>;

    WorkerPool(std::size_t threads, std::size_t most_waiting);
    // As stop().
    ~WorkerPool();

    // False when the queue is full or the pool was stopped; the task is then destroyed, unrun.
    bool post(Task task);
    // Runs what was posted, then ends the threads; waits for them.
    void stop();

 private:
    void work();

    std::size_t most_waiting_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Task> waiting_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace adit::http
