// What belongs to an extranonce1 rather than to a connection, and so survives a resume: which
// shares were seen, which jobs were sent with which difficulty, which coinbase variants are used
// up. One owner at a time: the session that mines with it, or the registry that keeps it for a
// resume.
#pragma once

#include "chain/target.h"
#include "job/job.h"
#include "share/duplicate_filter.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::stratum {

// The session id: 128 random bits, so that nobody can guess another miner's.
struct SessionToken {
    std::array<std::uint8_t, 16> bytes{};

    // 32 hex digits of either case; nullopt for anything else.
    static std::optional<SessionToken> parse(std::string_view hex);
    static SessionToken random();
    std::string text() const;
    friend auto operator<=>(const SessionToken&, const SessionToken&) = default;
};

// Which jobs a connection was sent with which difficulty. A broadcast carries variant 0 and is only
// noted when it changes the difficulty; every other variant is noted.
class SentJobs {
 public:
    // Mostly in ascending order; a resume may bring an older job after a newer one.
    void add(job::JobId job, std::uint8_t variant, const chain::Difficulty& difficulty);
    // nullopt: this job was never sent. A variant that was not sent must not be accepted: its
    // difficulty could be chosen after hashing.
    std::optional<chain::Difficulty> find(job::JobId job, std::uint8_t variant) const;
    // Forgets what only concerns jobs before `oldest`.
    void forget_before(job::JobId oldest);
    std::size_t size() const { return sent_.size(); }

 private:
    struct Sent {
        job::JobId job;
        chain::Difficulty difficulty;
        std::uint8_t variant;
    };
    std::vector<Sent> sent_;
};

struct SessionMemory {
    SessionToken token;
    std::uint32_t extranonce1 = 0;
    // The difficulty that the miner was last told; nullopt before the first.
    std::optional<chain::Difficulty> difficulty;
    share::DuplicateFilter duplicates;
    SentJobs sent;
    // The newest job that sessions before the present one were sent (Session::park).
    job::JobId last_job = 0;

    // The next unused variant for a notify that is not a broadcast; nullopt when the 255 of this
    // previous block (`tip`) are used up.
    std::optional<std::uint8_t> take_variant(std::uint64_t tip);

 private:
    std::uint64_t variant_tip_ = 0;
    std::uint8_t last_variant_ = 0;
};

}  // namespace adit::stratum
