#include "sim/sim_traffic.h"

#include "sim/block_builder.h"

namespace adit::sim {
namespace {

constexpr std::int64_t kLowestFee = 500;
constexpr std::uint64_t kFeeSpread = 20'000;
constexpr std::int64_t kSmallestOutput = 100'000;
constexpr std::size_t kMerged = 3;

}  // namespace

TrafficMaker::TrafficMaker(std::uint64_t seed)
    : key_(SimKey::from_seed(fmt::format("traffic {}", seed))), random_(seed) {}

void TrafficMaker::find_coins(const SimChain& chain) {
    const auto next_height = chain.tip().height + 1;
    const std::array scripts{key_.p2wpkh_script(), key_.p2pkh_script()};
    for (std::int32_t height = 1; height < next_height && coins_.size() < kMaxCoins; ++height) {
        const auto& block = chain.at_height(height)->block;
        if (!block) continue;
        for (const auto& transaction : block->transactions) {
            const auto txid = transaction.txid();
            for (std::uint32_t i = 0; i < transaction.outputs.size(); ++i) {
                const auto* coin = chain.coin({txid, i});
                if (coin == nullptr || chain.mempool().spends({txid, i})) continue;
                if (coin->coinbase && next_height - height < chain.params().coinbase_maturity) {
                    continue;
                }
                if (std::ranges::find(scripts, coin->output.script) != scripts.end()) {
                    coins_.push_back({{txid, i}, coin->output});
                }
            }
        }
    }
}

TrafficMaker::Held TrafficMaker::draw() {
    std::swap(coins_[below(coins_.size())], coins_.back());
    auto drawn = std::move(coins_.back());
    coins_.pop_back();
    return drawn;
}

bool TrafficMaker::send_one(SimChain& chain) {
    if (chain.mempool().size() >= kMaxWaiting) return false;
    if (coins_.empty()) find_coins(chain);
    if (coins_.empty()) return false;
    std::vector<Held> spent;
    std::int64_t value = -kLowestFee - static_cast<std::int64_t>(below(kFeeSpread));
    const std::size_t inputs = coins_.size() >= kMaxCoins ? kMerged : 1;
    // Small coins are spent together with others.
    while (!coins_.empty() && (spent.size() < inputs || value < 2 * kSmallestOutput)) {
        spent.push_back(draw());
        value += spent.back().output.value_sat;
    }
    if (value < 2 * kSmallestOutput) return false;  // nothing but dust: forgotten
    chain::Transaction transaction;
    for (const auto& coin : spent)
        transaction.inputs.emplace_back().previous = coin.outpoint;
    auto first = value;
    if (spent.size() == 1) {
        const auto range = static_cast<std::uint64_t>(value - 2 * kSmallestOutput) + 1;
        first = kSmallestOutput + static_cast<std::int64_t>(below(range));
        transaction.outputs.push_back({value - first, key_.p2wpkh_script()});
    }
    transaction.outputs.push_back({first, key_.p2wpkh_script()});
    for (std::size_t i = 0; i < spent.size(); ++i)
        key_.sign(transaction, i, spent[i].output);
    // Coins that a reorganisation took away fail here and are forgotten.
    if (chain.accept_transaction(transaction) != Verdict::accepted) return false;
    const auto txid = transaction.txid();
    for (std::uint32_t i = 0; i < transaction.outputs.size(); ++i) {
        coins_.push_back({{txid, i}, transaction.outputs[i]});
    }
    return true;
}

SimTraffic::SimTraffic(SimNode& node, SimTrafficSettings settings)
    : node_(node), settings_(settings), maker_(settings.seed) {}

SimTraffic::~SimTraffic() {
    stop();
}

void SimTraffic::prepare(std::int32_t height) {
    const auto missing = height - node_.height();
    if (missing > 0) node_.generate(missing, maker_.key().p2wpkh_script());
}

void SimTraffic::start() {
    if (thread_.joinable()) return;
    stopping_ = false;
    thread_ = std::thread([this] { run(); });
}

void SimTraffic::stop() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void SimTraffic::run() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::milliseconds(settings_.interval_ms),
                           [this] { return stopping_; })) {
        lock.unlock();
        node_.with_chain([this](SimChain& chain) {
            if (maker_.send_one(chain)) ++sent_;
        });
        lock.lock();
    }
}

}  // namespace adit::sim
