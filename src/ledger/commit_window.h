// SPDX-License-Identifier: Apache-2.0
// CommitWindow: how long the first entry of a commit waits for others. Not at all where commits are
// rare, for then waiting gains nothing; up to 1 ms where they would follow each other closely, so
// that a busy shard makes at most some 900 commits a second: at about 20 us of CPU each, less than
// 2 % of its core. Pure.
#pragma once

#include <algorithm>

#include "base/instant.h"

namespace leat::ledger {

class CommitWindow {
 public:
  static constexpr Duration kMax = milliseconds(1);

  // A commit began.
  void began(Instant now) {
    const Duration gap = std::min(now - last_, kRare);
    gap_.ns += (gap.ns - gap_.ns) / kSmoothing;
    last_ = now;
  }
  // Falls linearly with the usual distance of commits, which contains the window: so it settles
  // (at 0.95 ms where records never cease) and does not swing.
  Duration window() const {
    const std::int64_t left = std::max<std::int64_t>((kRare - gap_).ns, 0);
    return {std::min(left / 3, kMax.ns)};
  }

 private:
  static constexpr Duration kRare = milliseconds(4);
  static constexpr std::int64_t kSmoothing = 8;
  Instant last_{INT64_MIN / 2};
  Duration gap_ = kRare;
};

}  // namespace leat::ledger
