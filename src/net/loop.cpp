#include "net/loop.h"

#include "base/check.h"
#include "net/connection_io.h"

#include <cerrno>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace adit::net {
namespace {

constexpr int kEventsPerTurn = 256;
constexpr std::size_t kMaxDirty = 512;  // connections with replies before they are written early
constexpr std::size_t kMaxSpareOutputs = 512;
constexpr std::size_t kMaxSpareCapacity = 4096;  // bytes
constexpr std::int64_t kSweepMs = 500;
constexpr int kLongestWaitMs = 60'000;
constexpr int kLingerWaitMs = 20;
// epoll keys: a connection's id has a generation (> 0) in its upper half; watchers have none.
constexpr std::uint64_t kWakeKey = 0xffffffff;

[[noreturn]] void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::uint32_t slot_of(ConnectionId id) {
    return static_cast<std::uint32_t>(id);
}

}  // namespace

Loop::Loop(const base::Clock& clock, Metrics& metrics) : clock_(clock), metrics_(metrics) {
    read_clock();
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) throw_errno("epoll_create1");
    event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_ < 0) {
        close(epoll_);
        throw_errno("eventfd");
    }
    // Edge-triggered: each write is an edge, so the counter need not be read back.
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = kWakeKey}};
    ADIT_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &event) == 0, "a new eventfd can be added");
    buffer_ = std::make_unique_for_overwrite<char[]>(kBufferSize);
    every(kSweepMs, [this] { sweep(); });
}

Loop::~Loop() {
    slots_.clear();
    close(event_);
    close(epoll_);
}

void Loop::run() {
    read_clock();
    while (!stop_.load(std::memory_order_acquire))
        turn(kLongestWaitMs);
    linger();
    close_all();
}

void Loop::linger() {
    const auto until = now_ms() + linger_ms_.load(std::memory_order_relaxed);
    if (now_ms() >= until) return;
    for_each([](Connection& connection) { connection.close_gracefully(CloseReason::shutdown); });
    end_turn();
    while (live_ != 0 && now_ms() < until)
        turn(kLingerWaitMs);
}

void Loop::turn(int longest_wait_ms) {
    std::array<epoll_event, kEventsPerTurn> events;
    const int n =
        epoll_wait(epoll_, events.data(), kEventsPerTurn, std::min(wait_ms(), longest_wait_ms));
    read_clock();
    for (int i = 0; i < n; ++i) {
        serve(events[static_cast<std::size_t>(i)].data.u64,
              events[static_cast<std::size_t>(i)].events);
    }
    resuming_now_.swap(resuming_);
    for (const auto id : resuming_now_) {
        const auto slot = slot_of(id);
        if (slots_[slot] && slots_[slot]->id_ == id) slots_[slot]->resume();
    }
    resuming_now_.clear();
    if (posts_ready_) run_posted();
    run_timers();
    end_turn();
}

void Loop::serve(std::uint64_t key, std::uint32_t events) {
    const auto low = static_cast<std::uint32_t>(key);
    if (key >> 32 == 0) {
        if (key == kWakeKey) {
            posts_ready_ = true;
        } else if (watchers_[low] != nullptr) {
            watchers_[low]->on_ready();
        }
        return;
    }
    auto& connection = slots_[low];
    // An earlier event of this turn may have led to its end; ids tell a later tenant apart.
    if (connection && connection->id_ == ConnectionId{key}) connection->on_events(events);
}

void Loop::end_turn() {
    for (auto& task : turn_end_)
        task();
    while (!dirty_.empty() || !ending_.empty()) {
        flush_dirty();
        std::vector<Connection*> ending;
        ending.swap(ending_);
        for (auto* connection : ending)
            connection->finish();
    }
    metrics_.turns.add();
    if (bytes_in_ != 0) metrics_.bytes_in.add(std::exchange(bytes_in_, 0));
    if (bytes_out_ != 0) metrics_.bytes_out.add(std::exchange(bytes_out_, 0));
}

void Loop::flush_dirty() {
    for (auto* connection : dirty_)
        connection->flush();
    dirty_.clear();
}

void Loop::mark_dirty(Connection& connection) {
    dirty_.push_back(&connection);
    if (dirty_.size() >= kMaxDirty) flush_dirty();
}

void Loop::stop(std::int64_t linger_ms) {
    linger_ms_ = linger_ms;
    stop_.store(true, std::memory_order_release);
    wake();
}

void Loop::wake() {
    const std::uint64_t one = 1;
    // Cannot block: the counter would have to reach 2^64 - 1.
    [[maybe_unused]] const auto written = write(event_, &one, sizeof one);
}

void Loop::post(Task task) {
    bool wake_up = false;
    {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(task));
        wake_up = !std::exchange(woken_, true);
    }
    if (wake_up) wake();
}

void Loop::run_posted() {
    posts_ready_ = false;
    {
        const std::lock_guard lock(mutex_);
        running_.swap(posted_);
        woken_ = false;
    }
    for (auto& task : running_)
        task();
    running_.clear();
}

TimerId Loop::after(std::int64_t ms, Task task) {
    return add_timer(ms, 0, std::move(task));
}

