// SPDX-License-Identifier: Apache-2.0
// The inside of JSON strings, where nearly all bytes of a prompt are: passes what needs no thought,
// 64 bytes at a time with AVX-512, 32 with AVX2. Pure functions; nothing beyond `end` is read.
#pragma once

namespace leat::proto {

// The escapes of one character (RFC 8259 section 7): all but \u.
bool is_short_escape(char c);

// The first place at or after `at` that the scanner must look at itself: a quote, a control
// character, a \u escape, one that is unknown or that `end` cuts; or `end`. Short escapes are
// passed; `escaped` is set if there were any. What is beyond ASCII is passed, too (see utf8.h).
// REQUIRES: `at` is not within an escape.
const char* string_stop(const char* at, const char* end, bool& escaped);

}  // namespace leat::proto
