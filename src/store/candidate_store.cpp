#include "store/candidate_store.h"

#include "base/crc32c.h"
#include "share/record.h"

#include <cerrno>
#include <charconv>

namespace adit::store {
namespace {

// docs/share-log.md, "Found blocks". Marks come first, in places of fixed size, so that they need
// no space when the disk is full; the contents begin behind them.
constexpr std::array<std::uint8_t, 8> kMagic{'A', 'D', 'I', 'T', 'B', 'L', 'K', '1'};
constexpr std::size_t kHeadSize = 512;  // magic, size and checksum of the contents
constexpr std::size_t kMarkSize = 128;
constexpr std::size_t kMarks = 60;
constexpr std::size_t kContentsAt = kHeadSize + kMarks * kMarkSize;
constexpr std::size_t kMarkFields = 18;  // bytes before the note

base::Bytes encode(const job::BlockCandidate& candidate) {
    base::Bytes contents;
    base::append(contents, candidate.hash.bytes);
    base::append_le(contents, candidate.height);
    base::append_le(contents, candidate.log_position);
    base::append_le(contents, candidate.found_wall_ms);
    base::append_le(contents, static_cast<std::uint8_t>(candidate.stale));
    for (const auto* name : {&candidate.account, &candidate.worker}) {
        base::append_le(contents, static_cast<std::uint32_t>(name->size()));
        base::append(contents, base::as_bytes(*name));
    }
    append_record(contents, share::record_of(*candidate.job, candidate.found_wall_ms));
    base::append_le(contents, static_cast<std::uint32_t>(candidate.block.size()));
    base::append(contents, candidate.block);

    base::Bytes bytes(kContentsAt);
    std::copy(kMagic.begin(), kMagic.end(), bytes.begin());
    base::store_le(bytes.data() + 8, static_cast<std::uint32_t>(contents.size()));
    base::store_le(bytes.data() + 12, base::crc32c(contents));
    base::append(bytes, contents);
    return bytes;
}

std::shared_ptr<const job::BlockCandidate> decode(base::ByteSpan bytes) {
    if (bytes.size() < kContentsAt || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) {
        return nullptr;
    }
    const auto size = base::load_le<std::uint32_t>(bytes.data() + 8);
    if (size > bytes.size() - kContentsAt) return nullptr;
    const auto contents = bytes.subspan(kContentsAt, size);
    if (base::crc32c(contents) != base::load_le<std::uint32_t>(bytes.data() + 12)) return nullptr;

    base::ByteReader reader(contents);
    auto candidate = std::make_shared<job::BlockCandidate>();
    const auto hash = reader.take(candidate->hash.bytes.size());
    std::copy(hash.begin(), hash.end(), candidate->hash.bytes.begin());
    candidate->height = reader.le<std::int32_t>();
    candidate->log_position = reader.le<std::uint64_t>();
    candidate->found_wall_ms = reader.le<std::int64_t>();
    candidate->stale = reader.le<std::uint8_t>() != 0;
    for (auto* name : {&candidate->account, &candidate->worker}) {
        *name = base::as_text(reader.take(reader.le<std::uint32_t>()));
    }
    const auto record = share::read_record(reader);
    const auto* job = record ? std::get_if<share::JobRecord>(&*record) : nullptr;
    if (job == nullptr) return nullptr;
    candidate->job = share::restore_job(*job);
    const auto block = reader.take(reader.le<std::uint32_t>());
    candidate->block.assign(block.begin(), block.end());
    return reader.finished() ? candidate : nullptr;
}

base::Bytes encode(const CandidateMark& mark) {
    base::Bytes bytes;
    base::append_le(bytes, std::uint32_t{0});  // checksum
    base::append_le(bytes, std::uint8_t{1});   // in use
    base::append_le(bytes, static_cast<std::uint8_t>(mark.state));
    base::append_le(bytes, mark.wall_ms);
    const auto note = std::string_view(mark.note).substr(0, kCandidateNoteLimit);
    base::append_le(bytes, static_cast<std::uint32_t>(note.size()));
    base::append(bytes, base::as_bytes(note));
    bytes.resize(kMarkSize);
    base::store_le(bytes.data(), base::crc32c(base::ByteSpan(bytes).subspan(4)));
    return bytes;
}

// nullopt: an empty place, or one that was torn when the power went.
std::optional<CandidateMark> decode_mark(base::ByteSpan bytes) {
    if (base::crc32c(bytes.subspan(4)) != base::load_le<std::uint32_t>(bytes.data()) ||
        bytes[4] != 1 || bytes[5] > static_cast<std::uint8_t>(CandidateState::buried)) {
        return std::nullopt;
    }
    const auto size = base::load_le<std::uint32_t>(bytes.data() + 14);
    if (size > kCandidateNoteLimit) return std::nullopt;
    return CandidateMark{static_cast<CandidateState>(bytes[5]),
                         base::load_le<std::int64_t>(bytes.data() + 6),
                         std::string(base::as_text(bytes.subspan(kMarkFields, size)))};
}

base::ByteSpan mark_place(base::ByteSpan file, std::size_t index) {
    return file.subspan(kHeadSize + index * kMarkSize, kMarkSize);
}

bool is_whole_reserve(FileSystem& files, const std::filesystem::path& path) {
    auto file = files.open(path, OpenMode::read);
    if (!file) return false;
    const auto size = (*file)->size();
    return size && *size == CandidateStore::kReserveBytes;
}

// The names that refill_locked() gives.
bool is_reserve_name(std::string_view name) {
    constexpr std::string_view kPrefix = "reserve-";
    return name.size() == kPrefix.size() + 1 && name.starts_with(kPrefix) && name.back() >= '0' &&
           name.back() < static_cast<char>('0' + CandidateStore::kReserves);
}

// The names that write_candidate() gives.
bool is_unfinished_name(std::string_view name) {
    constexpr std::string_view kEnd = ".tmp";
    return name.ends_with(kEnd) &&
           CandidateStore::parse_file_name(name.substr(0, name.size() - kEnd.size()));
}

}  // namespace

std::string_view name_of(CandidateState state) {
    switch (state) {
        case CandidateState::found:
            return "found";
        case CandidateState::submitted:
            return "submitted";
        case CandidateState::accepted:
            return "accepted";
        case CandidateState::refused:
            return "refused";
        case CandidateState::given_up:
            return "given up";
        case CandidateState::buried:
            return "buried";
    }
    return "unknown";
}

Io<std::unique_ptr<CandidateStore>> CandidateStore::open(FileSystem& files,
                                                         std::filesystem::path blocks_dir,
                                                         const base::Clock& clock) {
    if (auto made = files.create_directories(blocks_dir); !made) {
        return std::unexpected(made.error());
    }
    std::unique_ptr<CandidateStore> store(new CandidateStore(files, std::move(blocks_dir), clock));
    // Whole reserves of an earlier run are taken over; what a save left unfinished is removed.
    // Whatever else lies here is not the pool's.
    const auto names = files.list(store->dir_);
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
        const auto path = store->dir_ / name;
        if (is_reserve_name(name) && is_whole_reserve(files, path)) {
            store->reserves_.push_back(path);
        } else if (is_reserve_name(name) || is_unfinished_name(name)) {
            (void)files.remove(path);
        }
    }
    store->refill();
    return store;
}

