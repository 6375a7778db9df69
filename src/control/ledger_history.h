// SPDX-License-Identifier: Apache-2.0
// All that a ledger's folder holds, process by process: how commands read it. Only one process's
// shard is mapped at a time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/segment_folder.h"
#include "ledger/replay.h"

namespace leat::control {

// The segments of one shard of one process, mapped.
struct History {
  ledger::SegmentIdentity owner;
  std::vector<LedgerFile> files;
  std::vector<MappedFile> mapped;
};

// Calls `use` with one history after the other, as long as it says true. An error is the folder's.
Result<bool> for_each_history(const SegmentFolder& folder,
                              const std::function<bool(const History&)>& use);

ledger::ReplayReport replay_history(const History& history, ledger::EntryVisitor& visitor);

// Calls `take` with every record. False: something is lost or cannot be read; the rest was told.
Result<bool> for_each_record(const SegmentFolder& folder,
                             const std::function<void(const ledger::UsageRecord&)>& take);

}  // namespace leat::control
