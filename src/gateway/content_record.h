// SPDX-License-Identifier: Apache-2.0
// ContentRecord: one request of a key whose content is logged, once it has ended: what was asked
// and what was answered. Made by its shard, not yet redacted, into the shard's ContentRing; read by
// the thread of the content log (control/content_log.h), which alone writes it anywhere. Never a
// header, so never a key.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "base/result.h"
#include "gateway/event_ring.h"

namespace leat::gateway {

struct ContentRecord {
  // JSON, cut to a bound and without media (dialect/content_excerpt.h); empty: it is not logged, or
  // there was none. Valid where the client or the provider wrote valid JSON.
  struct Part {
    std::string_view json;
    bool is_cut = false;
  };

  WallTime began{};
  std::string_view generation_id;
  std::string_view request_id;
  std::string_view key;  // its name or number
  std::string_view api;
  std::string_view model_asked;
  std::string_view model_served;  // empty: nobody served it
  std::string_view provider;
  std::string_view finish_reason;
  std::string_view error_type;
  std::uint16_t status = 0;  // 0: the client left before there was one
  bool is_streamed = false;
  bool is_cancelled = false;
  Part request;
  Part answer;
};

// Writes it at the front of `out`. REQUIRES: `out` has encoded_size() bytes.
std::size_t encoded_size(const ContentRecord& record);
void encode(const ContentRecord& record, std::span<char> out);
// What encode() wrote, in this process; views are of `bytes`. Errors: kInvalid.
Result<ContentRecord> decode_content(std::span<const char> bytes);

// Records of one shard on their way to the log's thread: bounded by bytes, one writer, one reader,
// no lock. What has no room is dropped and counted: no request waits for a log.
class ContentRing {
 public:
  // Enough for some records of the greatest size. REQUIRES: a power of two.
  static constexpr std::size_t kBytes = std::size_t{8} << 20;

  explicit ContentRing(std::size_t bytes = kBytes) : ring_(bytes) {}

  // Writer's side.
  void push(const ContentRecord& record) {
    const std::size_t size = encoded_size(record);
    const std::span<char> room = ring_.reserve(size);
    if (room.empty()) {
      dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return;
    }
    encode(record, room);
    ring_.commit(size);
  }

  // Reader's side: as EventRing::drain().
  template <class Take>
  void drain(Take take) {
    ring_.drain(take);
  }

  // Anybody's.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  EventRing ring_;
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace leat::gateway
