#include "manager/own_listener.h"

#include "manager/config.h"

namespace adit::manager {

net::Endpoint reachable(const std::string& bound) {
    auto endpoint = net::Endpoint::parse(bound).value_or(net::Endpoint{});
    if (endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
    if (endpoint.host == "::") endpoint.host = "::1";
    return endpoint;
}

std::vector<ProbedListener> own_listeners(const Config& config,
                                          const std::vector<net::Address>& bound) {
    std::vector<ProbedListener> listeners;
    for (std::size_t i = 0; i < config.stratum.size(); ++i) {
        const auto& listener = config.stratum[i];
        listeners.push_back(
            {bound.at(i).text(), !listener.tls_certificate.empty(), listener.proxy_protocol});
    }
    return listeners;
}

}  // namespace adit::manager
