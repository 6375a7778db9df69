// SPDX-License-Identifier: Apache-2.0
// `GET /generation?id=` and `GET /activity` of the API, in OpenRouter's shapes (openrouter-api.md
// 1.3, 4.18; what @openrouter/sdk 1.3.19 demands), from what a LedgerView knows. They know no
// connection and no store: who asks them has found out who is asking.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "control/management.h"
#include "control/record_lookup.h"
#include "control/usage_table.h"

namespace leat::control {

// Who asks, as records name it (AccountNames::text()): the operator sees all, others what their
// organisation did. Who has none, and where a record names none, sees what its own key did.
struct UsageViewer {
  bool is_operator = false;
  std::string organisation;
  std::string key;  // empty: it came without one

  bool sees(std::string_view record_organisation, std::string_view record_key) const;
};

// A record that the viewer may see: of `bytes`; or the answer that says why there is none.
struct FoundRecord {
  std::optional<ManagementAnswer> answer;
  std::vector<char> bytes;
  ledger::UsageRecord record;

  FoundRecord() = default;
  FoundRecord(const FoundRecord&) = delete;  // its views are of its bytes, which may be moved
  FoundRecord(FoundRecord&&) = default;
};
// 404 for what is not there and for what is somebody else's: the same answer. Reads the disk.
FoundRecord find_record(const RecordLookup& lookup, std::string_view id, const UsageViewer& viewer);
ManagementAnswer generation_answer(const RecordLookup& lookup, std::string_view id,
                                   const UsageViewer& viewer);

// The object alone.
std::string generation_json(const ledger::UsageRecord& record);

struct ActivityQuery {
  std::optional<std::string> date;  // "2026-11-21"; none: all of them
  std::optional<std::string> key;   // as records name it; none: all
  // Of these only, in any order; none: of all.
  std::optional<std::set<std::string, std::less<>>> keys;
};
// The thirty whole UTC days before `now`, newest first, a line for each day, model and endpoint.
// 400: `date` is no such day.
ManagementAnswer activity_answer(const UsageTable& days, const ActivityQuery& query,
                                 const UsageViewer& viewer, WallTime now);

}  // namespace leat::control
