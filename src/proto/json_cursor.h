// SPDX-License-Identifier: Apache-2.0
// JsonCursor: walks JSON text once, forwards, descending where the caller wants to and skipping the
// rest. For events of a few hundred bytes, where the walk must cost about what the bytes cost. Safe
// on any bytes; what it skips is not validated beyond strings and the depth of brackets. A caller
// of ours enters each container at most once and leaves it by letting next_key() or next_element()
// return false.
//
//   JsonCursor at(text);
//   if (!at.enter('{')) return;
//   std::string_view key;
//   for (bool first = true; at.next_key(first, key);) {
//     if (key_is(key, "choices") && at.enter('[')) … else at.skip();
//   }
//   if (!at.ok()) the text was malformed;
#pragma once

#include <immintrin.h>

#include <bit>
#include <cstddef>
#include <string_view>

namespace leat::proto {

// Faster than ==, which calls memcmp with a length that it does not see to be constant.
template <std::size_t N>
inline bool key_is(std::string_view key, const char (&name)[N]) {
  return key.size() == N - 1 && __builtin_memcmp(key.data(), name, N - 1) == 0;
}

// `at` on an opening quote: past the closing one, or null.
inline const char* skip_json_string(const char* at, const char* end) {
  ++at;
  while (end - at >= 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
    const __m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
    const auto mask =
        static_cast<unsigned>(_mm256_movemask_epi8(_mm256_or_si256(quote, backslash)));
    if (mask == 0) {
      at += 32;
      continue;
    }
    at += std::countr_zero(mask);
    if (*at == '"') return at + 1;
    at += 2;
  }
  while (at < end) {
    if (*at == '"') return at + 1;
    at += *at == '\\' ? 2 : 1;
  }
  return nullptr;
}

// Past the object or array that begins at `at`; null if it does not end by `end`.
const char* skip_json_container(const char* at, const char* end);

// Past the value that begins at `at` (no white space before it); null if it does not end by `end`.
inline const char* skip_json_value(const char* at, const char* end) {
  if (at == end) return nullptr;
  if (*at == '"') return skip_json_string(at, end);
  if (*at == '{' || *at == '[') return skip_json_container(at, end);
  const char* begin = at;
  // Numbers and literals: all their bytes, and none that can follow them.
  while (at != end && *at != ',' && *at != '}' && *at != ']' && *at > ' ') ++at;
  return at == begin ? nullptr : at;
}

class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {
    skip_space();
  }

  bool ok() const { return ok_; }
  const char* at() const { return at_; }
  const char* end() const { return end_; }
  // The next byte, or NUL at the end.
  char peek() const { return at_ == end_ ? '\0' : *at_; }

  // Into a container, if one begins here.
  bool enter(char bracket) {
    if (at_ == end_ || *at_ != bracket) return false;
    ++at_;
    skip_space();
    return true;
  }

  // To the next member's value; `key` is still escaped. False past the closing brace, or if
  // malformed.
  bool next_key(bool& first, std::string_view& key) {
    if (!advance(first, '}')) return false;
    if (*at_ != '"') return fail();
    const char* after = skip_json_string(at_, end_);
    if (after == nullptr) return fail();
    key = {at_ + 1, static_cast<std::size_t>(after - at_) - 2};
    at_ = after;
    skip_space();
    if (at_ == end_ || *at_ != ':') return fail();
    ++at_;
    skip_space();
    return true;
  }

  // To the next element. False past the closing bracket, or if malformed.
  bool next_element(bool& first) { return advance(first, ']'); }

  // Over the value that begins here; its text, empty if malformed.
  std::string_view skip() {
    const char* begin = at_;
    const char* after = skip_json_value(at_, end_);
    if (after == nullptr) {
      fail();
      return {};
    }
    at_ = after;
    skip_space();
    return {begin, static_cast<std::size_t>(after - begin)};
  }

 private:
  bool advance(bool& first, char closing) {
    if (!ok_ || at_ == end_) return fail();
    if (*at_ == closing) {
      ++at_;
      skip_space();
      return false;
    }
    if (!first) {
      if (*at_ != ',') return fail();
      ++at_;
      skip_space();
      if (at_ == end_ || *at_ == closing) return fail();
    }
    first = false;
    return true;
  }

  bool fail() {
    ok_ = false;
    at_ = end_;
    return false;
  }
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace leat::proto
