// Jobs that lead to blocks of the main chain, for tests: the coinbase is cut so that 13 of its
// bytes stand where a miner's choice would.
#pragma once

#include "job/job.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace adit::job {

struct HistoricBlock {
    std::string hash;                // RPC order
    std::string previous;            // RPC order
    std::string coinbase;            // hex
    std::vector<std::string> txids;  // of the others, RPC order
    std::uint32_t version;
    std::uint32_t time;
    std::uint32_t bits;
    std::uint32_t nonce;

    // The 13 bytes from `split` on (at most as late as they fit) become variant and extranonces.
    std::pair<Job, HeaderChoice> job_split_at(std::size_t split) const {
        auto source = std::make_shared<BlockTemplate>();
        source->previous = chain::Hash256::from_rpc_hex(previous).value();
        std::vector<chain::Hash256> others;
        for (const auto& txid : txids)
            others.push_back(*chain::Hash256::from_rpc_hex(txid));

        const auto bytes = base::from_hex(coinbase).value();
        split = std::min(split, bytes.size() - 13);
        const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(split);
        Job job;
        job.source = source;
        job.coinbase_head.assign(bytes.begin(), at);
        job.coinbase_tail.assign(at + 13, bytes.end());
        job.branches = chain::merkle_branches(others);
        job.version = version;
        job.bits = bits;
        job.ntime = time;
        job.min_time = time;
        derive(job);

        HeaderChoice choice;
        choice.variant = *at;
        choice.extranonce1 = base::load_be32(&*at + 1);
        std::copy_n(at + 5, kExtranonce2Size, choice.extranonce2.begin());
        choice.ntime = time;
        choice.nonce = nonce;
        choice.version = version;
        return {std::move(job), choice};
    }
};

// The genesis block (one transaction) and block 125,552 (four).
inline std::vector<HistoricBlock> historic_blocks() {
    return {
        {"000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
         "0000000000000000000000000000000000000000000000000000000000000000",
         "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04fff"
         "f"
         "001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e20627269"
         "6e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a0100000043"
         "4104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f355"
         "04e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000",
         {},
         1,
         1231006505,
         0x1d00ffff,
         2083236893},
        {"00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d",
         "00000000000008a3a41b85b8b29ad444def299fee21793cd8b9e567eab02cd81",
         "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0804f2b"
         "9"
         "441a022a01ffffffff014034152a01000000434104d879d5ef8b70cf0a33925101b64429ad7eb370da8ad0b0"
         "5c9cd60922c363a1eada85bcc2843b7378e226735048786c790b30b28438d22acfade24ef047b5f865ac0000"
         "0000",
         {"60c25dda8d41f8d3d7d5c6249e2ea1b05a25bf7ae2ad6d904b512b31f997e1a1",
          "01f314cdd8566d3e5dbdd97de2d9fbfbfd6873e916a00d48758282cbb81a45b9",
          "b519286a1040da6ad83c783eb2872659eaf57b1bec088e614776ffe7dc8f6d01"},
         1,
         0x4dd7f5c7,
         0x1a44b9f2,
         0x9546a142},
    };
}

}  // namespace adit::job
