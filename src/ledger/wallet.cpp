#include "ledger/wallet.h"

#include "chain/script.h"

namespace adit::ledger {

std::string_view name_of(WalletFault fault) {
    switch (fault) {
        case WalletFault::unreachable:
            return "unreachable";
        case WalletFault::not_ready:
            return "not_ready";
        case WalletFault::no_wallet:
            return "no_wallet";
        case WalletFault::locked:
            return "locked";
        case WalletFault::refused:
            return "refused";
        case WalletFault::malformed:
            return "malformed";
    }
    return "unreachable";
}

bool is_payable_coin(base::ByteSpan script) {
    return chain::is_p2wpkh(script) || chain::is_p2tr(script);
}

}  // namespace adit::ledger
