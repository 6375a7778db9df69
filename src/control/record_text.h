// SPDX-License-Identifier: Apache-2.0
// A usage record as text: one line of JSON, or one of CSV (RFC 4180). Money is dollars, exact to
// the nano-dollar; times are RFC 3339 and milliseconds.
#pragma once

#include <string>
#include <string_view>

#include "ledger/record.h"

namespace leat::control {

// Appends the record as one line of JSON. All of it, with the attempts.
void append_json_line(const ledger::UsageRecord& record, std::string& out);

// The names of the columns, and a record in them; attempts only by their number. Text that a
// spreadsheet would take for a formula gets an apostrophe in front.
void append_csv_header(std::string& out);
void append_csv_line(const ledger::UsageRecord& record, std::string& out);

// One field of a CSV line.
void append_csv_text(std::string_view text, std::string& out);

// "2026-11-21T15:30:00.123Z".
std::string rfc3339(WallTime time);

}  // namespace leat::control
