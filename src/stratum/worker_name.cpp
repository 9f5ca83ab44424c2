#include "stratum/worker_name.h"

#include "base/bytes.h"
#include "chain/address.h"

#include <array>
#include <charconv>
#include <cmath>

namespace adit::stratum {

namespace {

std::string unescape(std::string_view name) {
    std::string out;
    out.reserve(name.size());
    while (!name.empty()) {
        std::array<std::uint8_t, 1> byte;
        if (name.size() >= 3 && name[0] == '%' && base::from_hex(name.substr(1, 2), byte)) {
            out += static_cast<char>(byte[0]);
            name.remove_prefix(3);
        } else {
            out += name[0];
            name.remove_prefix(1);
        }
    }
    return out;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

// 0 for anything that is no positive finite number.
double positive_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return 0;
    return std::isfinite(value) && value > 0 ? value : 0;
}

}  // namespace

std::expected<WorkerName, std::string_view> parse_worker_name(std::string_view name,
                                                              const chain::NetworkParams& network) {
    const std::string plain = unescape(trim(name));
    if (plain.size() > kMaxNameBytes) return std::unexpected("The name is longer than 255 bytes");
    const auto dot = plain.find('.');
    auto account = chain::canonical_address(std::string_view(plain).substr(0, dot), network);
    if (!account) return std::unexpected(chain::describe(account.error()));
    std::string worker = dot == std::string::npos ? std::string{} : plain.substr(dot + 1);
    for (char& c : worker) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
    }
    return WorkerName{std::move(*account), std::move(worker)};
}

PasswordOptions parse_password(std::string_view password) {
    PasswordOptions options;
    while (!password.empty()) {
        const auto end = std::min(password.find_first_of(",; "), password.size());
        const auto option = password.substr(0, end);
        password.remove_prefix(std::min(end + 1, password.size()));
        if (option.starts_with("d=")) options.fixed = positive_number(option.substr(2));
        if (option.starts_with("md=")) options.minimum = positive_number(option.substr(3));
    }
    return options;
}

}  // namespace adit::stratum
