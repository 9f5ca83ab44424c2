#include "store/recorded_blocks.h"

namespace adit::store {

std::expected<BlockHashes, std::string> recorded_blocks(FileSystem& files,
                                                        const std::filesystem::path& log_dir,
                                                        const DurableLog& log,
                                                        ledger::SliceStore& slices) {
    // The fold point is read first: what is folded meanwhile is then seen twice, never missed.
    const auto folded = slices.fold_point();
    if (!folded) return std::unexpected(folded.error());
    const auto blocks = slices.blocks();
    if (!blocks) return std::unexpected(blocks.error());
    BlockHashes hashes;
    for (const auto& found : *blocks)
        hashes.insert(found.block.hash);

    const auto limit = log.durable_point().position;
    auto reader =
        *folded ? LogReader::open(files, log_dir, (*folded)->log) : LogReader::open(files, log_dir);
    if (!reader) return std::unexpected(reader.error().text());
    for (;;) {
        const auto batch = reader->next(limit);
        if (!batch) return std::unexpected(batch.error().text());
        if (!*batch) return hashes;
        base::ByteReader records((*batch)->payload);
        while (records.left() > 0) {
            const auto record = share::read_record(records);
            if (!record) {
                return std::unexpected(fmt::format("share log, position {}: {}",
                                                   (*batch)->before.position,
                                                   share::describe(record.error())));
            }
            if (const auto* block = std::get_if<share::BlockRecord>(&*record)) {
                hashes.insert(block->hash);
            }
        }
    }
}

}  // namespace adit::store
