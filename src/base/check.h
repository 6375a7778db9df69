// SPDX-License-Identifier: Apache-2.0
// LEAT_CHECK: for our own bugs only; stays on in every build. What a peer sends is never a ground
// for one: bytes from the outside travel as Result (base/result.h).
#pragma once

namespace leat {

// Prints file, line and the condition's text (never any data) to stderr and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* text);

}  // namespace leat

#define LEAT_CHECK(condition)                        \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::leat::check_failed(__FILE__, __LINE__, #condition))

// LEAT_DCHECK: for dear checks; on in debug, sanitizer and simulator builds.
#ifdef LEAT_DCHECKS
#define LEAT_DCHECK(condition) LEAT_CHECK(condition)
#else
#define LEAT_DCHECK(condition) static_cast<void>(sizeof(static_cast<bool>(condition)))
#endif

#define LEAT_UNREACHABLE(why) ::leat::check_failed(__FILE__, __LINE__, why)