Io<std::string> CandidateStore::save(const job::BlockCandidate& candidate) {
    auto name = file_name(candidate.height, candidate.hash);
    const auto bytes = encode(candidate);
    const std::lock_guard lock(mutex_);
    if (!files_.exists(dir_ / name)) {
        if (auto written = write_candidate(bytes, name); !written) {
            return std::unexpected(written.error());
        }
        refill_locked();
    }
    return name;
}

Io<void> CandidateStore::write_candidate(base::ByteSpan bytes, const std::string& name) {
    IoError last{ENOSPC, "no space is reserved for " + name};
    // A reserve on which anything fails is given up for the next one; then new space is tried.
    for (;;) {
        const bool reserved = !reserves_.empty();
        const auto path = reserved ? reserves_.back() : dir_ / (name + ".tmp");
        if (reserved)
            reserves_.pop_back();
        else if (files_.exists(path))
            (void)files_.remove(path);
        const auto written = [&]() -> Io<void> {
            auto file = files_.open(path, reserved ? OpenMode::write : OpenMode::create_new);
            if (!file) return std::unexpected(file.error());
            if (auto done = (*file)->write_at(bytes, 0); !done) return done;
            if (auto done = (*file)->truncate(bytes.size()); !done) return done;
            if (auto done = (*file)->sync(); !done) return done;
            if (auto done = files_.rename(path, dir_ / name); !done) return done;
            return files_.sync_dir(dir_);
        }();
        if (written) return {};
        last = written.error();
        (void)files_.remove(path);
        if (!reserved) return std::unexpected(last);
    }
}

