#include "tests/support/test_pool.h"

#include "tests/support/wait.h"

#include <charconv>
#include <stdexcept>

namespace adit::tests {
namespace {

manager::Config config_of(const PoolSetup& setup) {
    auto config = manager::parse_config(setup.toml(), "test.toml");
    if (config) return *std::move(config);
    std::string text;
    for (const auto& fault : config.error())
        text += fault.text() + "\n";
    throw std::runtime_error(text);
}

}  // namespace

TestPool::TestPool(const PoolSetup& setup)
    : logger_(base::LogLevel::info, base::LogFormat::text, [this](std::string_view line) {
          const std::lock_guard lock(mutex_);
          lines_.emplace_back(line);
      }) {
    manager_ = std::make_unique<manager::PoolManager>(config_of(setup), clock_, registry_, logger_);
    if (const auto started = manager_->start(); !started) throw std::runtime_error(started.error());
    // The first probe of the listeners is over: no connection but those of the test.
    const auto is_probed = [this] { return manager_->health()->parts.at(0).probes > 0; };
    if (!eventually(is_probed)) throw std::runtime_error("the listeners were never probed");
}

TestPool::~TestPool() = default;

manager::ReloadReport TestPool::reload(const PoolSetup& setup) {
    return manager_->reload(config_of(setup));
}

std::uint16_t TestPool::port(std::size_t listener) const {
    const auto address = manager_->addresses().at(listener);
    std::uint16_t port = 0;
    const auto* from = address.data() + address.rfind(':') + 1;
    std::from_chars(from, address.data() + address.size(), port);
    return port;
}

double TestPool::metric(std::string_view name) const {
    const auto text = "\n" + registry_.text();
    const auto at = text.find(fmt::format("\n{} ", name));
    if (at == std::string::npos) return 0;
    double value = 0;
    std::from_chars(text.data() + at + name.size() + 2, text.data() + text.size(), value);
    return value;
}

std::size_t TestPool::logged(std::string_view text) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(
        lines_, [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

std::string TestPool::log_text() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& line : lines_)
        text += line + "\n";
    return text;
}

}  // namespace adit::tests
