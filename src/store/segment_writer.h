// Appends batches to the share log's segment files: each batch is durable before append() says so.
// Goes on to a new segment when one is full and when a write or fdatasync has failed, keeps the
// next segment reserved, and writes the seals of full ones. Owned by one thread (the log's writer).
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "store/log_format.h"

#include <functional>

namespace adit::store {

// A batch on its way to the disk. `bytes` begins with kFrameHeaderSize bytes of room.
struct Frame {
    base::Bytes bytes = base::Bytes(kFrameHeaderSize);
    std::int64_t time_ms = 0;
    std::uint32_t records = 0;
    std::uint32_t shares = 0;
    job::JobId last_job = 0;  // highest job recorded in it
    std::vector<share::AccountRecord> accounts;
    std::vector<share::WorkerRecord> workers;
};

struct SegmentWriterSettings {
    std::filesystem::path dir;
    std::uint64_t segment_bytes = 64 << 20;
    std::int64_t retry_ms = 1'000;  // between attempts of housekeep() to reserve
    // Called between write and fdatasync; only the power-cut test's mutant sets it.
    std::function<void()> before_sync;
};

class SegmentWriter {
 public:
    enum class Outcome {
        durable,
        void_,     // failed, and provably not in the log, now or after any crash
        in_doubt,  // failed, but the bytes may be found after a crash: append it again
    };

    // Continues an open segment behind `segment.end`, or begins a log (number 0, no file) with the
    // first append or make_ready().
    SegmentWriter(FileSystem& files, SegmentWriterSettings settings, Seal segment,
                  std::unique_ptr<File> file, std::uint32_t slice_s, const base::Clock& clock,
                  base::Logger& logger);

    Outcome append(Frame& frame);
    // Makes sure that the next append has a sound segment to go to. False: not now.
    bool make_ready();
    // What can be done when nobody waits: reserves the next segment, writes seals, gives back the
    // space of abandoned segments. True when the reserve is there.
    bool housekeep();

    const share::LogPoint& end() const { return segment_.end; }
    std::int64_t last_time_ms() const { return segment_.last_time_ms; }
    std::uint64_t segment_number() const { return segment_.number; }
    const std::string& last_error() const { return last_error_; }
    // Failed writes, fdatasyncs and segment creations so far.
    std::uint64_t failures() const { return failures_; }

 private:
    std::uint64_t offset() const {
        return kSegmentHeaderSize + (segment_.end.position - segment_.begin.position);
    }
    bool full(std::size_t frame_size) const {
        return offset() > kSegmentHeaderSize && offset() + frame_size > settings_.segment_bytes;
    }
    bool write(Frame& frame);
    bool roll();
    bool install(File& reserve);
    bool prepare_reserve();
    void void_tail();
    bool note(const Io<void>& result);

    FileSystem& files_;
    SegmentWriterSettings settings_;
    Seal segment_;  // of the segment that is being written
    std::unique_ptr<File> file_;
    std::uint32_t slice_s_;
    const base::Clock& clock_;
    base::Logger& logger_;

    bool usable_;         // no write to this file has failed
    bool doubt_ = false;  // bytes of a batch that failed may lie behind the segment's end
    std::unique_ptr<File> reserve_;
    std::int64_t next_reserve_ms_ = 0;  // housekeep() does not try before; steady clock
    struct Finished {
        Seal seal;
        std::unique_ptr<File> file;
    };
    std::vector<Finished> finished_;
    std::string last_error_;
    std::uint64_t failures_ = 0;
};

}  // namespace adit::store
