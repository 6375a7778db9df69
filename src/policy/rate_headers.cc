// SPDX-License-Identifier: Apache-2.0
#include "policy/rate_headers.h"

#include <algorithm>
#include <charconv>

namespace leat::policy {
namespace {

constexpr std::string_view kCommonPrefix = "x-ratelimit-";
constexpr std::string_view kAnthropicPrefix = "anthropic-ratelimit-";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::optional<RatePart> part_of(std::string_view word) {
  if (word == "limit") return RatePart::kLimit;
  if (word == "remaining") return RatePart::kRemaining;
  if (word == "reset") return RatePart::kReset;
  return std::nullopt;
}

std::optional<RateHeader> header_of(std::optional<RatePart> part, std::string_view quantity) {
  if (!part) return std::nullopt;
  RateHeader header{.part = *part};
  if (quantity.ends_with("-month") || quantity.ends_with("-day")) {
    header.quantity = RateQuantity::kLong;
    header.window = seconds(86'400);
    return header;
  }
  if (quantity.ends_with("-10-second")) {
    header.window = seconds(10);
  } else if (quantity.ends_with("-second")) {
    header.window = seconds(1);
  } else if (quantity.ends_with("-minute")) {
    header.window = seconds(60);
  }
  // Together's have no word here: they count requests.
  if (quantity.empty() || quantity.starts_with("req")) return header;
  if (quantity == "input-tokens") {
    header.quantity = RateQuantity::kInputTokens;
  } else if (quantity == "output-tokens") {
    header.quantity = RateQuantity::kOutputTokens;
  } else if (quantity == "tokens" || quantity == "tokens-minute") {
    header.quantity = RateQuantity::kTokens;
  } else {
    return std::nullopt;  // images, one query's own cost
  }
  return header;
}

}  // namespace

std::optional<RateHeader> rate_header(std::string_view name) {
  std::array<char, 64> buffer;
  if (name.empty() || name.size() > buffer.size()) return std::nullopt;
  // Of a reply's fields few begin as ours do.
  const char first = lower(name.front());
  if (first != 'r' && first != 'x' && first != 'a') return std::nullopt;
  std::ranges::transform(name, buffer.begin(), lower);
  std::string_view small(buffer.data(), name.size());
  if (small == "retry-after") return RateHeader{.part = RatePart::kRetryAfter};
  if (small == "retry-after-ms") return RateHeader{.part = RatePart::kRetryAfterMs};
  if (small.starts_with(kCommonPrefix)) {
    small.remove_prefix(kCommonPrefix.size());
    const std::size_t dash = std::min(small.find('-'), small.size());
    return header_of(part_of(small.substr(0, dash)),
                     small.substr(std::min(dash + 1, small.size())));
  }
  if (small.starts_with(kAnthropicPrefix)) {
    small.remove_prefix(kAnthropicPrefix.size());
    const std::size_t dash = small.rfind('-');
    if (dash == std::string_view::npos) return std::nullopt;
    return header_of(part_of(small.substr(dash + 1)), small.substr(0, dash));
  }
  return std::nullopt;
}

void RateNotice::note_count(const RateHeader& header, std::string_view value) {
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  std::uint64_t count = 0;
  // What follows the digits is passed over: some say "59.5" of a bucket that refills.
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (error != std::errc{}) return;
  Quantity& quantity = of(header.quantity);
  (header.part == RatePart::kLimit ? quantity.limit : quantity.remaining) = count;
  if (header.window.ns > 0 && !quantity.reset) quantity.reset = header.window;
}

void RateNotice::note_wait(const RateHeader& header, std::optional<Duration> wait) {
  if (!wait || wait->ns < 0) return;
  switch (header.part) {
    case RatePart::kRetryAfterMs:
      retry_after = wait;
      has_retry_after_ms_ = true;
      return;
    case RatePart::kRetryAfter:
      // The finer one wins, in whichever order they come.
      if (!has_retry_after_ms_) retry_after = wait;
      return;
    case RatePart::kReset:
      of(header.quantity).reset = wait;
      return;
    case RatePart::kLimit:
    case RatePart::kRemaining:
      return;
  }
}

}  // namespace leat::policy
