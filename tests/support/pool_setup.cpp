#include "tests/support/pool_setup.h"

#include "chain/address.h"
#include "sim/signer.h"

#include <fstream>

namespace adit::tests {
namespace {

std::string regtest_address(const sim::SimKey& key) {
    return chain::address_of_script(key.p2wpkh_script(), chain::params(chain::Network::regtest))
        .value();
}

}  // namespace

NodeLogin login_of(const sim::SimNode& node, std::string name) {
    const auto& settings = node.settings();
    return {std::move(name), node.url(), settings.user, settings.password, node.zmq_endpoint()};
}

node::NodeSettings settings_of(const NodeLogin& login) {
    return {.name = login.name,
            .rpc = login.url,
            .cookie_file = {},
            .user = login.user,
            .password = login.password,
            .zmq_hashblock = {}};
}

std::string PoolSetup::toml() const {
    auto text = fmt::format("[pool]\nchain = \"regtest\"\naddress = \"{}\"\ndata_dir = \"{}\"\n\n",
                            address.empty() ? pool_address() : address, data_dir.string());
    for (const auto& node : nodes) {
        text +=
            fmt::format("[[node]]\nname = \"{}\"\nrpc = \"{}\"\nuser = \"{}\"\npassword = \"{}\"\n",
                        node.name, node.url, node.user, node.password);
        if (!node.zmq_hashblock.empty()) {
            text += fmt::format("zmq_hashblock = \"{}\"\n", node.zmq_hashblock);
        }
        text += "\n";
    }
    for (const auto& one : listen) {
        text += fmt::format("[[stratum]]\nlisten = \"{}\"\nproxy_protocol = {}\n", one.address,
                            one.proxy_protocol);
        if (!one.certificate.empty()) {
            text += fmt::format("tls = {{ certificate = \"{}\", key = \"{}\" }}\n",
                                one.certificate.string(), one.key.string());
        }
        text += "\n";
    }
    text += fmt::format("[difficulty]\nstart = {0:e}\nmin = {1:e}\nmax = {0:e}\n{2}\n", difficulty,
                        difficulty_min > 0 ? difficulty_min : difficulty, extra_difficulty);
    text += fmt::format("[limits]\nthreads = {}\nminers = {}\nhandshakes_per_s = {}\n{}\n", threads,
                        miners, handshakes_per_s, extra_limits);
    text += fmt::format("[log]\nlevel = \"{}\"\n\n", log_level);
    if (!payout.empty()) text += fmt::format("[payout]\n{}\n\n", payout);
    text += extra;
    return text;
}

std::string PoolSetup::write_to(const std::filesystem::path& file) const {
    std::ofstream out(file, std::ios::binary);
    out << toml();
    out.flush();
    if (!out) throw std::runtime_error("cannot write " + file.string());
    return file.string();
}

std::string pool_address() {
    return regtest_address(sim::SimKey::from_seed("the pool"));
}

base::Bytes pool_script() {
    return sim::SimKey::from_seed("the pool").p2wpkh_script();
}

std::string miner_address(std::string_view name) {
    return regtest_address(sim::SimKey::from_seed(fmt::format("miner {}", name)));
}

base::Bytes other_script() {
    return sim::SimKey::from_seed("somebody else").p2wpkh_script();
}

}  // namespace adit::tests
