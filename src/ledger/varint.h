// SPDX-License-Identifier: Apache-2.0
// VarintWriter and VarintReader: integers of seven bits a byte (LEB128), and bytes with their size
// in front. The reader never goes beyond its bytes: what is malformed makes it fail for good, and
// every later read gives nothing. For records, and for what is made of them (control/usage_book.h).
#pragma once

#include <algorithm>
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
  explicit VarintWriter(std::span<char> out) : out_(out) {}

  void number(std::uint64_t value) {
    LEAT_CHECK(out_.size() - size_ >= kVarintBytesMax);
    for (; value >= 0x80; value >>= 7) out_[size_++] = static_cast<char>(value | 0x80);
    out_[size_++] = static_cast<char>(value);
  }
  void signed_number(std::int64_t value) {
    number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void bytes(std::string_view value) {
    number(value.size());
    LEAT_CHECK(out_.size() - size_ >= value.size());
    std::copy(value.begin(), value.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += value.size();
  }
  // A section whose size is known when it ends: `write` fills it. Two bytes of size.
  template <class Write>
  void section(Write write) {
    LEAT_CHECK(out_.size() - size_ >= kVarintBytesMax);
    const std::size_t head = size_;
    size_ += 2;
    write(*this);
    const std::size_t size = size_ - head - 2;
    LEAT_CHECK(size < 1U << 14);
    out_[head] = static_cast<char>(size | 0x80);
    out_[head + 1] = static_cast<char>(size >> 7);
  }
  std::size_t size() const { return size_; }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
};

class VarintReader {
 public:
  explicit VarintReader(std::string_view in) : in_(in) {}

  bool ok() const { return ok_; }
  bool at_end() const { return in_.empty(); }

  std::uint64_t number() {
    // Most are small: half of what a record takes to read.
    if (!in_.empty() && static_cast<std::uint8_t>(in_.front()) < 0x80) {
      const auto small = static_cast<std::uint8_t>(in_.front());
      in_.remove_prefix(1);
      return small;
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) break;
      const auto byte = static_cast<std::uint8_t>(in_.front());
      // The tenth byte holds one bit; a last byte of 0 would be a second spelling.
      if ((shift == 63 && byte > 1) || (byte == 0 && shift > 0 && !is_padded_)) break;
      in_.remove_prefix(1);
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
    if (!ok_ || size > in_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = in_.substr(0, size);
    in_.remove_prefix(size);
    return taken;
  }
  std::uint64_t fail() {
    ok_ = false;
    in_ = {};
    return 0;
  }

  std::string_view in_;
  bool ok_ = true;
  bool is_padded_ = false;
};

}  // namespace leat::ledger
