// SPDX-License-Identifier: Apache-2.0
// Fields of an HTTP/1.1 head: names that we act on (KnownField), and FieldList, which keeps up to
// kFieldsMax of them in place, as offsets into the caller's bytes. It never allocates, never
// copies a value, and is valid only while the bytes that were parsed stay where they are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

namespace leat::proto {

// A field as it stood in the head: value without the white space around it.
struct Field {
  std::string_view name;
  std::string_view value;
};

// Names the gateway, the dialects or the codec itself act on. Matched without regard to case.
// IF YOU ADD A VALUE: add its name to kKnownFieldNames in http1_field.cc, in the same order.
enum class KnownField : std::uint8_t {
  kHost,
  kConnection,
  kContentLength,
  kTransferEncoding,
  kExpect,
  kContentType,
  kContentEncoding,
  kAccept,
  kUserAgent,
  kOrigin,
  kAuthorization,
  kXApiKey,
  kXProviderApiKeys,
  kHttpReferer,
  kXTitle,
  kXOpenrouterTitle,
  kXOpenrouterCategories,
  kXOpenrouterMetadata,
  kXOpenrouterCache,
  kXOpenrouterCacheTtl,
  kXOpenrouterCacheClear,
  kXSessionId,
  kXLeatMaxHoldMs,
  kXAnthropicBeta,
  kAnthropicBeta,
  kAnthropicVersion,
  kOpenaiBeta,
  kIdempotencyKey,
  kXStainlessRetryCount,
  kTraceparent,
  kTracestate,
  kXRequestId,
  kRetryAfter,
  kRetryAfterMs,
  kXShouldRetry,
  kLocation,
  kNotKnown,  // keep last
};
inline constexpr std::size_t kKnownFieldCount = static_cast<std::size_t>(KnownField::kNotKnown);

// The canonical spelling, as we write it. REQUIRES: not kNotKnown.
std::string_view known_field_name(KnownField field);
// REQUIRES: `name` is a token (RFC 9110 5.6.2).
KnownField find_known_field(std::string_view name);
// Equality without regard to the case of ASCII letters.
bool equal_ignoring_case(std::string_view a, std::string_view b);

class FieldList {
 public:
  // Room for the request's limit (100) and for the most talkative providers.
  static constexpr std::size_t kFieldsMax = 128;

  class Iterator {
   public:
    Iterator(const FieldList* list, std::size_t index) : list_(list), index_(index) {}
    Field operator*() const { return (*list_)[index_]; }
    Iterator& operator++() { return ++index_, *this; }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const FieldList* list_;
    std::size_t index_;
  };

  std::size_t size() const { return size_; }
  Field operator[](std::size_t index) const {
    LEAT_CHECK(index < size_);
    const Place& p = places_[index];
    return {{base_ + p.name_at, p.name_size}, {base_ + p.value_at, p.value_size}};
  }
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size_}; }

  // The first field of that name; empty when there is none (has() tells the two apart).
  std::string_view get(KnownField field) const {
    const std::uint8_t at = first_[static_cast<std::size_t>(field)];
    return at == 0 ? std::string_view() : (*this)[at - 1].value;
  }
  bool has(KnownField field) const { return first_[static_cast<std::size_t>(field)] != 0; }
  // Any name, by a walk over all fields; for the rare ones.
  std::string_view find(std::string_view name) const;

  // For the parsers: empties the list; later offsets count from `base`.
  void start(const char* base) {
    base_ = base;
    size_ = 0;
    first_ = {};
  }
  // REQUIRES: size() < kFieldsMax, and both views lie within 64 KiB of the base.
  void add(KnownField known, std::string_view name, std::string_view value) {
    LEAT_CHECK(size_ < kFieldsMax);
    const auto offset = [this](std::string_view text) {
      return static_cast<std::uint16_t>(text.data() - base_);
    };
    places_[size_++] = {offset(name), static_cast<std::uint16_t>(name.size()), offset(value),
                        static_cast<std::uint16_t>(value.size())};
    std::uint8_t& first = first_[static_cast<std::size_t>(known)];
    if (first == 0 && known != KnownField::kNotKnown) first = static_cast<std::uint8_t>(size_);
  }

 private:
  struct Place {
    std::uint16_t name_at, name_size, value_at, value_size;
  };
  const char* base_ = nullptr;
  std::size_t size_ = 0;
  std::array<std::uint8_t, kKnownFieldCount + 1> first_{};  // 1 + index of the first of that name
  std::array<Place, kFieldsMax> places_;                    // beyond size_: never read
};

}  // namespace leat::proto
