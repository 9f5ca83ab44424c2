// What stands in the share log behind the shares that were handed over before it: found blocks and
// the facts that move money, in the order in which they came. Found blocks are never refused; facts
// are bounded, and whoever hands one over can wait until it is known what became of it. Owned by
// the share log. add_*() and await() are safe from any thread, the rest is the writer's.
#pragma once

#include "store/segment_writer.h"

#include <condition_variable>
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace adit::store {

// Why a fact is not on disk.
struct FactFailure {
    // False: it is not in the log and never will be. True: it may be in the log, or may yet get
    // there; once the log is durable past everything handed over, reading it tells.
    bool in_doubt = false;
    std::string text;  // a sentence for the operator
};

// A fact's bytes. Refused with a sentence: a record that is no fact, or that could not be read
// back.
std::expected<base::Bytes, std::string> encode_fact(const share::Record& fact);

class LateRecords {
 public:
    using Outcome = std::expected<share::LogPosition, FactFailure>;
    // A fact on its way; handed out by add_fact().
    struct Ticket {
        std::optional<Outcome> outcome;  // guarded by the mutex of its LateRecords
    };

    LateRecords(std::size_t max_facts, std::size_t max_fact_bytes)
        : max_facts_(max_facts), max_fact_bytes_(max_fact_bytes) {}

    // `batches` is how many batches of shares were handed over before.
    void add_block(base::Bytes bytes, std::uint64_t batches);
    std::expected<std::shared_ptr<Ticket>, FactFailure> add_fact(base::Bytes bytes,
                                                                 std::uint64_t batches);
    // Waits at most timeout_ms until the fate of the fact is known.
    Outcome await(const Ticket& ticket, std::stop_token stop, std::int64_t timeout_ms);

    // True when something waits for a frame.
    bool waiting() const;
    // Moves what fits to the frame's end: all that was handed over before batch `batches` + 1.
    void fill(Frame& frame, std::uint64_t batches);
    // The frame is durable up to this position, or provably not in the log: then its records wait
    // again, before all others.
    void committed(share::LogPosition end);
    void put_back();
    // Nothing more will be written. Facts that wait are not in the log; of those in the frame that
    // fill() was called for, if it is there, nobody knows.
    void close();

 private:
    struct Late {
        base::Bytes bytes;
        std::uint64_t batches = 0;
        std::shared_ptr<Ticket> ticket;  // none for a block
    };
    void answer_locked(Late& late, Outcome outcome);

    const std::size_t max_facts_;
    const std::size_t max_fact_bytes_;
    mutable std::mutex mutex_;
    std::condition_variable_any answered_;
    std::deque<Late> waiting_;
    std::vector<Late> in_frame_;
    std::size_t facts_ = 0;  // without an answer
    std::size_t fact_bytes_ = 0;
};

}  // namespace adit::store
