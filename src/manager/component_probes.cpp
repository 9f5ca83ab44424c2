#include "manager/component_probes.h"

#include "base/wait.h"
#include "net/tls.h"
#include "node/rpc_client.h"
#include "store/time_mark.h"

#include <algorithm>

namespace adit::manager {
namespace {

constexpr std::uintmax_t kLittleSpace = 1u << 30;  // bytes
constexpr std::uintmax_t kMebibyte = 1u << 20;

int left_ms(const CallLimits& limits, const base::Clock& clock) {
    return static_cast<int>(
        std::clamp<std::int64_t>(limits.deadline_ms - clock.steady_ms(), 1, 60'000));
}

class LogProbe final : public Probe {
 public:
    LogProbe(share::Recorder& log, std::filesystem::path log_dir, const base::Clock& clock)
        : mark_(log), log_dir_(std::move(log_dir)), clock_(clock) {}

    std::string_view part() const override { return "log"; }
    bool is_vital() const override { return true; }
    double slow_ms() const override { return 500; }

    ProbeOutcome run(const CallLimits& limits) override {
        ProbeOutcome outcome;
        std::error_code unknown;
        const auto space = std::filesystem::space(log_dir_, unknown);
        if (!unknown && space.available < kLittleSpace) {
            outcome.note = fmt::format("only {} MiB are left for the share log in {}",
                                       space.available / kMebibyte, log_dir_.string());
            outcome.remedy = "free space there, or move archived segments away";
        }
        const auto written = mark_.write(left_ms(limits, clock_), limits.stop);
        if (!written) {
            outcome.error = "the share log does not write: " + written.error();
            outcome.remedy = fmt::format(
                "shares are refused until it does; look at the disk under {} (space, errors in "
                "dmesg)",
                log_dir_.string());
        }
        return outcome;
    }

 private:
    store::TimeMark mark_;
    const std::filesystem::path log_dir_;
    const base::Clock& clock_;
};

class LedgerProbe final : public Probe {
 public:
    LedgerProbe(const store::FileShareLog& log, store::TallyThread& tally,
                ledger::LedgerReader& reader, const base::Clock& clock)
        : log_(log), tally_(tally), reader_(reader), clock_(clock) {}

    std::string_view part() const override { return "ledger"; }
    bool is_vital() const override { return false; }
    double slow_ms() const override { return 2'000; }

    ProbeOutcome run(const CallLimits& limits) override {
        ProbeOutcome outcome;
        outcome.remedy =
            "shares are recorded all the same and counted later; look at the database that "
            "store.ledger names";
        const auto end = log_.durable_position();
        outcome.queue_depth = end - std::min(end, tally_.folded_position());
        const auto sums = reader_.total_of_all();
        if (!sums) {
            outcome.error = "the ledger cannot be read: " + sums.error();
            return outcome;
        }
        if (!sums->posted.is_zero() || !sums->pending.is_zero() || !sums->reserved.is_zero()) {
            outcome.error = "the accounts of the ledger do not sum to zero";
            outcome.remedy = "payouts stop by themselves; run `adit audit`, which names the cause";
            return outcome;
        }
        if (!tally_.wait_folded(end, left_ms(limits, clock_), limits.stop)) {
            const auto why = tally_.error();
            outcome.error = why.empty() ? fmt::format("the tally is {} bytes behind the share log",
                                                      end - std::min(end, tally_.folded_position()))
                                        : why;
        }
        return outcome;
    }

 private:
    const store::FileShareLog& log_;
    store::TallyThread& tally_;
    ledger::LedgerReader& reader_;
    const base::Clock& clock_;
};

class NodeProbe final : public Probe {
 public:
    NodeProbe(NodeProbeSources sources, const base::Clock& clock)
        : sources_(std::move(sources)), clock_(clock) {}

    std::string_view part() const override { return "nodes"; }
    // With a node gone miners go on with the last job; when that is too old they mine in vain.
    bool is_vital() const override { return sources_.status().templates_stale; }
    double slow_ms() const override { return 2'000; }

    ProbeOutcome run(const CallLimits& limits) override {
        ProbeOutcome outcome;
        const auto nodes = sources_.nodes();
        std::string failures;
        std::size_t answered = 0;
        for (const auto& settings : nodes) {
            node::RpcClient client(settings);
            const std::stop_callback on_stop(limits.stop, [&] { client.cancel(); });
            const auto reply = client.call("getbestblockhash", "[]", left_ms(limits, clock_));
            answered += reply.has_value();
            if (!reply) failures += (failures.empty() ? "" : "; ") + reply.error().message;
        }
        const auto status = sources_.status();
        if (answered == 0) {
            outcome.error = "no node answers: " + failures;
            outcome.remedy =
                "miners work on the last job for now; start a node or correct its [[node]] entry";
        } else if (status.active.empty()) {
            outcome.error = "no node gives work";
            for (const auto& node : status.nodes) {
                outcome.error += fmt::format("; {}: {}", node.name, name_of(node.state));
                if (!node.error.empty()) outcome.error += " (" + node.error + ")";
            }
            outcome.remedy = "wait for a node to catch up, or add one that has";
        } else if (answered < nodes.size()) {
            outcome.note = fmt::format("{} of {} nodes do not answer: {}", nodes.size() - answered,
                                       nodes.size(), failures);
            outcome.remedy = "the others carry the pool; start it again or remove its [[node]]";
        } else if (status.templates_stale) {
            outcome.note = "the work that miners have is too old";
            outcome.remedy = "look at the active node's getblocktemplate";
        }
        return outcome;
    }

 private:
    const NodeProbeSources sources_;
    const base::Clock& clock_;
};

class StratumProbe final : public Probe {
 public:
    StratumProbe(std::vector<ProbedListener> listeners, std::function<std::uint64_t()> places_left,
                 const base::Clock& clock)
        : listeners_(std::move(listeners)), places_left_(std::move(places_left)), clock_(clock) {}

    std::string_view part() const override { return "stratum"; }
    bool is_vital() const override { return true; }
    double slow_ms() const override { return 500; }

    ProbeOutcome run(const CallLimits& limits) override {
        ProbeOutcome outcome;
        if (places_left_() < 2) {
            outcome.note =
                "the limit of connections is reached, or all but: new miners are turned away, and "
                "the listeners were not tried";
            outcome.remedy = "raise limits.miners, or add an instance";
            return outcome;
        }
        for (const auto& listener : listeners_) {
            const auto answered = subscribe(listener, limits);
            if (answered) continue;
            outcome.error =
                fmt::format("{} does not serve: {}", listener.address, answered.error());
            outcome.remedy = "`adit manager recover stratum`, or a restart of the pool";
            return outcome;
        }
        return outcome;
    }

 private:
    std::expected<void, std::string> subscribe(const ProbedListener& listener,
                                               const CallLimits& limits) const {
        const auto in_words = [](const net::LineClient::Failure& failure) {
            return fmt::format("{}{}{}", describe(failure.error),
                               failure.detail.empty() ? "" : ": ", failure.detail);
        };
        auto client =
            net::LineClient::connect(reachable(listener.address), left_ms(limits, clock_));
        if (!client) return std::unexpected(in_words(client.error()));
        auto& line = **client;
        const std::stop_callback on_stop(limits.stop, [&] { line.cancel(); });
        net::LineClient::Result<void> sent;
        if (listener.proxy_protocol) {
            sent = line.send_bytes(kProxyGreeting, left_ms(limits, clock_));
        }
        if (sent && listener.tls) {
            auto any_certificate = net::TlsContext::client(false);
            if (!any_certificate) return std::unexpected(any_certificate.error());
            sent = line.start_tls(std::move(*any_certificate), "", left_ms(limits, clock_));
        }
        if (sent) {
            sent = line.send_line(R"({"id":1,"method":"mining.subscribe","params":["adit-probe"]})",
                                  left_ms(limits, clock_));
        }
        if (!sent) return std::unexpected(in_words(sent.error()));
        const auto reply = line.receive_line(left_ms(limits, clock_));
        if (!reply) return std::unexpected(in_words(reply.error()));
        if (reply->find("\"mining.notify\"") == std::string::npos) {
            return std::unexpected("it answered mining.subscribe with " + reply->substr(0, 200));
        }
        return {};
    }

    const std::vector<ProbedListener> listeners_;
    const std::function<std::uint64_t()> places_left_;
    const base::Clock& clock_;
};

class PayoutProbe final : public Probe {
 public:
    PayoutProbe(PayoutDesk& payouts, const base::Clock& clock) : payouts_(payouts), clock_(clock) {}

    std::string_view part() const override { return "payouts"; }
    bool is_vital() const override { return false; }
    double slow_ms() const override { return 2'000; }

    ProbeOutcome run(const CallLimits& limits) override {
        ProbeOutcome outcome;
        const auto steps = payouts_.view().steps;
        payouts_.kick();
        base::wait_until(clock_, limits.deadline_ms, [&] {
            return limits.stop.stop_requested() || payouts_.view().steps > steps;
        });
        const auto view = payouts_.view();
        if (view.steps == steps) {
            outcome.error = "the payer has not come round within the probe's time";
            outcome.remedy = "mining goes on; look at the wallet's node, which may be slow";
        } else if (view.status.hold != ledger::PayoutHold::none) {
            outcome.note = "payouts are held: " + view.status.hold_text;
            outcome.remedy = "mining goes on; `adit payout status` says more";
        } else if (!view.status.alerts.empty()) {
            outcome.note = view.status.alerts.front();
            outcome.remedy = "`adit payout status` lists all that a person should look at";
        }
        return outcome;
    }

 private:
    PayoutDesk& payouts_;
    const base::Clock& clock_;
};

class AuthProbe final : public Probe {
 public:
    explicit AuthProbe(auth::AuthService& accounts) : accounts_(accounts) {}

    std::string_view part() const override { return "auth"; }
    bool is_vital() const override { return false; }
    double slow_ms() const override { return 500; }

    ProbeOutcome run(const CallLimits&) override {
        ProbeOutcome outcome;
        if (const auto works = accounts_.probe(); !works) {
            outcome.error = works.error().text;
            outcome.remedy = "mining goes on, nobody can log in; look at the accounts' database";
        }
        return outcome;
    }

 private:
    auth::AuthService& accounts_;
};

}  // namespace

std::unique_ptr<Probe> log_probe(share::Recorder& log, std::filesystem::path log_dir,
                                 const base::Clock& clock) {
    return std::make_unique<LogProbe>(log, std::move(log_dir), clock);
}

std::unique_ptr<Probe> ledger_probe(const store::FileShareLog& log, store::TallyThread& tally,
                                    ledger::LedgerReader& reader, const base::Clock& clock) {
    return std::make_unique<LedgerProbe>(log, tally, reader, clock);
}

std::unique_ptr<Probe> node_probe(NodeProbeSources sources, const base::Clock& clock) {
    return std::make_unique<NodeProbe>(std::move(sources), clock);
}

std::unique_ptr<Probe> stratum_probe(std::vector<ProbedListener> listeners,
                                     std::function<std::uint64_t()> places_left,
                                     const base::Clock& clock) {
    return std::make_unique<StratumProbe>(std::move(listeners), std::move(places_left), clock);
}

std::unique_ptr<Probe> auth_probe(auth::AuthService& accounts) {
    return std::make_unique<AuthProbe>(accounts);
}

std::unique_ptr<Probe> payout_probe(PayoutDesk& payouts, const base::Clock& clock) {
    return std::make_unique<PayoutProbe>(payouts, clock);
}

}  // namespace adit::manager
