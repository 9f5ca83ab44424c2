// The sections of the configuration about watching the pool: [http] and [alert]. Internal to
// config.cpp.
#pragma once

#include "manager/config_reader.h"

namespace adit::manager {

void read_services(TableReader& root, Config& config);
// The defaults as the configuration changes them.
std::vector<metrics::AlertRule> alert_rules(const AlertConfig& config);
void compare_services(const Config& running, const Config& wanted, ConfigChanges& changes);

}  // namespace adit::manager
