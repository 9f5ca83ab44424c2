// Any bytes as the share log's first segment: the reader and recovery must end with batches or an
// error, never with a crash, and recovery must leave a log that reads to its end. The first byte
// says how to begin: as given, or with the checksums of header and batches put right, so that what
// lies behind them is reached.
#include "store/log_reader.h"

#include "base/crc32c.h"
#include "store/faulty_file_system.h"
#include "store/log_format.h"
#include "store/log_recovery.h"

namespace {

using namespace adit;

const std::filesystem::path kDir = "/log";

// Rewrites magic, sizes, checksums and chain of a header and the batches behind it.
void put_right(base::Bytes& bytes) {
    store::SegmentHeader header;
    header.base.chain = store::first_chain_value(header.log_id);
    auto head = store::encode(header);
    if (bytes.size() < head.size()) bytes.resize(head.size());
    std::copy(head.begin(), head.end(), bytes.begin());
    auto point = header.base;
    std::size_t at = head.size();
    while (at + store::kFrameHeaderSize < bytes.size()) {
        const std::size_t wanted = store::kFrameHeaderSize + bytes[at];
        const auto size = std::min(wanted, bytes.size() - at);
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        base::Bytes frame(begin, begin + static_cast<std::ptrdiff_t>(size));
        auto fields = store::decode_frame_header(frame);
        fields.position = point.position;
        fields.previous = point.chain;
        store::seal_frame(frame, header.log_id, fields);
        std::copy(frame.begin(), frame.end(), begin);
        point = {point.position + size, store::chain_after(frame)};
        at += size;
    }
}

// Reads to the end or to an error; false for an error.
bool read_all(store::FileSystem& files) {
    auto reader = store::LogReader::open(files, kDir);
    if (!reader) return false;
    for (;;) {
        const auto batch = reader->next(store::LogReader::kToTheEnd);
        if (!batch) return false;
        if (!*batch) return true;
        base::ByteReader records((*batch)->payload);
        while (records.left() > 0 && share::read_record(records)) {
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    base::Bytes bytes(data + 1, data + size);
    if (data[0] & 1) put_right(bytes);
    store::FaultyFileSystem files(1);
    files.overwrite(kDir / store::segment_name(1), bytes);
    read_all(files);
    (void)store::decode_seal(bytes);
    if (store::recover_log(files, kDir, 600) && !read_all(files)) __builtin_trap();
    return 0;
}
