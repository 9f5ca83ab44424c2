// A file system in memory that behaves as badly as a real one may: what was not synced can be lost,
// torn at sectors or at any byte and reordered when the power goes; writes and syncs fail on
// demand, a failed sync drops pages for good; the disk fills up; syncs hang. All choices follow
// from the seed. For tests. Safe from any thread.
#pragma once

#include "store/file_system.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <random>

namespace adit::store {

class FaultyFileSystem final : public FileSystem {
 public:
    enum class Call { open, read, write, sync, truncate, allocate, rename, remove, sync_dir };

    explicit FaultyFileSystem(std::uint64_t seed) : random_(seed) {}

    // The power goes in the middle of the n-th changing call from now (1: the next).
    void cut_power_at(std::uint64_t calls);
    void cut_power();
    bool powered() const;
    // Comes back with what had reached the disk. Files opened before stay dead.
    void restore_power();
    // Changing calls so far.
    std::uint64_t calls() const;

    // The next `count` such calls on paths that contain `path_part`, after `skip` good ones, fail.
    void fail(Call call, int code, std::uint64_t count = 1, std::uint64_t skip = 0,
              std::string path_part = {});
    // From now on every changing call fails with EIO by this chance (0..1).
    void set_failure_chance(double chance);
    void clear_faults();
    // Bytes that all files together may take; more is ENOSPC.
    void set_capacity(std::uint64_t bytes);
    std::uint64_t used() const;

    // Syncs of files wait until released.
    void hold_syncs();
    void release_syncs();
    // Waits until a sync hangs.
    void await_held_sync();

    // What a reader sees now, and damage to it (durable at once).
    base::Bytes contents(const Path& path) const;
    void overwrite(const Path& path, base::ByteSpan contents);

    Io<std::unique_ptr<File>> open(const Path& path, OpenMode mode) override;
    Io<void> rename(const Path& from, const Path& to) override;
    Io<void> remove(const Path& path) override;
    Io<void> sync_dir(const Path& directory) override;
    Io<void> create_directories(const Path& directory) override;
    Io<std::vector<std::string>> list(const Path& directory) override;
    bool exists(const Path& path) override;

 private:
    class Handle;
    // A change of a file that is not durable yet.
    struct Change {
        enum class Kind { write, shrink, grow } kind;
        std::uint64_t offset;  // or size
        base::Bytes bytes;
    };
    struct Inode {
        base::Bytes cached;
        base::Bytes durable;
        std::vector<Change> pending;
    };
    using InodeRef = std::shared_ptr<Inode>;
    struct NameChange {
        std::string from;  // empty: created
        std::string to;    // empty: removed
        InodeRef inode;
    };
    struct Rule {
        Call call;
        int code;
        std::uint64_t skip;
        std::uint64_t count;
        std::string path_part;
    };

    // All of these expect the lock to be held.
    std::optional<IoError> enter(Call call, const std::string& path);
    bool cut_is_due(Call call);
    void cut_locked();
    void persist_partly(Inode& inode);
    static void apply(const Change& change, base::Bytes& to);
    void apply_torn(const Change& change, base::Bytes& to);
    void apply(const NameChange& change);
    void change(Inode& inode, Change change);
    std::uint64_t used_locked() const;
    bool chance(double probability);
    std::uint64_t below(std::uint64_t bound);

    mutable std::mutex mutex_;
    std::condition_variable held_changed_;
    std::mt19937_64 random_;
    std::map<std::string, InodeRef> names_;
    std::map<std::string, InodeRef> durable_names_;
    std::vector<NameChange> pending_names_;
    std::vector<Rule> rules_;
    double failure_chance_ = 0;
    std::uint64_t capacity_ = ~std::uint64_t{0};
    std::uint64_t calls_ = 0;
    std::uint64_t cut_at_ = ~std::uint64_t{0};
    std::uint64_t boot_ = 0;
    bool powered_ = true;
    bool hold_ = false;
    int held_ = 0;
};

}  // namespace adit::store
