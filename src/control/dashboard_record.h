// SPDX-License-Identifier: Apache-2.0
// A request's life as the dashboard tells it: its record in the ledger, whole: every attempt with
// what came of it and when, times, tokens, money. Beside /generation, whose shape is OpenRouter's
// and has no place for most of that. Pure but for the look-up, which reads the disk.
#pragma once

#include <string>
#include <string_view>

#include "control/management_usage.h"

namespace leat::control {

// `{"data":{...}}`, or as generation_answer() for what is not there or not the viewer's.
ManagementAnswer life_answer(const RecordLookup& lookup, std::string_view id,
                             const UsageViewer& viewer);
// The object alone. Times are milliseconds since the request began, money dollars.
std::string life_json(const ledger::UsageRecord& record);

}  // namespace leat::control
