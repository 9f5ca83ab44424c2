#include "store/faulty_file_system.h"

#include <cerrno>

namespace adit::store {
namespace {

constexpr std::size_t kSector = 512;

IoError error_of(std::string_view operation, const std::string& path, int code) {
    return {code, fmt::format("{} {}", operation, path)};
}

}  // namespace

class FaultyFileSystem::Handle final : public File {
 public:
    Handle(FaultyFileSystem& files, InodeRef inode, std::string path)
        : files_(files), inode_(std::move(inode)), path_(std::move(path)), boot_(files.boot_) {}

    Io<std::size_t> read_at(std::span<std::uint8_t> out, std::uint64_t offset) override {
        const std::lock_guard lock(files_.mutex_);
        if (auto error = enter(Call::read)) return std::unexpected(*error);
        const auto& bytes = inode_->cached;
        if (offset >= bytes.size()) return std::size_t{0};
        const auto n = std::min<std::size_t>(out.size(), bytes.size() - offset);
        std::memcpy(out.data(), bytes.data() + offset, n);
        return n;
    }

    Io<void> write_at(base::ByteSpan bytes, std::uint64_t offset) override {
        const std::lock_guard lock(files_.mutex_);
        auto error = enter(Call::write);
        const auto end = offset + bytes.size();
        const auto growth = end > inode_->cached.size() ? end - inode_->cached.size() : 0;
        if (!error && files_.used_locked() + growth > files_.capacity_) {
            error = error_of("write", path_, ENOSPC);
        }
        const bool cut = files_.cut_is_due(Call::write);
        if (!files_.powered_ || boot_ != files_.boot_) return std::unexpected(*error);
        if (error || cut) bytes = bytes.first(files_.below(bytes.size() + 1));
        if (!bytes.empty() && (!error || error->code != ENOSPC)) {
            files_.change(*inode_, {Change::Kind::write, offset, {bytes.begin(), bytes.end()}});
        }
        return finish(error, cut);
    }

    Io<void> sync() override {
        std::unique_lock lock(files_.mutex_);
        if (files_.hold_) {
            ++files_.held_;
            files_.held_changed_.notify_all();
            files_.held_changed_.wait(lock, [&] { return !files_.hold_; });
            --files_.held_;
        }
        const auto error = enter(Call::sync);
        const bool cut = files_.cut_is_due(Call::sync);
        if (!files_.powered_ || boot_ != files_.boot_) return std::unexpected(*error);
        if (cut) return finish(error, true);
        if (error) {
            // Some pages got out, the others are marked clean all the same and never will.
            files_.persist_partly(*inode_);
        } else {
            for (const auto& change : inode_->pending)
                files_.apply(change, inode_->durable);
        }
        inode_->pending.clear();
        return finish(error, false);
    }

    Io<void> truncate(std::uint64_t size) override {
        return resize(Call::truncate, size, size < inode_->cached.size());
    }
    Io<void> allocate(std::uint64_t size) override { return resize(Call::allocate, size, false); }

    Io<std::uint64_t> size() override {
        const std::lock_guard lock(files_.mutex_);
        if (auto error = enter(Call::read)) return std::unexpected(*error);
        return inode_->cached.size();
    }

 private:
    std::optional<IoError> enter(Call call) {
        if (boot_ != files_.boot_) return error_of("use", path_, EIO);
        return files_.enter(call, path_);
    }

    Io<void> finish(const std::optional<IoError>& error, bool cut) {
        if (cut) {
            files_.cut_locked();
            return std::unexpected(error_of("use", path_, EIO));
        }
        if (error) return std::unexpected(*error);
        return {};
    }

    Io<void> resize(Call call, std::uint64_t size, bool shrink) {
        const std::lock_guard lock(files_.mutex_);
        auto error = enter(call);
        const auto old = inode_->cached.size();
        if (!error && size > old && files_.used_locked() + (size - old) > files_.capacity_) {
            error = error_of("reserve space for", path_, ENOSPC);
        }
        const bool cut = files_.cut_is_due(call);
        if (error) return finish(error, cut && files_.powered_);
        if (shrink || size > old) {
            files_.change(*inode_, {shrink ? Change::Kind::shrink : Change::Kind::grow, size, {}});
        }
        return finish(error, cut);
    }

    FaultyFileSystem& files_;
    InodeRef inode_;
    std::string path_;
    std::uint64_t boot_;
};

void FaultyFileSystem::cut_power_at(std::uint64_t calls) {
    const std::lock_guard lock(mutex_);
    cut_at_ = calls_ + calls;
}

void FaultyFileSystem::cut_power() {
    const std::lock_guard lock(mutex_);
    if (powered_) cut_locked();
}

bool FaultyFileSystem::powered() const {
    const std::lock_guard lock(mutex_);
    return powered_;
}

std::uint64_t FaultyFileSystem::calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
}

void FaultyFileSystem::restore_power() {
    const std::lock_guard lock(mutex_);
    if (powered_) cut_locked();
    names_ = durable_names_;
    for (auto& [path, inode] : names_) {
        inode->cached = inode->durable;
        inode->pending.clear();
    }
    ++boot_;
    powered_ = true;
    cut_at_ = ~std::uint64_t{0};
}

