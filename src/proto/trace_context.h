// SPDX-License-Identifier: Apache-2.0
// W3C Trace Context (Recommendation of 23 November 2021): `traceparent` read and written strictly,
// `tracestate` brought within bounds. Pure; a client's bytes in, fixed-size values out.
//
//   traceparent: 00-<32 hex: trace>-<16 hex: span of the caller>-<2 hex: flags>
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace leat::proto {

struct TraceParent {
  static constexpr std::uint8_t kSampled = 0x01;
  static constexpr std::uint8_t kRandomTraceId = 0x02;  // Level 2; kept as it comes
  static constexpr std::size_t kTextBytes = 55;

  std::array<std::uint8_t, 16> trace_id{};  // all 0: there is none
  std::array<std::uint8_t, 8> span_id{};    // of the caller
  std::uint8_t flags = 0;                   // of those above; others are not ours to pass on

  bool is_sampled() const { return (flags & kSampled) != 0; }
  bool operator==(const TraceParent&) const = default;
};

// None: it is not valid (2.2), and the caller begins a trace of its own. Of a version that we do
// not know only the part that version 00 has is read (2.2.4).
std::optional<TraceParent> parse_traceparent(std::string_view text);

// As version 00; the result views `room`.
std::string_view write_traceparent(const TraceParent& parent,
                                   std::span<char, TraceParent::kTextBytes> room);

// Two lower-case digits a byte, into `out`, which has room for them.
void write_hex(std::span<const std::uint8_t> bytes, char* out);

// What of a `tracestate` is passed on: all of it within the 512 bytes and 32 members that everybody
// has to take, else fewer members: those of more than 128 bytes go first, then the rightmost, which
// are the oldest (3.3.1.5). Empty where it is no list of members.
inline constexpr std::size_t kTracestateBytesMax = 512;
inline constexpr std::size_t kTracestateMembersMax = 32;
std::string bounded_tracestate(std::string_view text);

}  // namespace leat::proto
