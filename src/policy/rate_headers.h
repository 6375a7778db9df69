// SPDX-License-Identifier: Apache-2.0
// RateNotice: what one reply said of limits, from `Retry-After`, `x-ratelimit-*` and
// `anthropic-ratelimit-*` under every name that providers use (provider-formats.md 3.5). Which
// header it is, is known here; how waits are spelled is known to dialect/wait_time.h, whose result
// comes in as a Duration. A header that is not understood is passed over: none is worth a failed
// request.
//
//   for each header: if (const auto header = rate_header(name)) {
//     header->is_wait() ? notice.note_wait(*header, <read_wait_ms>) : notice.note_count(*header,
//     value)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/instant.h"

namespace leat::policy {

// kLong: a day's or a month's worth.
enum class RateQuantity : std::uint8_t { kRequests, kTokens, kInputTokens, kOutputTokens, kLong };
inline constexpr std::size_t kRateQuantities = 5;

enum class RatePart : std::uint8_t { kLimit, kRemaining, kReset, kRetryAfter, kRetryAfterMs };

struct RateHeader {
  RatePart part = RatePart::kLimit;
  RateQuantity quantity = RateQuantity::kRequests;  // of no meaning for the last two parts
  // Where the name says how long its window is: a reset is never later. 0: it does not say.
  Duration window{0};

  // Its value is a wait (kRetryAfterMs: in milliseconds, whatever it looks like), else a count.
  bool is_wait() const { return part >= RatePart::kReset; }
};

// Which of them a header is; the name in any case.
std::optional<RateHeader> rate_header(std::string_view name);

struct RateNotice {
  struct Quantity {
    std::optional<std::uint64_t> limit;
    std::optional<std::uint64_t> remaining;
    std::optional<Duration> reset;
  };

  void note_count(const RateHeader& header, std::string_view value);
  // wait: from now; nothing where the value could not be read.
  void note_wait(const RateHeader& header, std::optional<Duration> wait);

  Quantity& of(RateQuantity q) { return quantities[static_cast<std::size_t>(q)]; }

  // Also set by the caller where a body says it (Gemini's RetryInfo.retryDelay).
  std::optional<Duration> retry_after;
  std::array<Quantity, kRateQuantities> quantities;

 private:
  bool has_retry_after_ms_ = false;
};

}  // namespace leat::policy
