#include "tests/support/child.h"

#include <charconv>
#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace adit::tests {
namespace {

std::string contents(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

int open_output(const std::filesystem::path& file) {
    return ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

}  // namespace

Child::Child(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const auto& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int out = open_output(dir_.path() / "out");
    const int err = open_output(dir_.path() / "err");
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
        // Only async-signal-safe calls until exec.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(126);
        ::dup2(null, STDIN_FILENO);
        ::dup2(out, STDOUT_FILENO);
        ::dup2(err, STDERR_FILENO);
        ::execvp(arguments[0], arguments.data());
        ::_exit(127);
    }
    for (const int fd : {out, err, null})
        ::close(fd);
    if (pid_ < 0) throw std::runtime_error("fork failed");
}

Child::~Child() {
    kill();
}

void Child::signal(int number) const {
    if (!code_) ::kill(pid_, number);
}

void Child::kill() {
    if (code_) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    code_ = 128 + SIGKILL;
}

bool Child::running() {
    int status = 0;
    if (code_ || ::waitpid(pid_, &status, WNOHANG) != pid_) return !code_;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return false;
}

std::optional<int> Child::wait(std::int64_t deadline_ms) {
    eventually([this] { return !running(); }, deadline_ms);
    return code_;
}

std::string Child::out() const {
    return contents(dir_.path() / "out");
}
std::string Child::err() const {
    return contents(dir_.path() / "err");
}

bool Child::wrote(std::string_view text) const {
    return err().find(text) != std::string::npos || out().find(text) != std::string::npos;
}

bool Child::writes(std::string_view text, std::int64_t deadline_ms) {
    eventually([&] { return wrote(text) || !running(); }, deadline_ms);
    return wrote(text);
}

Finished run_adit(const std::vector<std::string>& arguments) {
    std::vector<std::string> command{adit_program()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Child child(command);
    const auto code = child.wait();
    if (!code) throw std::runtime_error("adit did not end: " + child.err());
    return {*code, child.out(), child.err()};
}

std::string adit_program() {
    return ADIT_PROGRAM;
}

std::vector<std::string> adit_run(const std::string& config_file) {
    return {adit_program(), "run", "--config", config_file};
}

std::uint16_t listening_port(Child& pool) {
    constexpr std::string_view kBefore = "listening address=127.0.0.1:";
    std::uint16_t port = 0;
    eventually([&] {
        const auto text = pool.err();
        const auto at = text.find(kBefore);
        if (at == std::string::npos) return !pool.running();
        const auto end = text.find('\n', at);
        if (end == std::string::npos) return false;
        std::from_chars(text.data() + at + kBefore.size(), text.data() + end, port);
        return true;
    });
    return port;
}

}  // namespace adit::tests
