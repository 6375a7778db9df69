// SPDX-License-Identifier: Apache-2.0
// What server.huge_pages means for this process.
#pragma once

#include "io/mapping.h"
#include "leat/options.h"

namespace leat::app {

// For what the allocator takes from now on, and for what the kernel gives of itself. Before there
// are threads.
void ask_for_huge_pages(HugePages wish);

// For the memory that a shard's ring receives into.
io::HugePages pages_of_rings(HugePages wish);

}  // namespace leat::app
