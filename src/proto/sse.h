// SPDX-License-Identifier: Apache-2.0
// SseReader: cuts the bytes of a `text/event-stream` into events (WHATWG HTML, 9.2.6): LF, CRLF and
// CR line ends in any mixture, comments, `data` over several lines, a BOM at the start. One per
// upstream stream, owned by its relay. Events that lie in one slice are views of it; what straddles
// two slices is collected in a buffer that the stream keeps (nothing is allocated while events lie
// within slices).
//
//   reader.feed(slice);
//   while ((got = reader.next(event)) == SseNext::kEvent) forward(event);   // kMore: slice used up
//   at the end of the stream:  if (reader.finish(event)) forward(event);
//
// Views of an event hold until the next call of next(), feed() or finish(); the slice must outlive
// the loop. The concatenation of all `raw` is the stream, byte for byte, but for the second half of
// a CRLF that ends the stream and comes alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/block.h"

namespace leat::proto {

struct SseLimits {
  // One event with all its lines: threats-and-faults.md 3.3, "SSE line".
  std::size_t event_bytes_max = 8U << 20;
};

struct SseEvent {
  std::string_view raw;   // all its bytes, the blank line included
  std::string_view data;  // `data` lines joined by LF; a view into `raw` if there is but one
  std::string_view name;  // of the last `event` line, or empty
  bool has_data = false;  // false: comments, `id`/`retry` lines or stray blank lines only

  bool comment_only() const { return !has_data; }
};

enum class SseNext : std::uint8_t { kEvent, kMore, kTooLarge };

class SseReader {
 public:
  explicit SseReader(const SseLimits& limits = {}) : limits_(limits) {}

  // REQUIRES: next() has returned kMore since the last feed().
  void feed(std::string_view slice);
  // kTooLarge is for good.
  SseNext next(SseEvent& event);
  // The stream has ended: what came after the last blank line, if it has a `data` field. Providers
  // that forget the last blank line exist; whether the data is whole is for the caller to see.
  bool finish(SseEvent& event);

  // Bytes held back because their event is not complete.
  std::size_t pending() const { return carried_ + rest_.size(); }

 private:
  bool find_end(std::string_view bytes, std::size_t& end);
  void keep(std::string_view tail);
  void parse(std::string_view raw, SseEvent& event);
  void take_line(std::string_view line, std::size_t raw_size, SseEvent& event);
  void join(std::string_view value, std::size_t raw_size, SseEvent& event);

  SseLimits limits_;
  std::string_view rest_;    // of the slice: not yet given out
  BlockRef carry_;           // the beginning of an event whose end has not come
  std::size_t carried_ = 0;  // bytes in carry_
  BlockRef joined_;          // `data` of an event with several such lines
  std::size_t joined_size_ = 0;
  std::uint32_t lines_ = 0;    // ended so far in the event being looked for, blank ones not counted
  bool carry_given_ = false;   // the last event was a view of carry_
  bool at_line_start_ = true;  // what was looked at so far ends with a line end, or is nothing
  bool after_cr_ = false;      // … with a CR, whose LF may follow
  bool first_line_ = true;     // a BOM may precede it
  bool too_large_ = false;
};

}  // namespace leat::proto
