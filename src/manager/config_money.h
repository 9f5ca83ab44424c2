// The sections of the configuration that say who gets what and how it is paid: [rewards], [payout]
// and [store]. Internal to config.cpp.
#pragma once

#include "manager/config_reader.h"

namespace adit::manager {

// Reads the sections of the document's root that are there. The other sections were read before.
void read_money(TableReader& root, Config& config);
// Adds the keys of these sections that differ and are in force.
void compare_money(const Config& running, const Config& wanted, ConfigChanges& changes);

}  // namespace adit::manager
