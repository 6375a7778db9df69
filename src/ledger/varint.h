// SPDX-License-Identifier: Apache-2.0
// VarintWriter and VarintReader: integers of seven bits a byte (LEB128), and bytes with their size
// in front. The reader never goes beyond its bytes: what is malformed makes it fail for good, and
// every later read gives nothing. For records, and for what is made of them (control/usage_book.h).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/check.h"

namespace leat::ledger {

inline constexpr std::size_t kVarintBytesMax = 10;

class VarintWriter {
 public:
  // REQUIRES: `out` holds all that is written.
  explicit VarintWriter(std::span<char> out)
      : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  void number(std::uint64_t value) {
    LEAT_CHECK(room() >= kVarintBytesMax);
    for (; value >= 0x80; value >>= 7) *at_++ = static_cast<char>(value | 0x80);
    *at_++ = static_cast<char>(value);
  }
  void signed_number(std::int64_t value) {
    number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void bytes(std::string_view value) {
    number(value.size());
    LEAT_CHECK(room() >= value.size());
    copy(value);
    at_ += value.size();
  }
  // A section whose size is known when it ends: `write` fills it. Two bytes of size.
  template <class Write>
  void section(Write write) {
    LEAT_CHECK(room() >= kVarintBytesMax);
    char* const head = at_;
    at_ += 2;
    write(*this);
    const auto size = static_cast<std::size_t>(at_ - head) - 2;
    LEAT_CHECK(size < 1U << 14);
    head[0] = static_cast<char>(size | 0x80);
    head[1] = static_cast<char>(size >> 7);
  }
  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  std::size_t room() const { return static_cast<std::size_t>(end_ - at_); }
  // A record has twenty texts, most of them of 4 to 32 bytes: two overlapping words each are a
  // third of what a call of memcpy() takes.
  void copy(std::string_view value) {
    const std::size_t size = value.size();
    if (size >= 16 && size <= 32) {
      copy_ends<16>(value);
    } else if (size >= 8 && size < 16) {
      copy_ends<8>(value);
    } else if (size >= 4 && size < 8) {
      copy_ends<4>(value);
    } else if (size > 0) {
      std::memcpy(at_, value.data(), size);
    }
  }
  template <std::size_t kBytes>
  void copy_ends(std::string_view value) {
    std::memcpy(at_, value.data(), kBytes);
    const std::size_t last = value.size() - kBytes;
    std::memcpy(at_ + last, value.data() + last, kBytes);
  }

  char* begin_;
  char* at_;
  char* end_;
};

class VarintReader {
 public:
  explicit VarintReader(std::string_view in) : at_(in.data()), end_(in.data() + in.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == end_; }

  std::uint64_t number() {
    // Most are small: half of what a record takes to read.
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) {
      return static_cast<std::uint8_t>(*at_++);
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) break;
      const auto byte = static_cast<std::uint8_t>(*at_);
      // The tenth byte holds one bit; a last byte of 0 would be a second spelling.
      if ((shift == 63 && byte > 1) || (byte == 0 && shift > 0 && !is_padded_)) break;
      ++at_;
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    return fail();
  }
  std::int64_t signed_number() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  std::string_view bytes() { return take(number()); }
  std::string_view section() {
    is_padded_ = true;  // its size takes two bytes, whatever it is
    const std::uint64_t size = number();
    is_padded_ = false;
    return take(size);
  }
  // For fields that an older writer did not know: 0 at the end, but not in the middle.
  std::uint64_t number_or_zero() { return at_end() ? 0 : number(); }
  std::int64_t signed_or_zero() { return at_end() ? 0 : signed_number(); }

 private:
  std::string_view take(std::uint64_t size) {
    if (!ok_ || size > static_cast<std::size_t>(end_ - at_)) {
      fail();
      return {};
    }
    const std::string_view taken(at_, size);
    at_ += size;
    return taken;
  }
  std::uint64_t fail() {
    ok_ = false;
    at_ = end_;
    return 0;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
  bool is_padded_ = false;
};

}  // namespace leat::ledger
