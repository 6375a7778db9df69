// SPDX-License-Identifier: Apache-2.0
#include "app/huge_pages.h"

#include <sys/prctl.h>

#ifdef LEAT_MIMALLOC
#include <mimalloc.h>
#endif

namespace leat::app {

void ask_for_huge_pages(HugePages wish) {
  if (wish == HugePages::kOff) prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
#ifdef LEAT_MIMALLOC
  // Pools, blocks and tables of all shards come from there; reserved pages first, then transparent.
  if (wish != HugePages::kOn) return;
#if MI_MALLOC_VERSION < 300
  mi_option_set(mi_option_large_os_pages, 1);
  mi_option_set(mi_option_eager_commit_delay, 0);  // also for the first that a thread takes
#else
  mi_option_set(mi_option_allow_large_os_pages, 1);
#endif
#endif
}

io::HugePages pages_of_rings(HugePages wish) {
  switch (wish) {
    case HugePages::kAuto:
      return io::HugePages::kTransparent;
    case HugePages::kOn:
      return io::HugePages::kReserved;
    case HugePages::kOff:
      break;
  }
  return io::HugePages::kUnasked;
}

}  // namespace leat::app
