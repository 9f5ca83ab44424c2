#include "store/history_store.h"

#include <cerrno>

namespace adit::store {

HistoryStore::HistoryStore(FileSystem& files, std::filesystem::path file,
                           metrics::Registry& registry, base::Logger& logger)
    : files_(files),
      file_(std::move(file)),
      logger_(logger),
      saves_(registry.counter("adit_history_saves_total",
                              "Times that the history of metrics was written.")),
      failures_(registry.counter("adit_history_save_failures_total",
                                 "Times that the history of metrics could not be written.")),
      bytes_(registry.gauge("adit_history_file_bytes", "Size of the history's file.")) {}

metrics::Sections HistoryStore::load() {
    const auto bytes = read_file(files_, file_, kMaxBytes);
    if (!bytes) {
        if (bytes.error().code != ENOENT) refuse(bytes.error().text());
        return {};
    }
    auto state = metrics::decode_state(*bytes);
    if (!state) {
        refuse(state.error());
        return {};
    }
    bytes_.set(static_cast<double>(bytes->size()));
    return std::move(state->sections);
}

void HistoryStore::refuse(std::string_view why) {
    auto aside = file_;
    aside += ".refused";
    const auto moved = files_.rename(file_, aside);
    logger_.warning("metrics", "the history of metrics cannot be used and begins anew",
                    {{"file", file_.string()},
                     {"why", why},
                     {"kept_as", moved ? aside.string() : moved.error().text()}});
}

bool HistoryStore::keep(metrics::Tick now, const std::function<metrics::Sections()>& make) {
    if (!last_ms_) last_ms_ = now.steady_ms;
    return now.steady_ms - *last_ms_ < kEveryMs || save(make(), now);
}

bool HistoryStore::save(const metrics::Sections& sections, metrics::Tick now) {
    last_ms_ = now.steady_ms;
    const auto bytes = metrics::encode_state(sections, now.wall_ms);
    auto saved = bytes.size() > kMaxBytes
                     ? Io<void>(std::unexpected(IoError{EFBIG, "write " + file_.string()}))
                     : replace_file(files_, file_, bytes);
    if (saved) {
        saves_.add();
        bytes_.set(static_cast<double>(bytes.size()));
    } else {
        failures_.add();
        if (!failed_) {
            logger_.warning("metrics", "the history of metrics cannot be written",
                            {{"why", saved.error().text()}});
        }
    }
    failed_ = !saved;
    return saved.has_value();
}

}  // namespace adit::store
