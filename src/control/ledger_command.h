// SPDX-License-Identifier: Apache-2.0
// What `leat ledger ...` does with a ledger's folder: tell whether it is whole, and print what is
// in it. Only reads, so it may run beside a gateway that writes: what is not yet finished then
// looks like a process that was cut off. Text goes out as it comes, since a ledger may be larger
// than memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "ledger/record.h"

namespace leat::control {

// Takes text for standard output; false: it cannot be written, stop.
using Printer = std::function<bool(std::string_view text)>;

// Reads everything and checks it: frames, chains, segments, ids, sums. Status 0: nothing is lost;
// 1: something is; kExitNoInput: the folder cannot be read.
int verify_ledger(const std::string& folder, const Printer& print);

// Which records are meant. Accounts are named as records name them: "#17" or the name of a key of
// the configuration; empty: all.
struct RecordFilter {
  std::string key;
  std::string organisation;
  // Those that began in [from, until).
  WallTime from{INT64_MIN};
  WallTime until{INT64_MAX};

  bool takes(const ledger::UsageRecord& record) const;
};
// "17" is "#17", as people write it.
std::string account_reference(std::string_view text);

struct LedgerExport {
  enum class Format : std::uint8_t { kJsonLines, kCsv };
  Format format = Format::kJsonLines;
  RecordFilter filter;
};

// Prints records, in the order of process, shard and time. Status as above; what can be read is
// printed even if something is lost, which `complain` is told.
int export_ledger(const std::string& folder, const LedgerExport& what, const Printer& print,
                  const Printer& complain);

// "2026-11-21" (its first moment, UTC) or "2026-11-21T15:30:00Z"; false: neither.
bool parse_moment(std::string_view text, WallTime& moment);

}  // namespace leat::control
