// SPDX-License-Identifier: Apache-2.0
// RequestKeys: provider keys that a client sent along with one request (X-Provider-API-Keys: an
// object from a provider's slug to a key). For that request each is what a key of its workspace's
// own is (OwnKeys): a copy of its provider's endpoints, before those and before shared capacity.
// Text and keys lie in one slot of locked memory, which is wiped with this object. Belongs to its
// Exchange; used on its shard's thread.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "policy/catalogue.h"
#include "policy/own_key.h"
#include "tls/secret_slots.h"

namespace leat::gateway {

class RequestKeys {
 public:
  // A client of a hundred providers' keys is none that we know; a head is held for each request.
  static constexpr std::size_t kCountMax = 16;
  static constexpr std::size_t kTextMax = 4096;  // of the header
  static constexpr std::size_t kKeyMin = 8;      // what is shorter is a slip of the hand

  // Of the header's value. Else what is wrong with it: a static text that repeats nothing.
  static std::expected<std::unique_ptr<RequestKeys>, std::string_view> read(
      std::string_view text, tls::SecretSlots& slots);

  // Says whose each of them is. False: one is for a provider that is not in the catalogue.
  bool resolve(const policy::Catalogue& catalogue);
  // Of all, as resolved, in the order of the header; what views this object.
  std::span<const policy::OwnKeyRule> rules() const { return std::span(rules_).first(count_); }
  // None: `id` is not that of a rule.
  std::optional<std::string_view> secret(std::uint32_t id) const;

 private:
  struct Part {
    std::uint16_t begin = 0;
    std::uint16_t size = 0;
  };
  struct Entry {
    Part slug;
    Part key;
  };
  class Reader;

  RequestKeys() = default;
  std::string_view text_of(const Part& part) const {
    return secret_->view().substr(part.begin, part.size);
  }

  tls::SecretRef secret_;  // slugs and keys, one after the other
  std::array<Entry, kCountMax> entries_;
  std::array<policy::OwnKeyRule, kCountMax> rules_;
  std::size_t count_ = 0;
};

}  // namespace leat::gateway
