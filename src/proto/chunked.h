// SPDX-License-Identifier: Apache-2.0
// ChunkedDecoder: takes the chunked framing (RFC 9112 7.1) off a body, in place. 8 bytes of plain
// state, resumable at any byte; payload comes back as views into the caller's bytes, one view per
// contiguous run. It never copies, never allocates and never limits the body's length.
//
//   std::string_view in = slice;
//   for (;;) {
//     auto step = decoder.next(in);             // takes what it used off the front of `in`
//     if (step.kind != ChunkStep::Kind::kData) break;
//     use(step.data);
//   }
//
// Strict: size is 1 to 8 hex digits and nothing else, lines end in CRLF. Extensions and trailers
// are checked for form, counted against kExtrasBytesMax, and dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http_fault.h"

namespace leat::proto {

struct ChunkStep {
  enum class Kind : std::uint8_t {
    kData,      // `data` is payload, never empty
    kNeedMore,  // all of `in` is used, the body goes on
    kEnd,       // the body has ended; what is left in `in` is not ours
    kFault,     // the framing is broken; the connection cannot be used any more
  };
  Kind kind = Kind::kNeedMore;
  HttpFault fault = HttpFault::kNone;
  std::string_view data;
};

class ChunkedDecoder {
 public:
  // Extensions and trailers of one body together (threats-and-faults 3.4).
  static constexpr std::size_t kExtrasBytesMax = 1024;
  // Digits of a chunk size; 4 GiB is more than any body limit.
  static constexpr int kSizeDigitsMax = 8;

  // kEnd and kFault are final: every later call says the same and uses nothing.
  ChunkStep next(std::string_view& in);

  bool ended() const { return state_ == State::kEnded; }

 private:
  //  kSize -> (kExtension) -> kSizeLf -> kData -> kDataCr -> kDataLf -> kSize
  //                              | size 0
  //                              v
  //            kTrailerStart -> kTrailerName -> kTrailerValue -> kTrailerLf -> kTrailerStart
  //                  '-> kLastLf -> kEnded                        any -> kFaulty
  enum class State : std::uint8_t {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,  // from here on: trailer_byte()
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kLastLf,
    kEnded,  // from here on: final
    kFaulty,
  };

  bool read_whole_size_line(std::string_view& in);
  ChunkStep take_data(std::string_view& in);
  void begin_size();
  HttpFault framing_byte(unsigned char byte);
  HttpFault trailer_byte(unsigned char byte);
  HttpFault count_extra();
  ChunkStep fail_with(HttpFault fault);

  std::uint32_t left_ = 0;    // of the size line: value so far; of the data: bytes to come
  std::uint16_t extras_ = 0;  // bytes of extensions and trailers; when kFaulty: the fault
  std::uint8_t digits_ = 0;   // of the size line so far
  State state_ = State::kSize;
};
static_assert(sizeof(ChunkedDecoder) == 8);

}  // namespace leat::proto
