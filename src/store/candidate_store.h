// Found blocks on disk (data_dir/blocks): the whole block, its job, who found it and where the
// share log stood, durable before anything depends on it, and what has become of it since. Space
// for the next blocks is reserved beforehand, so a block can be kept on a full disk. Safe from any
// thread.
#pragma once

#include "base/clock.h"
#include "job/job.h"
#include "store/file_system.h"

#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace adit::store {

enum class CandidateState : std::uint8_t {
    found = 0,      // written, nothing heard yet
    submitted = 1,  // sent to a node; no verdict yet
    accepted = 2,   // a node holds it in its best chain
    refused = 3,    // a node refuses it (the note says who and why)
    given_up = 4,   // refused for good by every node
    buried = 5,     // 100 blocks deep: nothing more to do
};
std::string_view name_of(CandidateState state);

struct CandidateMark {
    CandidateState state = CandidateState::found;
    std::int64_t wall_ms = 0;
    std::string note;  // at most kCandidateNoteLimit bytes are kept
};
inline constexpr std::size_t kCandidateNoteLimit = 100;

struct StoredCandidate {
    std::shared_ptr<const job::BlockCandidate> candidate;  // its job can judge shares, not be mined
    std::vector<CandidateMark> marks;                      // oldest first
    std::string file;                                      // name in the blocks folder
    CandidateState state() const {
        return marks.empty() ? CandidateState::found : marks.back().state;
    }
};

// What can be said of a file in the blocks folder without reading the block.
struct CandidateEntry {
    std::string file;
    std::int32_t height = 0;
    chain::Hash256 hash;
    CandidateState state = CandidateState::found;
};

class CandidateStore {
 public:
    static constexpr std::size_t kReserves = 3;                // blocks that fit on a full disk
    static constexpr std::uint64_t kReserveBytes = 4'400'000;  // largest block, job and marks

    // Creates the folder and the reserved files where missing. Failing to reserve is no error: see
    // reserves().
    static Io<std::unique_ptr<CandidateStore>> open(FileSystem& files,
                                                    std::filesystem::path blocks_dir,
                                                    const base::Clock& clock);

    // Durable when it returns; gives the file's name. The same block twice is one file. Refills the
    // reserve afterwards as far as space allows.
    Io<std::string> save(const job::BlockCandidate& candidate);
    // Durably notes what became of a block. When its 60 places are used the last is overwritten.
    Io<void> mark(const std::string& file, CandidateState state, std::string_view note);
    Io<StoredCandidate> load(const std::string& file);
    // All candidates by their names and marks alone (8 KiB a file), oldest height first. Files that
    // do not begin as candidates go to `damaged`; whether the block itself is whole, load() tells.
    Io<std::vector<CandidateEntry>> index(std::vector<std::string>* damaged = nullptr);
    // All readable candidates, oldest height first; names of unreadable files go to `damaged`.
    Io<std::vector<StoredCandidate>> load_all(std::vector<std::string>* damaged = nullptr);
    // How many blocks could be kept if the disk were full now.
    std::size_t reserves() const;
    // Tries to reserve what is missing.
    void refill();

    // "00840000-<hash>.block"
    static std::string file_name(std::int32_t height, const chain::Hash256& hash);
    // Height and hash of such a name; nullopt for any other.
    static std::optional<CandidateEntry> parse_file_name(std::string_view name);

 private:
    CandidateStore(FileSystem& files, std::filesystem::path dir, const base::Clock& clock)
        : files_(files), dir_(std::move(dir)), clock_(clock) {}
    void refill_locked();
    Io<CandidateEntry> read_entry(const std::string& name);
    Io<void> write_candidate(base::ByteSpan bytes, const std::string& name);

    FileSystem& files_;
    std::filesystem::path dir_;
    const base::Clock& clock_;
    mutable std::mutex mutex_;
    std::vector<std::filesystem::path> reserves_;
};

}  // namespace adit::store
