// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace leat {

void check_failed(const char* file, int line, const char* text) {
  std::fprintf(stderr, "leat: check failed at %s:%d: %s\n", file, line, text);
  std::abort();
}

}  // namespace leat
