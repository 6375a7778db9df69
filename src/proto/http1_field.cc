// SPDX-License-Identifier: Apache-2.0
#include "proto/http1_field.h"

#include <cstring>

#include "proto/http1_bytes.h"

namespace leat::proto {
namespace {

constexpr std::array<std::string_view, kKnownFieldCount> kKnownFieldNames = {
    "Host",
    "Connection",
    "Content-Length",
    "Transfer-Encoding",
    "Expect",
    "Content-Type",
    "Content-Encoding",
    "Accept",
    "User-Agent",
    "Origin",
    "Authorization",
    "X-Api-Key",
    "X-Provider-Api-Keys",
    "HTTP-Referer",
    "X-Title",
    "X-OpenRouter-Title",
    "X-OpenRouter-Categories",
    "X-OpenRouter-Metadata",
    "X-OpenRouter-Cache",
    "X-OpenRouter-Cache-TTL",
    "X-OpenRouter-Cache-Clear",
    "X-Session-Id",
    "X-Leat-Max-Hold-Ms",
    "X-Anthropic-Beta",
    "Anthropic-Beta",
    "Anthropic-Version",
    "OpenAI-Beta",
    "Idempotency-Key",
    "X-Stainless-Retry-Count",
    "Traceparent",
    "Tracestate",
    "X-Request-Id",
    "Retry-After",
    "Retry-After-Ms",
    "X-Should-Retry",
    "Location",
};
constexpr std::size_t kNameBytesMin = 4;
constexpr std::size_t kNameBytesMax = 32;

// The known names in lower case, in a table that a name's length and three of its bytes index
// without collision. The multiplier that makes it so is found by the compiler.
struct Slot {
  std::array<char, kNameBytesMax> lower{};
  std::uint8_t size = 0;  // 0: no name hashes to this slot
  KnownField field = KnownField::kNotKnown;
};
constexpr std::size_t kSlots = 256;  // the eight upper bits of a product

constexpr std::size_t slot_of(std::string_view name, std::uint32_t multiplier) {
  const auto byte = [name](std::size_t at) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(name[at]) | 0x20);
  };
  const std::size_t size = name.size();
  const std::uint32_t key = byte(size / 2) | byte(size - 2) << 8 | byte(size - 1) << 16 |
                            static_cast<std::uint32_t>(size) << 24;
  return key * multiplier >> 24;
}

constexpr bool without_collision(std::uint32_t multiplier) {
  std::array<bool, kSlots> used{};
  for (const std::string_view name : kKnownFieldNames) {
    bool& slot = used[slot_of(name, multiplier)];
    if (slot) return false;
    slot = true;
  }
  return true;
}

constexpr std::uint32_t find_multiplier() {
  std::uint32_t multiplier = 0x9e3779b1;  // any odd start will do
  for (int tries = 0; tries < 2000; ++tries, multiplier = multiplier * 747796405u + 2891336454u) {
    if (without_collision(multiplier | 1)) return multiplier | 1;
  }
  return 0;
}
constexpr std::uint32_t kMultiplier = find_multiplier();
static_assert(kMultiplier != 0, "no collision-free table: widen it");

constexpr std::array<Slot, kSlots> make_slots() {
  std::array<Slot, kSlots> slots{};
  for (std::size_t i = 0; i < kKnownFieldNames.size(); ++i) {
    const std::string_view name = kKnownFieldNames[i];
    Slot& slot = slots[slot_of(name, kMultiplier)];
    slot.size = static_cast<std::uint8_t>(name.size());
    slot.field = static_cast<KnownField>(i);
    for (std::size_t at = 0; at < name.size(); ++at) {
      const char c = name[at];
      slot.lower[at] = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    }
  }
  return slots;
}
constexpr std::array<Slot, kSlots> kSlotTable = make_slots();

constexpr bool names_fit() {
  for (const std::string_view name : kKnownFieldNames) {
    if (name.size() < kNameBytesMin || name.size() > kNameBytesMax) return false;
  }
  return true;
}
static_assert(names_fit());

template <class Word>
bool same_word(const char* name, const char* lower, Word case_bits) {
  Word a, b;
  std::memcpy(&a, name, sizeof a);
  std::memcpy(&b, lower, sizeof b);
  return (a | case_bits) == b;
}

// Setting bit 5 folds the case of letters and changes other bytes as well; among the bytes of a
// token none becomes a letter, a digit or '-' by it, so for known names the comparison is exact.
bool same_name(std::string_view name, const Slot& slot) {
  constexpr std::uint64_t kBits8 = 0x2020202020202020;
  constexpr std::uint32_t kBits4 = 0x20202020;
  const std::size_t size = name.size();
  if (size != slot.size) return false;
  if (size < 8) {
    return same_word(name.data(), slot.lower.data(), kBits4) &&
           same_word(name.data() + size - 4, slot.lower.data() + size - 4, kBits4);
  }
  for (std::size_t at = 0; at + 8 < size; at += 8) {
    if (!same_word(name.data() + at, slot.lower.data() + at, kBits8)) return false;
  }
  return same_word(name.data() + size - 8, slot.lower.data() + size - 8, kBits8);
}

}  // namespace

std::string_view known_field_name(KnownField field) {
  LEAT_CHECK(field < KnownField::kNotKnown);
  return kKnownFieldNames[static_cast<std::size_t>(field)];
}

KnownField find_known_field(std::string_view name) {
  if (name.size() < kNameBytesMin || name.size() > kNameBytesMax) return KnownField::kNotKnown;
  const Slot& slot = kSlotTable[slot_of(name, kMultiplier)];
  return same_name(name, slot) ? slot.field : KnownField::kNotKnown;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

std::string_view FieldList::find(std::string_view name) const {
  for (const Field field : *this) {
    if (equal_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

}  // namespace leat::proto
