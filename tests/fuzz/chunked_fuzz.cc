// SPDX-License-Identifier: Apache-2.0
// The first byte of the input steers the cuts, the rest is the body. Decoded whole, cut at
// pseudo-random places and byte by byte, it must give the same payload, the same end and the same
// fault; payload never exceeds the input, and the unread rest is the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/rng.h"
#include "proto/chunked.h"

namespace {

using leat::proto::ChunkedDecoder;
using leat::proto::ChunkStep;
using leat::proto::HttpFault;

struct Outcome {
  std::string payload;
  ChunkStep::Kind kind = ChunkStep::Kind::kNeedMore;
  HttpFault fault = HttpFault::kNone;
  std::size_t rest = 0;  // bytes after the end
  bool operator==(const Outcome&) const = default;
};

// Gives the body in slices of `next_size()` bytes.
template <class NextSize>
Outcome decode(std::string_view body, NextSize next_size) {
  Outcome outcome;
  ChunkedDecoder decoder;
  while (!body.empty() && outcome.kind == ChunkStep::Kind::kNeedMore) {
    std::string_view slice = body.substr(0, next_size());
    body.remove_prefix(slice.size());
    for (;;) {
      const ChunkStep step = decoder.next(slice);
      outcome.kind = step.kind;
      outcome.fault = step.fault;
      if (step.kind != ChunkStep::Kind::kData) break;
      LEAT_CHECK(!step.data.empty());
      outcome.payload += step.data;
    }
    if (outcome.kind == ChunkStep::Kind::kNeedMore) LEAT_CHECK(slice.empty());
    if (outcome.kind == ChunkStep::Kind::kEnd) outcome.rest = slice.size() + body.size();
  }
  LEAT_CHECK(decoder.ended() == (outcome.kind == ChunkStep::Kind::kEnd));
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = decode(body, [&] { return body.size(); });
  LEAT_CHECK(whole.payload.size() <= body.size());
  LEAT_CHECK(decode(body, [] { return 1; }) == whole);
  leat::Rng rng(data[0]);
  LEAT_CHECK(decode(body, [&] { return 1 + rng.below(16); }) == whole);
  return 0;
}
