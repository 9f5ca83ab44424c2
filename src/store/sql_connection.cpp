#include "store/sql_connection.h"

namespace adit::store {

using base::U128;

SqlStatement SqlConnection::prepare(std::string_view sql) {
    auto at = statements_.find(sql);
    if (at == statements_.end()) {
        const std::string text(sql);
        at = statements_.emplace(text, make_statement(text)).first;
    }
    return SqlStatement(*at->second, watch_ ? &watch_ : nullptr);
}

std::string to_decimal(U128 value) {
    std::string digits;
    do {
        digits.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
        value /= 10;
    } while (value != 0);
    std::ranges::reverse(digits);
    return digits;
}

std::optional<U128> from_decimal(std::string_view digits) {
    constexpr auto kMax = ~U128{0};
    if (digits.empty()) return std::nullopt;
    U128 value = 0;
    for (const char c : digits) {
        if (c < '0' || c > '9') return std::nullopt;
        const auto digit = static_cast<unsigned>(c - '0');
        if (value > (kMax - digit) / 10) return std::nullopt;
        value = value * 10 + digit;
    }
    return value;
}

}  // namespace adit::store
