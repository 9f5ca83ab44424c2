#include "manager/control_socket.h"

#include "base/random.h"
#include "manager/control_address.h"
#include "manager/control_client.h"
#include "manager/control_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace adit::manager {
namespace {

using ::testing::HasSubstr;

constexpr int kDeadlineMs = 20'000;

// A client that sends what no adit command would.
class RawClient {
 public:
    explicit RawClient(const std::filesystem::path& data_dir)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const auto address = *control_address(control_path(data_dir));
        connected_ =
            ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    ~RawClient() { ::close(fd_); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    bool connected() const { return connected_; }
    // What was taken before the peer closed.
    std::size_t send(std::string_view text) const {
        std::size_t taken = 0;
        while (taken < text.size()) {
            const auto sent = ::send(fd_, text.data() + taken, text.size() - taken, MSG_NOSIGNAL);
            if (sent <= 0) break;
            taken += static_cast<std::size_t>(sent);
        }
        return taken;
    }
    void finish_sending() const { ::shutdown(fd_, SHUT_WR); }
    // The next line; "(end)" when the peer ended, "(late)" after the deadline.
    std::string line() {
        while (true) {
            const auto end = input_.find('\n');
            if (end != std::string::npos) {
                auto line = input_.substr(0, end);
                input_.erase(0, end + 1);
                return line;
            }
            pollfd ready{fd_, POLLIN, 0};
            if (::poll(&ready, 1, kDeadlineMs) <= 0) return "(late)";
            std::array<char, 65536> buffer;
            const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (got <= 0) return "(end)";
            input_.append(buffer.data(), static_cast<std::size_t>(got));
        }
    }

 private:
    int fd_;
    bool connected_ = false;
    std::string input_;
};

// Lets a handler wait until the test says so.
class Gate {
 public:
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void pass(std::stop_token stop) {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        changed_.wait(lock, stop, [this] { return open_; });
    }
    bool wait_for_visitor() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::milliseconds(kDeadlineMs),
                                 [this] { return waiting_ > 0; });
    }

 private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool open_ = false;
    int waiting_ = 0;
};

class ControlSocketTest : public ::testing::Test {
 protected:
    void SetUp() override {
        dir = std::filesystem::temp_directory_path() / ("adit-ctl-" + base::random_hex(6));
        std::filesystem::create_directories(dir);
        handlers["echo"] = [](const ControlRequest& request) {
            return ControlReply::result(request.params);
        };
        handlers["no"] = [](const ControlRequest&) {
            return ControlReply::refusal("not \"today\"\nat all");
        };
        handlers["big"] = [](const ControlRequest&) {
            return ControlReply::result('"' + std::string(2'000'000, 'x') + '"');
        };
        handlers["huge"] = [](const ControlRequest&) {
            return ControlReply::result('"' + std::string(5'000'000, 'x') + '"');
        };
        handlers["throw"] = [](const ControlRequest&) -> ControlReply {
            throw std::runtime_error("a library's trouble");
        };
        handlers["wait"] = [this](const ControlRequest& request) {
            gate.pass(request.stop);
            return ControlReply::result(request.stop.stop_requested() ? R"("ended")" : R"("done")");
        };
        settings.max_reply = 4'000'000;
    }
    void TearDown() override {
        gate.open();
        socket.reset();
        std::filesystem::remove_all(dir);
    }
    void open() {
        auto made = ControlSocket::open(dir, handlers, settings, clock, log);
        ASSERT_TRUE(made) << made.error();
        socket = std::move(*made);
    }
    // "ok BODY", or the kind of failure and its sentence.
    std::string ask(std::string_view method, std::string_view params = "{}",
                    int timeout_ms = kDeadlineMs) const {
        const auto reply = ask_pool(dir, method, params, timeout_ms);
        if (reply) return "ok " + *reply;
        constexpr std::array kNames{"no pool: ", "no access: ", "refused: ", "unanswered: "};
        return kNames[static_cast<std::size_t>(reply.error().fault)] + reply.error().message;
    }

    std::filesystem::path dir;
    base::ManualClock clock;
    base::Logger log{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    ControlHandlers handlers;
    ControlSettings settings;
    Gate gate;
    std::unique_ptr<ControlSocket> socket;
};

TEST_F(ControlSocketTest, CarriesARequestAndItsReply) {
    open();
    EXPECT_EQ(ask("echo", R"({ "a" : [1, "two", null],
                               "b" : {"c":"ü\n"} })"),
              R"(ok {"a":[1,"two",null],"b":{"c":"ü\n"}})");
    EXPECT_EQ(ask("echo"), "ok {}");
    EXPECT_EQ(ask("no"), "refused: not \"today\"\nat all");
    EXPECT_THAT(ask("unheard"), HasSubstr("refused: the pool knows no command \"unheard\""));
    EXPECT_THAT(ask("throw"), HasSubstr("refused: the pool could not do that (a library's"));
    EXPECT_EQ(ask("big").size(), 2'000'005u);
    EXPECT_THAT(ask("huge"), HasSubstr("refused: the answer has"));
}

