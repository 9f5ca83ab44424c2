#include "stratum/ban_list.h"

namespace adit::stratum {
namespace {

std::string key_of(const std::string& ip, const WorkerName& name) {
    return ip + ' ' + name.account + '.' + name.worker;
}

}  // namespace

void BanList::ban(const std::string& ip, const std::vector<WorkerName>& names, std::int64_t now_ms,
                  std::int64_t duration_ms) {
    const std::lock_guard lock(mutex_);
    for (const auto& name : names)
        bans_.ban(key_of(ip, name), now_ms, duration_ms);
    const auto good = good_ms_.find(ip);
    if (good == good_ms_.end() || now_ms - good->second > kGoodForMs) {
        bans_.ban(ip, now_ms, duration_ms);
    }
}

bool BanList::address_banned(const std::string& ip, std::int64_t now_ms) const {
    const std::lock_guard lock(mutex_);
    return bans_.banned(ip, now_ms);
}

bool BanList::name_banned(const std::string& ip, const WorkerName& name,
                          std::int64_t now_ms) const {
    const std::lock_guard lock(mutex_);
    return bans_.size() != 0 && bans_.banned(key_of(ip, name), now_ms);
}

void BanList::note_good(const std::string& ip, std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    if (good_ms_.size() >= max_entries_ && !good_ms_.contains(ip)) return;
    good_ms_[ip] = now_ms;
}

std::size_t BanList::expire(std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    std::erase_if(good_ms_, [&](const auto& entry) { return now_ms - entry.second > kGoodForMs; });
    return bans_.expire(now_ms);
}

}  // namespace adit::stratum
