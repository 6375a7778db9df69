// SPDX-License-Identifier: Apache-2.0
#include "dialect/request_headers.h"

#include <immintrin.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace leat::dialect {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Folds eight bytes at a time by a wide multiplication. No defence against made-up collisions:
// whoever makes them shares only conversations of his own account.
class Hash {
 public:
  explicit Hash(std::uint64_t seed) : state_(seed * kOdd + 1) {}

  void add(std::string_view text) {
    std::uint64_t word = 0;
    std::size_t i = 0;
    for (; i + sizeof word <= text.size(); i += sizeof word) {
      std::memcpy(&word, text.data() + i, sizeof word);
      mix(word);
    }
    word = 0;
    if (i < text.size()) std::memcpy(&word, text.data() + i, text.size() - i);
    mix(word);
    mix(text.size());
  }
  std::uint64_t value() const { return state_; }

 private:
  static constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;

  void mix(std::uint64_t word) {
    unsigned long long high = 0;
    const std::uint64_t low = _mulx_u64(state_ ^ word, kOdd, &high);
    state_ = low ^ high ^ (state_ << 7 | state_ >> 57);
  }
  std::uint64_t state_;
};

StickyKey key_of(StickyKind kind, std::string_view first, std::string_view second = {}) {
  Hash hash(static_cast<std::uint64_t>(kind));
  hash.add(first);
  hash.add(second);
  return {kind, hash.value()};
}

}  // namespace

bool wants_router_metadata(std::string_view value) {
  constexpr std::string_view kEnabled = "enabled";
  return std::ranges::equal(trimmed(value), kEnabled, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b;
  });
}

std::uint32_t sdk_retry_count(std::string_view value) {
  value = trimmed(value);
  std::uint32_t count = 0;
  const char* const end = value.data() + value.size();
  const auto [at, error] = std::from_chars(value.data(), end, count);
  return error == std::errc() && at == end ? count : 0;
}

StickyKey sticky_key(const RoutingFields& fields, std::string_view session_header) {
  if (!fields.session_id.empty()) return key_of(StickyKind::kSession, fields.session_id);
  if (!session_header.empty() && session_header.size() <= kSessionIdMax) {
    return key_of(StickyKind::kSession, session_header);
  }
  if (!fields.prompt_cache_key.empty()) {
    return key_of(StickyKind::kCacheKey, fields.prompt_cache_key);
  }
  if (fields.first_other_message.empty()) return {};
  return key_of(StickyKind::kMessages, fields.first_system_message, fields.first_other_message);
}

}  // namespace leat::dialect
