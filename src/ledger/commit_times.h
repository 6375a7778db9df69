// SPDX-License-Identifier: Apache-2.0
// How long commits of the ledger took, counted within bounds: from a disk that answers from its own
// memory to one that is about to fail.
#pragma once

#include <array>

#include "base/instant.h"
#include "shard/turn_stats.h"

namespace leat::ledger {

inline constexpr std::array<Duration, 12> kCommitTimeBounds = {
    microseconds(50), microseconds(100), microseconds(200), microseconds(500),
    milliseconds(1),  milliseconds(2),   milliseconds(5),   milliseconds(10),
    milliseconds(25), milliseconds(100), milliseconds(500), milliseconds(2'500)};

using CommitTimes = shard::BoundedCounts<Duration, kCommitTimeBounds.size()>;

}  // namespace leat::ledger
