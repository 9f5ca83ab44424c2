#include "tests/support/log_contents.h"

#include "store/log_reader.h"

#include <stdexcept>

namespace adit::tests {
namespace {

using Jobs = std::map<job::JobId, job::JobRef>;

void take(const share::Record& record, Jobs& jobs, LogContents& log) {
    if (const auto* share = std::get_if<share::ShareRecord>(&record)) {
        const auto at = jobs.find(share->job);
        if (at == jobs.end()) throw std::runtime_error("a share whose job was not recorded before");
        log.shares.push_back({job::header_of(*at->second, share->choice).hash(), *share});
    } else if (const auto* job = std::get_if<share::JobRecord>(&record)) {
        ++log.jobs;
        if (!jobs.emplace(job->id, share::restore_job(*job)).second) {
            throw std::runtime_error("a job id that was used before");
        }
    } else if (const auto* account = std::get_if<share::AccountRecord>(&record)) {
        log.accounts[account->id] = account->name;
    } else if (const auto* worker = std::get_if<share::WorkerRecord>(&record)) {
        log.workers[worker->id] = *worker;
    } else if (const auto* block = std::get_if<share::BlockRecord>(&record)) {
        log.blocks.push_back(*block);
    } else if (std::holds_alternative<share::RunRecord>(record)) {
        ++log.runs;
    }  // what is left are facts about money
}

}  // namespace

std::unordered_map<chain::Hash256, int, chain::Hash256Hasher> LogContents::counted() const {
    std::unordered_map<chain::Hash256, int, chain::Hash256Hasher> result;
    for (const auto& share : shares) {
        if (!share.record.stale) ++result[share.hash];
    }
    return result;
}

std::uint64_t LogContents::counted_shares() const {
    return static_cast<std::uint64_t>(std::ranges::count_if(
        shares, [](const LoggedShare& share) { return !share.record.stale; }));
}

LogContents read_log(const std::filesystem::path& data_dir) {
    store::PosixFileSystem files;
    auto reader = store::LogReader::open(files, data_dir / "log");
    if (!reader) throw std::runtime_error(reader.error().text());
    LogContents log;
    Jobs jobs;
    while (true) {
        const auto batch = reader->next(store::LogReader::kToTheEnd);
        if (!batch) throw std::runtime_error(batch.error().text());
        if (!*batch) return log;
        base::ByteReader payload((*batch)->payload);
        for (std::uint32_t i = 0; i < (*batch)->records; ++i) {
            const auto record = share::read_record(payload);
            if (!record) throw std::runtime_error(std::string(share::describe(record.error())));
            take(*record, jobs, log);
        }
        if (!payload.finished()) throw std::runtime_error("a batch with more than its records");
    }
}

}  // namespace adit::tests
