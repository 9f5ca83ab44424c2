// The pool's own listeners as a miner on this machine reaches them, for probes and checks. Values
// and one connection at a time on the caller's thread; safe from any thread.
#pragma once

#include "net/line_client.h"

#include <memory>
#include <string>
#include <vector>

namespace adit::manager {

struct Config;

struct ProbedListener {
    std::string address;  // bound; "0.0.0.0:3333" is tried as 127.0.0.1
    bool tls = false;
    bool proxy_protocol = false;
};

// "0.0.0.0:3333" as an address that can be connected to.
net::Endpoint reachable(const std::string& bound);
// What a listener with proxy_protocol has to be told first; the real peer's address stays in force.
inline constexpr char kProxyGreeting[] = "PROXY UNKNOWN\r\n";
// Every listener of the configuration, at the addresses that were bound.
std::vector<ProbedListener> own_listeners(const Config& config,
                                          const std::vector<net::Address>& bound);

}  // namespace adit::manager
