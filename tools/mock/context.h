// SPDX-License-Identifier: Apache-2.0
// MockContext: what the connections of one thread of leat-mock share.
#pragma once

#include <cstddef>

#include "base/rng.h"
#include "mock/options.h"
#include "mock/tally.h"
#include "wire/link.h"
#include "wire/loop.h"

namespace leat::tools {

struct MockContext {
  const MockOptions& options;
  Loop& loop;
  Scratch& scratch;
  Rng& rng;
  Tally& tally;
};

inline constexpr std::size_t kInputMax = 64u << 20;   // a larger request is no test of anything
inline constexpr std::size_t kUnsentMax = 16 * 1024;  // then streams wait for the client

}  // namespace leat::tools
