// A PostgreSQL server of the test program's own: a cluster in a temporary folder that listens on a
// Unix socket there, started with the first database that a test asks for and ended with the
// program. PostgreSQL refuses to run as root, so root starts it as the user postgres. Tests only.
#pragma once

#include "base/clock.h"
#include "base/wait.h"
#include "store/postgres_connection.h"
#include "store/tally_test_support.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace adit::store::testing {

class PostgresServer {
 public:
    PostgresServer() {
        if (::geteuid() == 0) {
            user_ = ::getpwnam("postgres");
            if (user_ == nullptr) throw std::runtime_error("there is no user postgres");
            if (::chown(dir_.path().c_str(), user_->pw_uid, user_->pw_gid) != 0) {
                throw std::runtime_error("cannot give the cluster's folder away");
            }
        }
        const auto data = (dir_.path() / "data").string();
        const auto made = spawn({"initdb", "-D", data, "-U", "adit", "--auth=trust", "--no-sync",
                                 "-E", "UTF8", "--locale=C", "--no-instructions"});
        int status = 0;
        if (::waitpid(made, &status, 0) != made || status != 0) {
            throw std::runtime_error("initdb failed: " + log());
        }
        start();
    }
    ~PostgresServer() { stop(); }
    PostgresServer(const PostgresServer&) = delete;
    PostgresServer& operator=(const PostgresServer&) = delete;

    static PostgresServer& instance() {
        static PostgresServer server;
        return server;
    }

    void start() {
        server_ = spawn({"postgres", "-D", (dir_.path() / "data").string(), "-k",
                         dir_.path().string(), "-c", "listen_addresses=", "-c", "fsync=off", "-c",
                         "max_connections=50", "-c", "shared_buffers=16MB"});
        const base::SystemClock clock;
        const bool ready = base::wait_until(clock, clock.steady_ms() + 60'000, [&] {
            try {
                PostgresConnection(url("postgres"), PostgresMode::read);
                return true;
            } catch (const SqlError&) {
                return false;
            }
        });
        if (!ready) throw std::runtime_error("the server does not answer: " + log());
    }
    // At once, as if the machine had stopped.
    void stop() {
        if (server_ <= 0) return;
        ::kill(server_, SIGQUIT);
        int status = 0;
        ::waitpid(server_, &status, 0);
        server_ = 0;
    }

    std::string url(const std::string& database) const {
        return fmt::format("postgresql://adit@/{}?host={}", database, dir_.path().string());
    }
    // A new, empty database.
    std::string create_database() {
        const auto name = fmt::format("test{}", ++databases_);
        PostgresConnection(url("postgres"), PostgresMode::write).run("CREATE DATABASE " + name);
        return url(name);
    }

 private:
    ::pid_t spawn(std::vector<std::string> arguments) {
        // By its whole path: the programs look for one another beside their own.
        arguments[0] = "/usr/lib/postgresql/15/bin/" + arguments[0];
        std::vector<char*> pointers;
        for (auto& argument : arguments)
            pointers.push_back(argument.data());
        pointers.push_back(nullptr);
        const auto output = (dir_.path() / "log").string();
        const auto child = ::fork();
        if (child != 0) return child;
        const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        ::dup2(file, 1);
        ::dup2(file, 2);
        if (user_ != nullptr && (::setgroups(0, nullptr) != 0 || ::setgid(user_->pw_gid) != 0 ||
                                 ::setuid(user_->pw_uid) != 0)) {
            ::_exit(126);
        }
        // A killed test leaves no server behind.
        ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
        ::setenv("LC_ALL", "C", 1);
        if (::chdir(dir_.path().c_str()) != 0) ::_exit(125);
        ::execv(pointers[0], pointers.data());
        ::_exit(127);
    }
    std::string log() const {
        PosixFileSystem files;
        const auto read = read_file(files, dir_.path() / "log", 1 << 20);
        return read ? std::string(base::as_text(*read)) : std::string("no output");
    }

    TemporaryDir dir_;
    const ::passwd* user_ = nullptr;
    ::pid_t server_ = 0;
    int databases_ = 0;
};

}  // namespace adit::store::testing
