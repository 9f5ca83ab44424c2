#include "manager/sampler.h"

#include "store/file_system.h"

namespace adit::manager {
namespace {

constexpr double kHashesPerDifficulty = 4294967296.0;  // 2^32, to within 0.002 %

}  // namespace

void RateWindow::add(std::int64_t now_ms, double value) {
    samples_[count_ % samples_.size()] = {now_ms, value};
    ++count_;
}

double RateWindow::per_second(std::size_t seconds) const {
    if (count_ < 2) return 0;
    const auto back = std::min({seconds, count_ - 1, samples_.size() - 1});
    const auto& last = samples_[(count_ - 1) % samples_.size()];
    const auto& first = samples_[(count_ - 1 - back) % samples_.size()];
    const auto elapsed_ms = last.ms - first.ms;
    return elapsed_ms <= 0 ? 0
                           : (last.value - first.value) * 1000 / static_cast<double>(elapsed_ms);
}

Sampler::Sampler(std::function<double()> work, std::function<void()> keep,
                 std::filesystem::path metrics_file, metrics::Registry& registry,
                 const base::Clock& clock, base::Logger& logger)
    : work_(std::move(work)),
      keep_(std::move(keep)),
      metrics_file_(std::move(metrics_file)),
      registry_(registry),
      clock_(clock),
      logger_(logger),
      thread_([this](std::stop_token stop) { run(stop); }) {}

Sampler::~Sampler() {
    thread_.request_stop();
    thread_.join();
    write_metrics();
}

double Sampler::hashrate(std::size_t seconds) const {
    const std::lock_guard lock(mutex_);
    return window_.per_second(seconds) * kHashesPerDifficulty;
}

void Sampler::run(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    for (int second = 0; !stop.stop_requested(); ++second) {
        window_.add(clock_.steady_ms(), work_());
        if (second % kFilesEvery == 0) {
            lock.unlock();
            write_metrics();
            keep_();
            lock.lock();
        }
        wake_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
    }
}

void Sampler::write_metrics() {
    if (metrics_file_.empty()) return;
    store::PosixFileSystem files;
    const auto written =
        store::replace_file(files, metrics_file_, base::as_bytes(registry_.text()));
    if (!written && !write_failed_) {
        logger_.warning("metrics", "the metrics file cannot be written",
                        {{"why", written.error().text()}});
    }
    write_failed_ = !written;
}

}  // namespace adit::manager
