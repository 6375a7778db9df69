// SPDX-License-Identifier: Apache-2.0
// What request heads and response heads share: limits, the outcome of a parse, and HeadScan, the
// few words that remember how far a growing head was looked at, so that a head trickled byte by
// byte costs no more than twice one that came whole. No I/O, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http_fault.h"

namespace leat::proto {

// What a peer may make us look at. Defaults are those for clients (threats-and-faults 3.3).
struct HeadLimits {
  std::uint32_t head_bytes_max = 32 * 1024;  // from the first byte to the end of the empty line
  std::uint32_t line_bytes_max = 8 * 1024;   // one line without its CRLF
  std::uint32_t fields_max = 100;            // never above FieldList::kFieldsMax
};
// Providers send long cookies and policies that we drop: only the whole is limited.
inline constexpr HeadLimits kResponseHeadLimits{64 * 1024, 64 * 1024, 128};
// FieldList keeps 16-bit offsets.
inline constexpr std::uint32_t kHeadBytesMax = 64 * 1024;

enum class HeadState : std::uint8_t { kNeedMore, kComplete, kFault };

struct HeadStatus {
  HeadState state = HeadState::kNeedMore;
  HttpFault fault = HttpFault::kNone;  // set with kFault
  std::uint32_t head_bytes = 0;        // set with kComplete: the body begins here

  bool complete() const { return state == HeadState::kComplete; }
  bool need_more() const { return state == HeadState::kNeedMore; }
  static HeadStatus need() { return {}; }
  static HeadStatus done(std::size_t bytes) {
    return {HeadState::kComplete, HttpFault::kNone, static_cast<std::uint32_t>(bytes)};
  }
  static HeadStatus bad(HttpFault fault) { return {HeadState::kFault, fault, 0}; }
};

// Progress through a head that has not ended yet. Offsets count from the head's first byte, so the
// bytes may move between two calls.
struct HeadScan {
  std::uint32_t at = 0;          // all before it is known to be free of control bytes but CRLFs
  std::uint32_t line_start = 0;  // of the line that `at` is in
  std::uint32_t lines = 0;       // complete lines so far, start line included
};

}  // namespace leat::proto
