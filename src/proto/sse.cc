// SPDX-License-Identifier: Apache-2.0
#include "proto/sse.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace leat::proto {
namespace {

// The first CR or LF at or after `at`, or `end`.
const char* find_line_end(const char* at, const char* end) {
  while (end - at >= 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i hit = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\n')),
                                        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\r')));
    const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(hit));
    if (mask != 0) return at + std::countr_zero(mask);
    at += 32;
  }
  while (at != end && *at != '\n' && *at != '\r') ++at;
  return at;
}

bool ends_line(char c) {
  return c == '\n' || c == '\r';
}

// Makes `block` hold at least `capacity` bytes, keeping its first `used`.
void reserve(BlockRef& block, std::size_t used, std::size_t capacity) {
  constexpr std::size_t kFirst = 4096;  // most events fit: one allocation a stream
  if (block && block->capacity() >= capacity) return;
  BlockRef larger = Block::allocate(std::max(kFirst, std::bit_ceil(capacity)));
  if (used != 0) std::memcpy(larger->data(), block->data(), used);
  block = std::move(larger);
}

}  // namespace

void SseReader::feed(std::string_view slice) {
  LEAT_CHECK(rest_.empty());
  rest_ = slice;
}

SseNext SseReader::next(SseEvent& event) {
  if (carry_given_) {
    carried_ = 0;
    carry_given_ = false;
  }
  if (too_large_) return SseNext::kTooLarge;
  if (rest_.empty()) return SseNext::kMore;
  std::size_t end = rest_.size();
  const bool found = find_end(rest_, end);
  if (carried_ + end > limits_.event_bytes_max) {
    too_large_ = true;
    return SseNext::kTooLarge;
  }
  std::string_view raw = rest_.substr(0, end);
  rest_.remove_prefix(end);
  if (!found || carried_ != 0) {
    keep(raw);
    raw = {carry_->data(), carried_};
  }
  if (!found) return SseNext::kMore;
  carry_given_ = carried_ != 0;
  parse(raw, event);
  return SseNext::kEvent;
}

bool SseReader::finish(SseEvent& event) {
  if (carry_given_) {
    carried_ = 0;
    carry_given_ = false;
  }
  if (too_large_ || carried_ == 0) return false;
  lines_ = 2;  // the last line has no end: take the way that looks for each
  carry_given_ = true;
  parse({carry_->data(), carried_}, event);
  return event.has_data;
}

// Looks for the blank line that ends an event. Stands between slices at any byte: what it must know
// of the bytes before is whether they end a line, and whether by a CR.
bool SseReader::find_end(std::string_view bytes, std::size_t& end) {
  const char* const begin = bytes.data();
  const char* const stop = begin + bytes.size();
  bool empty_line = at_line_start_;
  bool after_cr = after_cr_;
  for (const char* at = begin;;) {
    const char* hit = find_line_end(at, stop);
    if (hit != at) empty_line = after_cr = false;
    if (hit == stop) break;
    at = hit + 1;
    if (*hit == '\n' && after_cr) {  // the second half of a CRLF
      after_cr = false;
      continue;
    }
    after_cr = *hit == '\r';
    if (!empty_line) {
      ++lines_;
      empty_line = true;
      continue;
    }
    if (after_cr && at != stop && *at == '\n') {
      ++at;
      after_cr = false;
    }
    end = static_cast<std::size_t>(at - begin);
    at_line_start_ = true;
    after_cr_ = after_cr;
    return true;
  }
  at_line_start_ = empty_line;
  after_cr_ = after_cr;
  return false;
}

void SseReader::keep(std::string_view tail) {
  reserve(carry_, carried_, carried_ + tail.size());
  std::memcpy(carry_->data() + carried_, tail.data(), tail.size());
  carried_ += tail.size();
}

void SseReader::parse(std::string_view raw, SseEvent& event) {
  event = SseEvent{.raw = raw};
  const std::uint32_t lines = lines_;
  lines_ = 0;
  const char* at = raw.data();
  const char* const end = at + raw.size();
  if (lines == 1) {
    // The usual event: one line, with its line ends around it.
    const char* last = end;
    while (last != at && ends_line(last[-1])) --last;
    while (at != last && ends_line(*at)) ++at;
    take_line({at, static_cast<std::size_t>(last - at)}, raw.size(), event);
    return;
  }
  while (at != end) {
    const char* stop = find_line_end(at, end);
    // A CRLF makes an empty line here, which says nothing.
    take_line({at, static_cast<std::size_t>(stop - at)}, raw.size(), event);
    at = stop == end ? end : stop + 1;
  }
}

void SseReader::take_line(std::string_view line, std::size_t raw_size, SseEvent& event) {
  if (line.empty()) return;
  if (first_line_) {
    first_line_ = false;
    if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  }
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon, line.size() - 1) + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (event.has_data) return join(value, raw_size, event);
    event.has_data = true;
    event.data = value;
  } else if (field == "event") {
    event.name = value;
  }
}

void SseReader::join(std::string_view value, std::size_t raw_size, SseEvent& event) {
  if (!joined_ || event.data.data() != joined_->data()) {
    reserve(joined_, 0, raw_size);  // joined, they are shorter than the event
    joined_size_ = event.data.size();
    std::memcpy(joined_->data(), event.data.data(), joined_size_);
  }
  joined_->data()[joined_size_++] = '\n';
  std::memcpy(joined_->data() + joined_size_, value.data(), value.size());
  joined_size_ += value.size();
  event.data = {joined_->data(), joined_size_};
}

}  // namespace leat::proto