Io<void> CandidateStore::mark(const std::string& file, CandidateState state,
                              std::string_view note) {
    const std::lock_guard lock(mutex_);
    auto opened = files_.open(dir_ / file, OpenMode::write);
    if (!opened) return std::unexpected(opened.error());
    base::Bytes head(kContentsAt);
    const auto got = (*opened)->read_at(head, 0);
    if (!got) return std::unexpected(got.error());
    if (*got < kContentsAt) return std::unexpected(IoError{EBADMSG, "mark " + file});
    std::size_t place = 0;
    while (place < kMarks - 1 && mark_place(head, place)[4] != 0)
        ++place;
    const auto bytes = encode(CandidateMark{state, clock_.wall_ms(), std::string(note)});
    if (auto done = (*opened)->write_at(bytes, kHeadSize + place * kMarkSize); !done) return done;
    return (*opened)->sync();
}

Io<StoredCandidate> CandidateStore::load(const std::string& file) {
    const std::lock_guard lock(mutex_);
    const auto bytes = read_file(files_, dir_ / file, 64 << 20);
    if (!bytes) return std::unexpected(bytes.error());
    StoredCandidate stored;
    stored.file = file;
    stored.candidate = decode(*bytes);
    if (!stored.candidate) {
        return std::unexpected(IoError{EBADMSG, fmt::format("{} holds no whole block", file)});
    }
    for (std::size_t i = 0; i < kMarks; ++i) {
        if (auto mark = decode_mark(mark_place(*bytes, i))) stored.marks.push_back(*mark);
    }
    return stored;
}

Io<CandidateEntry> CandidateStore::read_entry(const std::string& name) {
    const IoError damaged{EBADMSG, fmt::format("{} is no block file", name)};
    auto entry = parse_file_name(name);
    if (!entry) return std::unexpected(damaged);
    const std::lock_guard lock(mutex_);
    auto file = files_.open(dir_ / name, OpenMode::read);
    if (!file) return std::unexpected(file.error());
    base::Bytes head(kContentsAt);
    const auto got = (*file)->read_at(head, 0);
    if (!got) return std::unexpected(got.error());
    if (*got < kContentsAt || !std::equal(kMagic.begin(), kMagic.end(), head.begin())) {
        return std::unexpected(damaged);
    }
    for (std::size_t i = 0; i < kMarks; ++i) {
        if (const auto mark = decode_mark(mark_place(head, i))) entry->state = mark->state;
    }
    return *std::move(entry);
}

Io<std::vector<CandidateEntry>> CandidateStore::index(std::vector<std::string>* damaged) {
    const auto names = files_.list(dir_);
    if (!names) return std::unexpected(names.error());
    std::vector<CandidateEntry> all;
    for (const auto& name : *names) {
        if (!name.ends_with(".block")) continue;
        auto entry = read_entry(name);
        if (entry)
            all.push_back(std::move(*entry));
        else if (damaged != nullptr)
            damaged->push_back(name);
    }
    return all;
}

Io<std::vector<StoredCandidate>> CandidateStore::load_all(std::vector<std::string>* damaged) {
    const auto names = files_.list(dir_);
    if (!names) return std::unexpected(names.error());
    std::vector<StoredCandidate> all;
    for (const auto& name : *names) {
        if (!name.ends_with(".block")) continue;
        auto stored = load(name);
        if (stored)
            all.push_back(std::move(*stored));
        else if (damaged != nullptr)
            damaged->push_back(name);
    }
    return all;
}

std::size_t CandidateStore::reserves() const {
    const std::lock_guard lock(mutex_);
    return reserves_.size();
}

void CandidateStore::refill() {
    const std::lock_guard lock(mutex_);
    refill_locked();
}

void CandidateStore::refill_locked() {
    for (std::size_t i = 0; i < kReserves && reserves_.size() < kReserves; ++i) {
        const auto path = dir_ / fmt::format("reserve-{}", i);
        if (files_.exists(path)) continue;
        auto file = files_.open(path, OpenMode::create_new);
        if (!file) return;
        if (!(*file)->allocate(kReserveBytes) || !(*file)->sync()) {
            (void)files_.remove(path);
            return;
        }
        reserves_.push_back(path);
    }
}

std::string CandidateStore::file_name(std::int32_t height, const chain::Hash256& hash) {
    return fmt::format("{:08}-{}.block", height, hash.rpc_hex());
}

std::optional<CandidateEntry> CandidateStore::parse_file_name(std::string_view name) {
    CandidateEntry entry;
    const auto dash = name.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto [end, error] = std::from_chars(name.data(), name.data() + dash, entry.height);
    if (error != std::errc{} || end != name.data() + dash) return std::nullopt;
    const auto hash = chain::Hash256::from_rpc_hex(name.substr(dash + 1, 64));
    if (!hash) return std::nullopt;
    entry.hash = *hash;
    entry.file = name;
    // Exactly as it was made.
    if (file_name(entry.height, entry.hash) != name) return std::nullopt;
    return entry;
}

}  // namespace adit::store