void FaultyFileSystem::fail(Call call, int code, std::uint64_t count, std::uint64_t skip,
                            std::string path_part) {
    const std::lock_guard lock(mutex_);
    rules_.push_back({call, code, skip, count, std::move(path_part)});
}

void FaultyFileSystem::set_failure_chance(double chance) {
    const std::lock_guard lock(mutex_);
    failure_chance_ = chance;
}

void FaultyFileSystem::clear_faults() {
    const std::lock_guard lock(mutex_);
    rules_.clear();
    failure_chance_ = 0;
    capacity_ = ~std::uint64_t{0};
}

void FaultyFileSystem::set_capacity(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    capacity_ = bytes;
}

std::uint64_t FaultyFileSystem::used() const {
    const std::lock_guard lock(mutex_);
    return used_locked();
}

void FaultyFileSystem::hold_syncs() {
    const std::lock_guard lock(mutex_);
    hold_ = true;
}

void FaultyFileSystem::release_syncs() {
    const std::lock_guard lock(mutex_);
    hold_ = false;
    held_changed_.notify_all();
}

void FaultyFileSystem::await_held_sync() {
    std::unique_lock lock(mutex_);
    held_changed_.wait(lock, [&] { return held_ > 0; });
}

base::Bytes FaultyFileSystem::contents(const Path& path) const {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(path.string());
    return found == names_.end() ? base::Bytes{} : found->second->cached;
}

void FaultyFileSystem::overwrite(const Path& path, base::ByteSpan contents) {
    const std::lock_guard lock(mutex_);
    auto& inode = names_[path.string()];
    if (!inode) inode = std::make_shared<Inode>();
    inode->cached.assign(contents.begin(), contents.end());
    inode->durable = inode->cached;
    inode->pending.clear();
    durable_names_[path.string()] = inode;
}

Io<std::unique_ptr<File>> FaultyFileSystem::open(const Path& path, OpenMode mode) {
    const std::lock_guard lock(mutex_);
    const auto name = path.string();
    const auto error = enter(mode == OpenMode::create_new ? Call::open : Call::read, name);
    const bool cut = mode == OpenMode::create_new && cut_is_due(Call::open);
    if (error) return std::unexpected(*error);
    const auto found = names_.find(name);
    if (mode != OpenMode::create_new) {
        if (found == names_.end()) return std::unexpected(error_of("open", name, ENOENT));
        return std::make_unique<Handle>(*this, found->second, name);
    }
    if (found != names_.end()) return std::unexpected(error_of("open", name, EEXIST));
    auto inode = std::make_shared<Inode>();
    names_[name] = inode;
    pending_names_.push_back({{}, name, inode});
    if (cut) {
        cut_locked();
        return std::unexpected(error_of("open", name, EIO));
    }
    return std::make_unique<Handle>(*this, inode, name);
}

Io<void> FaultyFileSystem::rename(const Path& from, const Path& to) {
    const std::lock_guard lock(mutex_);
    const auto error = enter(Call::rename, from.string());
    const bool cut = cut_is_due(Call::rename);
    if (error) return std::unexpected(*error);
    const auto found = names_.find(from.string());
    if (found == names_.end()) return std::unexpected(error_of("rename", from.string(), ENOENT));
    auto inode = found->second;
    names_.erase(found);
    names_[to.string()] = inode;
    pending_names_.push_back({from.string(), to.string(), inode});
    if (cut) {
        cut_locked();
        return std::unexpected(error_of("rename", from.string(), EIO));
    }
    return {};
}

Io<void> FaultyFileSystem::remove(const Path& path) {
    const std::lock_guard lock(mutex_);
    const auto error = enter(Call::remove, path.string());
    const bool cut = cut_is_due(Call::remove);
    if (error) return std::unexpected(*error);
    const auto found = names_.find(path.string());
    if (found == names_.end()) return std::unexpected(error_of("remove", path.string(), ENOENT));
    pending_names_.push_back({path.string(), {}, found->second});
    names_.erase(found);
    if (cut) {
        cut_locked();
        return std::unexpected(error_of("remove", path.string(), EIO));
    }
    return {};
}

Io<void> FaultyFileSystem::sync_dir(const Path& directory) {
    const std::lock_guard lock(mutex_);
    const auto error = enter(Call::sync_dir, directory.string());
    const bool cut = cut_is_due(Call::sync_dir);
    if (cut && powered_) {
        cut_locked();
        return std::unexpected(error_of("fsync", directory.string(), EIO));
    }
    // A failed sync may have brought the first changes to the disk; the others stay pending.
    auto reached = error ? below(pending_names_.size() + 1) : pending_names_.size();
    std::vector<NameChange> rest;
    for (auto& change : pending_names_) {
        const Path path(change.to.empty() ? change.from : change.to);
        if (path.parent_path() == directory && reached > 0) {
            apply(change);
            --reached;
        } else {
            rest.push_back(std::move(change));
        }
    }
    pending_names_ = std::move(rest);
    if (error) return std::unexpected(*error);
    return {};
}

