// A template desk over imagined nodes for this layer's tests: what the desk orders is written down,
// and the test answers. No threads, no clock.
#pragma once

#include "node/template_desk.h"

#include <gtest/gtest.h>

namespace adit::node::testing {

inline constexpr std::uint32_t kTime = 1'700'000'000;

// A desk over imagined nodes on the main chain: what it orders is written down, and the test
// answers.
struct DeskTest : ::testing::Test, DeskHands {
    struct Delivery {
        job::TemplateRef content;
        DeliveryReason reason;
    };

    void make(std::size_t count) {
        settings.nodes.resize(count);
        nodes.assign(count, {});
        for (std::size_t i = 0; i < count; ++i) {
            nodes[i].name = fmt::format("n{}", i);
            nodes[i].state = NodeState::up;
            nodes[i].tip = tip_at(100);
        }
        desk.emplace(settings, *this);
    }

    // Blocks of one chain: each follows the one before. `branch` tells chains apart.
    static Tip tip_at(std::int32_t height, std::uint8_t branch = 0) {
        const auto hash_at = [branch](std::int32_t at) {
            chain::Hash256 hash;
            base::store_le(hash.bytes.data(), at);
            hash.bytes[8] = branch;
            return hash;
        };
        Tip tip{.hash = hash_at(height),
                .height = height,
                .chainwork = base::U256{static_cast<std::uint64_t>(height) * 10},
                .median_time = kTime,
                .header = {}};
        tip.header.bits = 0x1d00ffff;
        tip.header.previous = hash_at(height - 1);
        return tip;
    }
    job::TemplateRef template_on(const Tip& tip, std::size_t node, std::int64_t fees = 0) const {
        auto content = std::make_shared<job::BlockTemplate>();
        content->network = settings.network;
        content->height = tip.height + 1;
        content->previous = tip.hash;
        content->bits = 0x1d00ffff;
        content->min_time = kTime + 1;
        content->current_time = kTime + 1'000;
        content->coinbase_value_sat = 5'000'000'000 + fees;
        if (fees > 0) {
            auto paying = std::make_shared<job::TemplateTransaction>();
            paying->fee_sat = fees;
            content->transactions.push_back(std::move(paying));
        }
        content->segwit = true;
        content->longpoll_id = "lp";
        content->node = nodes[node].name;
        return content;
    }

    void fetch(std::size_t node) override { fetches.push_back(node); }
    void long_poll(std::size_t node, const std::string&) override { polls.push_back(node); }
    void end_long_poll(std::size_t node) override { ended_polls.push_back(node); }
    void kick(std::size_t node) override { kicks.push_back(node); }
    void judge(std::size_t node, const chain::Hash256& hash) override {
        if (!hash.is_zero()) judged.push_back(node);
    }
    void prove_height(std::size_t node, const chain::Hash256& hash) override {
        if (!hash.is_zero()) proofs_wanted.push_back(node);
    }
    void doubted(std::size_t, const std::string& reason) override { doubts.push_back(reason); }
    void deliver(job::TemplateRef content, DeliveryReason reason) override {
        deliveries.push_back({std::move(content), reason});
    }
    void switched(int, int to) override { switches.push_back(to); }
    void template_failed(std::size_t, const std::string& message) override {
        failures.push_back(message);
    }
    void templates_stale(bool stale) override { stale_reports.push_back(stale); }

    void step(std::int64_t later_ms = 0) {
        now_ms += later_ms;
        for (auto& node : nodes) {
            if (node.state == NodeState::up) node.answered_ms = now_ms;
        }
        desk->step(nodes, now_ms);
    }
    void answer(std::size_t node, TemplateFetcher::Result result, bool long_poll = false) {
        desk->on_template(node, long_poll, std::move(result), now_ms);
        step();
    }
    void fail(std::size_t node, RpcErrorKind kind, bool long_poll = false) {
        answer(node, std::unexpected(TemplateFailure{kind, "no"}), long_poll);
    }
    void prove(std::size_t node, std::int32_t height) {
        nodes[node].proven = nodes[node].tip.hash;
        nodes[node].proven_height = height;
    }
    static RefusedTemplate fault(const Tip& tip, bool wrong_height) {
        return {.maker = "n0",
                .previous = tip.hash,
                .height = tip.height + 1,
                .wrong_height = wrong_height,
                .refused_by = "n1",
                .reason = wrong_height ? "bad-cb-height" : "bad-prevblk"};
    }
    // The first template of node 0 on its tip.
    void open(std::int64_t fees = 0) {
        step();
        answer(0, template_on(nodes[0].tip, 0, fees));
        ASSERT_EQ(deliveries.size(), 1u);
        EXPECT_EQ(deliveries[0].reason, DeliveryReason::new_tip);
    }

    NodePoolSettings settings;
    std::vector<NodeStatus> nodes;
    std::optional<TemplateDesk> desk;
    std::int64_t now_ms = 1'000'000;
    std::vector<std::size_t> fetches, polls, ended_polls, kicks, judged;
    std::vector<int> switches;
    std::vector<Delivery> deliveries;
    std::vector<std::string> failures, doubts;
    std::vector<std::size_t> proofs_wanted;
    std::vector<bool> stale_reports;
};

}  // namespace adit::node::testing
