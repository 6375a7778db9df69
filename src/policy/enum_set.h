// SPDX-License-Identifier: Apache-2.0
// EnumSet: a set of the values of a small enumeration in one word. A value type without state of
// its own; the enumeration has fewer than 64 values.
#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>

namespace leat::policy {

template <class E>
class EnumSet {
 public:
  constexpr EnumSet() = default;
  constexpr EnumSet(std::initializer_list<E> values) {
    for (const E value : values) add(value);
  }
  static constexpr EnumSet of_bits(std::uint64_t bits) {
    EnumSet set;
    set.bits_ = bits;
    return set;
  }

  constexpr void add(E value) { bits_ |= bit(value); }
  constexpr void remove(E value) { bits_ &= ~bit(value); }
  constexpr bool has(E value) const { return (bits_ & bit(value)) != 0; }
  constexpr bool has_all(EnumSet other) const { return (other.bits_ & ~bits_) == 0; }
  constexpr bool has_any(EnumSet other) const { return (other.bits_ & bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr int count() const { return std::popcount(bits_); }
  constexpr std::uint64_t bits() const { return bits_; }

  constexpr bool operator==(const EnumSet&) const = default;
  constexpr EnumSet operator|(EnumSet other) const { return of_bits(bits_ | other.bits_); }
  constexpr EnumSet operator&(EnumSet other) const { return of_bits(bits_ & other.bits_); }
  constexpr EnumSet operator-(EnumSet other) const { return of_bits(bits_ & ~other.bits_); }

 private:
  static constexpr std::uint64_t bit(E value) {
    return std::uint64_t{1} << static_cast<unsigned>(value);
  }
  std::uint64_t bits_ = 0;
};

}  // namespace leat::policy
