#include "store/segment_writer.h"

namespace adit::store {
namespace {

// Seals are an index that a start can make again, so those that cannot be written are not kept for
// ever.
constexpr std::size_t kMaxFinished = 8;

}  // namespace

SegmentWriter::SegmentWriter(FileSystem& files, SegmentWriterSettings settings, Seal segment,
                             std::unique_ptr<File> file, std::uint32_t slice_s,
                             const base::Clock& clock, base::Logger& logger)
    : files_(files),
      settings_(std::move(settings)),
      segment_(std::move(segment)),
      file_(std::move(file)),
      slice_s_(slice_s),
      clock_(clock),
      logger_(logger),
      usable_(file_ != nullptr) {}

SegmentWriter::Outcome SegmentWriter::append(Frame& frame) {
    if (usable_ && !full(frame.bytes.size())) {
        if (write(frame)) return Outcome::durable;
        logger_.error("store", "the share log could not be written; going on in a new segment",
                      {{"error", last_error_}, {"segment", segment_name(segment_.number)}});
    }
    if (roll() && write(frame)) return Outcome::durable;
    if (doubt_) void_tail();
    return doubt_ ? Outcome::in_doubt : Outcome::void_;
}

bool SegmentWriter::make_ready() {
    return (usable_ && !full(kFrameHeaderSize)) || roll();
}

bool SegmentWriter::write(Frame& frame) {
    FrameHeader header;
    header.position = segment_.end.position;
    header.time_ms = std::max(frame.time_ms, segment_.last_time_ms);
    header.records = frame.records;
    header.shares = frame.shares;
    header.previous = segment_.end.chain;
    seal_frame(frame.bytes, segment_.log_id, header);
    doubt_ = true;
    usable_ = note(file_->write_at(frame.bytes, offset()));
    if (usable_ && settings_.before_sync) settings_.before_sync();
    usable_ = usable_ && note(file_->sync());
    if (!usable_) return false;
    doubt_ = false;
    segment_.end.position += frame.bytes.size();
    segment_.end.chain = chain_after(frame.bytes);
    segment_.last_time_ms = header.time_ms;
    segment_.shares += frame.shares;
    segment_.last_job = std::max(segment_.last_job, frame.last_job);
    for (auto& account : frame.accounts)
        segment_.accounts.push_back(std::move(account));
    for (auto& worker : frame.workers)
        segment_.workers.push_back(std::move(worker));
    frame.accounts.clear();
    frame.workers.clear();
    return true;
}

// The new segment's header says where the old one ends. Once the header, the name and the directory
// are durable, nothing behind that end in the old segment counts any more, whatever the disk did
// with it.
bool SegmentWriter::roll() {
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (!reserve_ && !prepare_reserve()) return false;
        if (install(*reserve_)) {
            if (file_ && finished_.size() < kMaxFinished) {
                finished_.push_back({segment_, std::move(file_)});
            }
            file_ = std::move(reserve_);
            segment_.number += 1;
            segment_.begin = segment_.end;
            segment_.shares = 0;
            segment_.accounts.clear();
            segment_.workers.clear();
            usable_ = true;
            doubt_ = false;
            return true;
        }
        reserve_.reset();  // a file on which something failed is not used again
    }
    return false;
}

bool SegmentWriter::install(File& reserve) {
    SegmentHeader header;
    header.log_id = segment_.log_id;
    header.number = segment_.number + 1;
    header.base = segment_.end;
    header.last_time_ms = segment_.last_time_ms;
    header.created_wall_ms = clock_.wall_ms();
    header.slice_s = slice_s_;
    if (!note(reserve.write_at(encode(header), 0)) || !note(reserve.sync())) return false;
    // From here on a crash may find the new segment, which ends the old one where it stands:
    // nothing may be added there any more, even when the following steps fail. A file of the new
    // name can only be left from such a failure. It has no batches, because none is written before
    // this function succeeds, so replacing it is safe.
    usable_ = false;
    return note(files_.rename(settings_.dir / kReserveName,
                              settings_.dir / segment_name(header.number))) &&
           note(files_.sync_dir(settings_.dir));
}

bool SegmentWriter::prepare_reserve() {
    const auto path = settings_.dir / kReserveName;
    if (files_.exists(path) && !note(files_.remove(path))) return false;
    auto file = files_.open(path, OpenMode::create_new);
    if (!file) return note(std::unexpected(file.error()));
    if (!note((*file)->allocate(settings_.segment_bytes)) || !note((*file)->sync())) {
        (void)files_.remove(path);  // gives partly reserved space back
        return false;
    }
    reserve_ = std::move(*file);
    return true;
}

// Overwrites the beginning of what failed, so that no recovery can take it for a batch. This claims
// nothing about the failed write: it only has to be durable itself.
void SegmentWriter::void_tail() {
    const base::Bytes zeroes(kFrameHeaderSize);
    if (note(file_->write_at(zeroes, offset())) && note(file_->sync())) doubt_ = false;
}

bool SegmentWriter::housekeep() {
    for (auto& finished : finished_) {
        const auto& seal = finished.seal;
        const auto used = kSegmentHeaderSize + (seal.end.position - seal.begin.position);
        (void)finished.file->truncate(used);
        const auto done =
            replace_file(files_, settings_.dir / seal_name(seal.number), encode(seal));
        if (!done) {
            logger_.warning("store", "a full segment's seal was not written; a start takes longer",
                            {{"error", done.error().text()}});
        }
    }
    finished_.clear();
    if (reserve_) return true;
    // On a full disk an attempt can take long, and the next commit waits behind it.
    if (clock_.steady_ms() < next_reserve_ms_) return false;
    if (prepare_reserve()) return true;
    next_reserve_ms_ = clock_.steady_ms() + settings_.retry_ms;
    return false;
}

bool SegmentWriter::note(const Io<void>& result) {
    if (result) return true;
    last_error_ = result.error().text();
    ++failures_;
    return false;
}

}  // namespace adit::store