TimerId Loop::every(std::int64_t ms, Task task) {
    return add_timer(ms, std::max<std::int64_t>(ms, 1), std::move(task));
}

TimerId Loop::add_timer(std::int64_t ms, std::int64_t every_ms, Task task) {
    const auto id = ++next_timer_;
    const auto due = now_ms() + ms;
    timers_.emplace(std::pair(due, id), Timer{std::move(task), every_ms});
    timer_due_.emplace(id, due);
    return TimerId{id};
}

void Loop::cancel(TimerId timer) {
    const auto id = static_cast<std::uint64_t>(timer);
    const auto due = timer_due_.find(id);
    if (due == timer_due_.end()) return;
    timers_.erase({due->second, id});
    timer_due_.erase(due);
}

void Loop::run_timers() {
    const auto now = now_ms();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        auto node = timers_.extract(timers_.begin());
        const auto id = node.key().second;
        auto& timer = node.mapped();
        if (timer.every_ms == 0) {
            timer_due_.erase(id);
            timer.task();
            continue;
        }
        timer_due_[id] = now + timer.every_ms;
        timer.task();
        if (!timer_due_.contains(id)) continue;  // it cancelled itself
        node.key().first = now + timer.every_ms;
        timers_.insert(std::move(node));
    }
}

int Loop::wait_ms() const {
    if (!resuming_.empty()) return 0;
    if (timers_.empty()) return kLongestWaitMs;
    const auto ms = timers_.begin()->first.first - now_ms();
    return static_cast<int>(std::clamp<std::int64_t>(ms, 0, kLongestWaitMs));
}

Connection* Loop::find(ConnectionId id) const {
    const auto slot = slot_of(id);
    if (slot >= slots_.size() || !slots_[slot] || slots_[slot]->id_ != id) return nullptr;
    return slots_[slot]->is_open() ? slots_[slot].get() : nullptr;
}

Connection* Loop::find_ending(ConnectionId id) const {
    const auto slot = slot_of(id);
    if (slot >= slots_.size() || !slots_[slot] || slots_[slot]->id_ != id) return nullptr;
    return slots_[slot]->owes_on_closed_ ? slots_[slot].get() : nullptr;
}

void Loop::for_each(const std::function<void(Connection&)>& visit) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i] && slots_[i]->is_open()) visit(*slots_[i]);
    }
}

std::uint32_t Loop::watch(int fd, Watcher& watcher) {
    const auto index = static_cast<std::uint32_t>(watchers_.size());
    epoll_event event{.events = EPOLLIN, .data = {.u64 = index}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) throw_errno("epoll_ctl");
    watchers_.push_back(&watcher);
    return index;
}

void Loop::pause(std::uint32_t watch, int fd, bool paused) {
    epoll_event event{.events = paused ? 0u : EPOLLIN, .data = {.u64 = watch}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Loop::unwatch(std::uint32_t watch, int fd) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    watchers_[watch] = nullptr;
}

void Loop::adopt(int fd, const Address& peer, std::shared_ptr<const ConnectionSettings> settings,
                 const Place& place) {
    if (free_slots_.empty()) {
        free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.emplace_back();
        generations_.push_back(1);
        deadlines_.push_back({kNever, kNever});
    }
    const auto slot = free_slots_.back();
    free_slots_.pop_back();
    const ConnectionId id{std::uint64_t{generations_[slot]} << 32 | slot};
    slots_[slot].reset(new Connection(*this, id, fd, peer, std::move(settings), place));
    ++live_;
    metrics_.accepted.add();
    metrics_.open.add(1);
    slots_[slot]->start();
}

void Loop::destroy(Connection& connection) {
    const auto slot = slot_of(connection.id_);
    if (!connection.refused_) metrics_.closes(connection.reason_).add();
    metrics_.open.add(-1);
    deadlines_[slot] = {kNever, kNever};
    if (++generations_[slot] == 0) generations_[slot] = 1;
    slots_[slot].reset();
    free_slots_.push_back(slot);
    --live_;
}

Loop::Deadlines& Loop::deadlines_of(ConnectionId id) {
    return deadlines_[slot_of(id)];
}

void Loop::sweep() {
    const auto now = now_ms();
    for (std::size_t i = 0; i < deadlines_.size(); ++i) {
        if (now >= deadlines_[i].idle || now >= deadlines_[i].stalled) slots_[i]->on_time(now);
    }
}

void Loop::close_all() {
    flush_dirty();
    for (auto& connection : slots_) {
        if (connection) connection->end(Connection::Phase::dead, CloseReason::shutdown);
    }
    end_turn();
}

std::unique_ptr<Output> Loop::take_output() {
    if (spare_outputs_.empty()) return std::make_unique<Output>();
    auto output = std::move(spare_outputs_.back());
    spare_outputs_.pop_back();
    return output;
}

void Loop::give_back(std::unique_ptr<Output> output) {
    if (spare_outputs_.size() >= kMaxSpareOutputs) return;
    if (output->bytes.capacity() > kMaxSpareCapacity) return;
    output->bytes.clear();
    output->sent = 0;
    spare_outputs_.push_back(std::move(output));
}

}  // namespace adit::net