TEST_F(ControlSocketTest, OnlyItsOwnUserMayConnect) {
    open();
    struct stat found{};
    ASSERT_EQ(::lstat(control_path(dir).c_str(), &found), 0);
    EXPECT_TRUE(S_ISSOCK(found.st_mode));
    EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST_F(ControlSocketTest, SaysWhenNoPoolRuns) {
    const auto none = "no pool: no pool is running on " + dir.string() + "; start it with adit run";
    EXPECT_EQ(ask("echo"), none);
    open();
    EXPECT_EQ(ask("echo"), "ok {}");
    socket->stop();
    EXPECT_EQ(ask("echo"), none);
    EXPECT_FALSE(std::filesystem::exists(control_path(dir)));
    socket->stop();
    EXPECT_THAT(ask_pool(dir / "nowhere", "echo", "{}", 100).error().message,
                HasSubstr("no pool is running on"));
}

TEST_F(ControlSocketTest, TakesThePlaceOfADeadPoolsSocket) {
    // Bound and closed, but never removed: what a killed process leaves.
    const auto address = *control_address(control_path(dir));
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(fd);
    ASSERT_TRUE(std::filesystem::exists(control_path(dir)));
    EXPECT_THAT(ask("echo"), HasSubstr("no pool is running"));
    open();
    EXPECT_EQ(ask("echo"), "ok {}");
}

TEST_F(ControlSocketTest, RemovesNothingThatIsNoSocket) {
    std::ofstream(control_path(dir)) << "precious";
    const auto made = ControlSocket::open(dir, handlers, settings, clock, log);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error(), HasSubstr("is in the way"));
    EXPECT_TRUE(std::filesystem::exists(control_path(dir)));
}

TEST_F(ControlSocketTest, NamesAPathThatIsTooLong) {
    const auto longer = dir / std::string(100, 'd');
    std::filesystem::create_directories(longer);
    const auto made = ControlSocket::open(longer, handlers, settings, clock, log);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error(), HasSubstr("at most 107 for a socket; choose a shorter data_dir"));
    const auto asked = ask_pool(longer, "echo", "{}", 100);
    EXPECT_EQ(asked.error().fault, ControlFault::no_access);
    EXPECT_THAT(asked.error().message, HasSubstr("shorter data_dir"));
}

