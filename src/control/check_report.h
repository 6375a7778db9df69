// SPDX-License-Identifier: Apache-2.0
// What `leat check` prints: one line a fault and a count, or a summary of what would be served.
#pragma once

#include <string>

#include "control/config.h"

namespace leat::control {

std::string check_report(const std::string& file, const Config& config);

}  // namespace leat::control