Io<void> FaultyFileSystem::create_directories(const Path& directory) {
    const std::lock_guard lock(mutex_);
    if (!powered_) return std::unexpected(error_of("create", directory.string(), EIO));
    return {};
}

Io<std::vector<std::string>> FaultyFileSystem::list(const Path& directory) {
    const std::lock_guard lock(mutex_);
    if (auto error = enter(Call::read, directory.string())) return std::unexpected(*error);
    std::vector<std::string> names;
    for (const auto& [path, inode] : names_) {
        if (Path(path).parent_path() == directory) names.push_back(Path(path).filename().string());
    }
    return names;
}

bool FaultyFileSystem::exists(const Path& path) {
    const std::lock_guard lock(mutex_);
    return powered_ && names_.contains(path.string());
}

std::optional<IoError> FaultyFileSystem::enter(Call call, const std::string& path) {
    if (!powered_) return error_of("use", path, EIO);
    for (auto& rule : rules_) {
        if (rule.call != call || path.find(rule.path_part) == std::string::npos) continue;
        if (rule.skip > 0) {
            --rule.skip;
        } else if (rule.count > 0) {
            --rule.count;
            return error_of("use", path, rule.code);
        }
    }
    if (call != Call::read && failure_chance_ > 0 && chance(failure_chance_)) {
        return error_of("use", path, EIO);
    }
    return std::nullopt;
}

bool FaultyFileSystem::cut_is_due(Call call) {
    return powered_ && call != Call::read && ++calls_ >= cut_at_;
}

void FaultyFileSystem::cut_locked() {
    for (const auto& change : pending_names_) {
        if (chance(0.5)) apply(change);
    }
    pending_names_.clear();
    std::set<Inode*> seen;
    for (const auto* names : {&names_, &durable_names_}) {
        for (const auto& [path, inode] : *names) {
            if (seen.insert(inode.get()).second) persist_partly(*inode);
            inode->pending.clear();
        }
    }
    powered_ = false;
}

void FaultyFileSystem::persist_partly(Inode& inode) {
    std::vector<const Change*> order;
    for (const auto& change : inode.pending)
        order.push_back(&change);
    std::shuffle(order.begin(), order.end(), random_);
    for (const auto* change : order) {
        switch (below(4)) {
            case 0:
                break;
            case 1:
                apply(*change, inode.durable);
                break;
            default:
                apply_torn(*change, inode.durable);
                break;
        }
    }
}

void FaultyFileSystem::apply(const Change& change, base::Bytes& to) {
    switch (change.kind) {
        case Change::Kind::shrink:
            to.resize(std::min<std::size_t>(to.size(), change.offset));
            return;
        case Change::Kind::grow:
            to.resize(std::max<std::size_t>(to.size(), change.offset));
            return;
        case Change::Kind::write:
            break;
    }
    if (to.size() < change.offset + change.bytes.size()) {
        to.resize(change.offset + change.bytes.size());
    }
    std::memcpy(to.data() + change.offset, change.bytes.data(), change.bytes.size());
}

// Some of the sectors, or everything up to (or from) some byte.
void FaultyFileSystem::apply_torn(const Change& change, base::Bytes& to) {
    if (change.kind != Change::Kind::write) return apply(change, to);
    const auto size = change.bytes.size();
    const auto piece = [&](std::size_t from, std::size_t until) {
        const auto begin = change.bytes.begin();
        apply({Change::Kind::write, change.offset + from,
               base::Bytes(begin + static_cast<std::ptrdiff_t>(from),
                           begin + static_cast<std::ptrdiff_t>(until))},
              to);
    };
    const auto way = below(4);
    const auto at = static_cast<std::size_t>(below(size + 1));
    if (way == 0) return piece(0, at);
    if (way == 1) return piece(at, size);
    for (std::size_t from = 0; from < size;) {
        const auto until = std::min<std::size_t>(
            size, (change.offset + from) / kSector * kSector + kSector - change.offset);
        if (chance(0.5)) piece(from, until);
        from = until;
    }
}

void FaultyFileSystem::apply(const NameChange& change) {
    if (!change.from.empty()) {
        const auto found = durable_names_.find(change.from);
        if (found != durable_names_.end() && found->second == change.inode) {
            durable_names_.erase(found);
        }
    }
    if (!change.to.empty()) durable_names_[change.to] = change.inode;
}

void FaultyFileSystem::change(Inode& inode, Change change) {
    apply(change, inode.cached);
    inode.pending.push_back(std::move(change));
}

std::uint64_t FaultyFileSystem::used_locked() const {
    std::uint64_t sum = 0;
    for (const auto& [path, inode] : names_)
        sum += inode->cached.size();
    return sum;
}

bool FaultyFileSystem::chance(double probability) {
    return std::uniform_real_distribution<>(0, 1)(random_) < probability;
}

std::uint64_t FaultyFileSystem::below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
}

}  // namespace adit::store