TEST_F(ControlSocketTest, AnswersGarbageWithAnErrorAndGoesOn) {
    open();
    RawClient client(dir);
    const std::pair<std::string, const char*> cases[] = {
        {"", "a request is a JSON object"},
        {"hello", "a request is a JSON object"},
        {"[1,2]", "a request is a JSON object"},
        {R"({"method":"echo")", "a request is a JSON object"},
        {R"({"method":"echo"} {})", "a request is a JSON object"},
        {"{\"method\":\"\xff\xfe\"}", "a request is a JSON object"},
        {std::string("\0\x01\x02", 3), "a request is a JSON object"},
        {R"({"params":{}})", R"(needs a \"method\")"},
        {R"({"method":7})", R"(needs a \"method\")"},
        {R"({"method":"echo","params":[1]})", R"(\"params\" must be an object)"},
        {R"({"method":"echo","parameters":{}})", "no other members"},
        {std::string(40'000, '['), "nested 32 levels deep at most"},
        {R"({"method":"echo","params":)" + std::string(60, '{') + "}", "nested 32 levels"},
    };
    for (const auto& [line, expected] : cases) {
        ASSERT_EQ(client.send(line + "\n"), line.size() + 1);
        const auto reply = client.line();
        EXPECT_THAT(reply, HasSubstr(R"({"ok":false,"error":")")) << line;
        EXPECT_THAT(reply, HasSubstr(expected)) << line;
    }
    client.send("{\"method\":\"echo\",\"params\":{\"x\":\"]][[{{\"}}\n");
    EXPECT_EQ(client.line(), R"({"ok":true,"result":{"x":"]][[{{"}})");
}

TEST_F(ControlSocketTest, ALineBeyondTheBoundEndsTheConnection) {
    open();
    for (const bool with_end : {false, true}) {
        RawClient client(dir);
        client.send(std::string(settings.max_line + 1, 'x') + (with_end ? "\n" : ""));
        EXPECT_THAT(client.line(), HasSubstr("may have 65536 bytes at most"));
        EXPECT_EQ(client.line(), "(end)");
    }
    // The longest that is allowed.
    RawClient client(dir);
    const std::string head = R"({"method":"echo","params":{"x":")", tail = R"("}})";
    client.send(head + std::string(settings.max_line - head.size() - tail.size(), 'y') + tail +
                "\n");
    EXPECT_THAT(client.line(), HasSubstr(R"({"ok":true)"));
    EXPECT_EQ(ask("echo"), "ok {}");
}

TEST_F(ControlSocketTest, RequestsMayComeInPiecesOrTogether) {
    open();
    RawClient client(dir);
    for (const char c : std::string_view("{\"method\":\"echo\"}\n"))
        client.send(std::string_view(&c, 1));
    EXPECT_EQ(client.line(), R"({"ok":true,"result":{}})");
    client.send("{\"method\":\"no\"}\n{\"method\":\"echo\"}\n");
    client.finish_sending();
    EXPECT_THAT(client.line(), HasSubstr("not"));
    EXPECT_EQ(client.line(), R"({"ok":true,"result":{}})");
    EXPECT_EQ(client.line(), "(end)");
}

TEST_F(ControlSocketTest, AClientThatDoesNotFinishItsLineIsSentAway) {
    open();
    RawClient slow(dir);
    slow.send("{\"method\":");
    EXPECT_EQ(ask("echo"), "ok {}") << "others do not wait for it";
    clock.advance_ms(settings.patience_ms);
    EXPECT_EQ(slow.line(), "(end)");
    EXPECT_EQ(ask("echo"), "ok {}");
}

TEST_F(ControlSocketTest, AClientThatDoesNotTakeItsReplyIsSentAway) {
    open();
    RawClient slow(dir);
    slow.send("{\"method\":\"big\"}\n");
    EXPECT_EQ(ask("echo"), "ok {}") << "others do not wait for it";
    clock.advance_ms(settings.patience_ms);
    EXPECT_EQ(slow.line(), "(end)") << "only a part of the reply came";
    EXPECT_EQ(ask("echo"), "ok {}");
}

TEST_F(ControlSocketTest, TwoClientsAtOnceAreServedOneAfterTheOther) {
    open();
    auto first = std::async(std::launch::async, [this] { return ask("wait"); });
    ASSERT_TRUE(gate.wait_for_visitor());
    auto second = std::async(std::launch::async, [this] { return ask("echo", R"({"n":2})"); });
    EXPECT_EQ(second.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
    gate.open();
    EXPECT_EQ(first.get(), "ok \"done\"");
    EXPECT_EQ(second.get(), R"(ok {"n":2})");
}

TEST_F(ControlSocketTest, MoreClientsThanTheBoundAreTold) {
    settings.max_clients = 2;
    open();
    RawClient one(dir), two(dir);
    for (auto* client : {&one, &two}) {
        client->send("{\"method\":\"echo\"}\n");
        EXPECT_EQ(client->line(), R"({"ok":true,"result":{}})");
    }
    EXPECT_THAT(ask("echo"), HasSubstr("refused: too many commands at once"));
    EXPECT_THAT(ask("echo"), HasSubstr("refused: too many commands at once"));
    one.finish_sending();
    EXPECT_EQ(one.line(), "(end)");
    EXPECT_EQ(ask("echo"), "ok {}");
}

TEST_F(ControlSocketTest, StopsWhileClientsWait) {
    open();
    auto handled = std::async(std::launch::async, [this] { return ask("wait"); });
    ASSERT_TRUE(gate.wait_for_visitor());
    auto queued = std::async(std::launch::async, [this] { return ask("echo"); });
    RawClient idle(dir);
    ASSERT_TRUE(idle.connected());
    socket->stop();
    // The one being handled was told to come to an end and is answered.
    EXPECT_EQ(handled.get(), "ok \"ended\"");
    EXPECT_EQ(idle.line(), "(end)");
    const auto other = queued.get();
    EXPECT_TRUE(other.starts_with("unanswered: ") || other.starts_with("no pool: ")) << other;
}

TEST_F(ControlSocketTest, TheClientGivesUpAfterItsTime) {
    open();
    const auto late = ask("wait", "{}", 50);
    EXPECT_THAT(late, HasSubstr("unanswered: the pool on"));
    EXPECT_THAT(late, HasSubstr("look before you repeat it"));
}

TEST(ControlProtocol, KnowsARepliesFromNoReply) {
    for (const auto* line : {"", "7", "{}", R"({"ok":true})", R"({"ok":false})", R"({"ok":1})",
                             R"({"ok":false,"error":7})", R"({"ok":true,"result":)"}) {
        EXPECT_FALSE(parse_control_reply(line)) << line;
    }
    const auto refusal = parse_control_reply(control_reply_line(ControlReply::refusal("\xff no")));
    ASSERT_TRUE(refusal);
    EXPECT_FALSE(refusal->ok);
    EXPECT_THAT(refusal->body, HasSubstr(" no"));
}

}  // namespace
}  // namespace adit::manager
