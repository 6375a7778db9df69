// SPDX-License-Identifier: Apache-2.0
// The first byte of the input steers the cuts, the rest is the stream. Whole and cut, the reader
// must find the same events with data; no view reaches outside what it was given.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "proto/sse.h"

namespace {

std::vector<std::string> read(std::string_view stream, std::uint64_t seed) {
  leat::Rng rng(seed);
  leat::proto::SseReader reader(leat::proto::SseLimits{64 * 1024});
  leat::proto::SseEvent event;
  std::vector<std::string> events;
  const auto note = [&] {
    LEAT_CHECK(event.data.size() <= event.raw.size());
    if (event.has_data) events.push_back(std::string(event.name) + "|" + std::string(event.data));
  };
  while (!stream.empty()) {
    const std::size_t size = seed == 0 ? stream.size() : rng.below(stream.size()) / 4 + 1;
    const std::vector<char> slice(stream.begin(),
                                  stream.begin() + static_cast<std::ptrdiff_t>(size));
    stream.remove_prefix(size);
    reader.feed({slice.data(), slice.size()});
    leat::proto::SseNext next;
    while ((next = reader.next(event)) == leat::proto::SseNext::kEvent) note();
    if (next == leat::proto::SseNext::kTooLarge) return events;
  }
  if (reader.finish(event)) note();
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  LEAT_CHECK(read(stream, 0) == read(stream, data[0] + 1u));
  return 0;
}
