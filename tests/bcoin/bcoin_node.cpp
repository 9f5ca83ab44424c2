#include "tests/bcoin/bcoin_node.h"

#include "base/clock.h"
#include "base/random.h"
#include "tests/support/lasting_port.h"

#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <filesystem>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace adit::tests {
namespace {

constexpr std::int64_t kStartDeadlineMs = 120'000;
constexpr std::int64_t kStopDeadlineMs = 5'000;
constexpr int kPollMs = 20;

std::filesystem::path bcoin_folder() {
    return std::filesystem::path(ADIT_SOURCE_DIR) / "tests/bcoin";
}

void pause_briefly() {
    ::poll(nullptr, 0, kPollMs);
}

}  // namespace

BcoinNode::BcoinNode() {
    if (!std::filesystem::exists(bcoin_folder() / "node_modules/bcoin/package.json")) {
        throw std::runtime_error(fmt::format(
            "bcoin is not installed: run `npm ci --ignore-scripts` in {} (./test does it)",
            bcoin_folder().string()));
    }
    rpc_ = {.port = lasting_port(), .user = "bitcoinrpc", .password = base::random_hex(16)};
    do {
        p2p_port_ = lasting_port();
    } while (p2p_port_ == rpc_.port);
    launch();
    await_ready();
    if (height() != 0) throw std::runtime_error("bcoin did not start with an empty chain");
}

BcoinNode::~BcoinNode() {
    kill();
}

void BcoinNode::launch() {
    const auto script = (bcoin_folder() / "start.js").string();
    const auto http_port = std::to_string(rpc_.port);
    const auto p2p_port = std::to_string(p2p_port_);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe for bcoin failed");
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork for bcoin failed");
    if (child == 0) {
        // Only async-signal-safe calls (and setenv, as the only thread of the child).
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(126);
        ::dup2(ends[1], STDOUT_FILENO);
        ::dup2(ends[1], STDERR_FILENO);
        ::setenv("NODE_BACKEND", "js", 1);
        ::execlp("node", "node", script.c_str(), http_port.c_str(), p2p_port.c_str(),
                 rpc_.password.c_str(), static_cast<char*>(nullptr));
        ::_exit(127);
    }
    ::close(ends[1]);
    pid_ = child;
    output_ = ends[0];
    ::fcntl(output_, F_SETFL, O_NONBLOCK);
    log_.clear();
}

bool BcoinNode::ended() {
    char chunk[4096];
    for (ssize_t n; (n = ::read(output_, chunk, sizeof chunk)) > 0;) {
        log_.append(chunk, static_cast<std::size_t>(n));
    }
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
    pid_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) log_ += "the program `node` was not found";
    return true;
}

void BcoinNode::await_ready() {
    const base::SystemClock clock;
    const auto deadline = clock.steady_ms() + kStartDeadlineMs;
    while (true) {
        const bool gone = ended();
        if (!gone && log_.find("READY") != std::string::npos) break;
        if (gone) throw std::runtime_error("bcoin ended while starting: " + log_);
        if (clock.steady_ms() > deadline) {
            kill();
            throw std::runtime_error("bcoin did not start within two minutes: " + log_);
        }
        pause_briefly();
    }
}

std::string BcoinNode::url() const {
    return fmt::format("http://127.0.0.1:{}", rpc_.port);
}

nlohmann::json BcoinNode::call(std::string_view method, const nlohmann::json& params) const {
    return rpc_call(rpc_, method, params);
}
nlohmann::json BcoinNode::call(std::string_view method) const {
    return rpc_call(rpc_, method, nlohmann::json::array());
}

std::int32_t BcoinNode::height() const {
    return call("getblockcount").get<std::int32_t>();
}
std::string BcoinNode::best_hash() const {
    return call("getbestblockhash").get<std::string>();
}

void BcoinNode::generate(int blocks, std::string_view address) const {
    // In portions, so that no single call outlasts its deadline on a slow machine.
    while (blocks > 0) {
        const int portion = std::min(blocks, 50);
        call("generatetoaddress", {portion, address});
        blocks -= portion;
    }
}

std::string BcoinNode::submit_block(base::ByteSpan block) const {
    const auto result = call("submitblock", nlohmann::json::array({base::to_hex(block)}));
    if (result.is_null()) return {};
    auto reason = result.get<std::string>();
    constexpr std::string_view kPrefix = "rejected: ";
    if (reason.starts_with(kPrefix)) reason.erase(0, kPrefix.size());
    return reason;
}

std::vector<std::string> BcoinNode::coinbase_scripts(std::int32_t height) const {
    const auto hash = call("getblockhash", nlohmann::json::array({height}));
    const auto block = call("getblock", {hash, true, true});
    std::vector<std::string> scripts;
    for (const auto& output : block.at("tx").at(0).at("vout")) {
        scripts.push_back(output.at("scriptPubKey").at("hex").get<std::string>());
    }
    return scripts;
}

void BcoinNode::connect_to(const BcoinNode& other) const {
    call("addnode", {fmt::format("127.0.0.1:{}", other.p2p_port()), "onetry"});
    const base::SystemClock clock;
    const auto deadline = clock.steady_ms() + kStartDeadlineMs;
    while (call("getconnectioncount").get<int>() == 0 || best_hash() != other.best_hash()) {
        if (clock.steady_ms() > deadline) {
            throw std::runtime_error("two bcoin nodes did not agree within two minutes");
        }
        pause_briefly();
    }
}

bool BcoinNode::wait_for_height(std::int32_t wanted, std::int64_t deadline_ms) const {
    const base::SystemClock clock;
    const auto deadline = clock.steady_ms() + deadline_ms;
    while (height() < wanted) {
        if (clock.steady_ms() > deadline) return false;
        pause_briefly();
    }
    return true;
}

void BcoinNode::stop() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGTERM);
    const base::SystemClock clock;
    const auto deadline = clock.steady_ms() + kStopDeadlineMs;
    while (!ended() && clock.steady_ms() < deadline)
        pause_briefly();
    kill();
}

void BcoinNode::kill() {
    if (pid_ >= 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    if (output_ >= 0) ::close(output_);
    output_ = -1;
}

void BcoinNode::suspend() const {
    ::kill(pid_, SIGSTOP);
}
void BcoinNode::resume() const {
    ::kill(pid_, SIGCONT);
}

void BcoinNode::restart() {
    kill();
    launch();
    await_ready();
}

}  // namespace adit::tests
