// SPDX-License-Identifier: Apache-2.0
#include "gateway/request_keys.h"

#include <string.h>

#include <algorithm>
#include <cstring>

#include "gateway/own_keys.h"
#include "proto/json_value.h"

namespace leat::gateway {

namespace {

static_assert(RequestKeys::kTextMax * 2 <= tls::SecretSlots::kSecretMax);
static_assert(RequestKeys::kCountMax <= policy::kOwnKeysMax &&
              kRequestKeyIds + RequestKeys::kCountMax > kRequestKeyIds);

constexpr std::string_view kNotAnObject =
    "`X-Provider-API-Keys` must be a JSON object from a provider's slug to a key.";
constexpr std::string_view kNotPlain =
    "A key in `X-Provider-API-Keys` must be a text of 8 bytes or more of visible ASCII; keys that "
    "are objects are not served here.";
constexpr std::string_view kTwice = "`X-Provider-API-Keys` names a provider twice.";
constexpr std::string_view kTooMany = "`X-Provider-API-Keys` must have 1 to 16 keys.";
constexpr std::string_view kTooLong = "`X-Provider-API-Keys` must be of 4,096 bytes at most.";

// It becomes part of a header field; and Azure's, Bedrock's and Vertex's, which are JSON, are for
// providers that nobody here speaks to.
bool is_plain_key(std::string_view key) {
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  return key.size() >= RequestKeys::kKeyMin && std::ranges::all_of(key, is_visible) &&
         key.front() != '{' && key.front() != '[';
}

}  // namespace

// Puts what the header says into locked memory, without a copy elsewhere.
class RequestKeys::Reader {
 public:
  explicit Reader(std::span<char> room) : room_(room) {}
  ~Reader() { explicit_bzero(room_.data(), room_.size()); }

  // What is wrong, or empty.
  std::string_view read(std::string_view text, RequestKeys& keys) {
    proto::JsonCursor at(text);
    if (!at.enter('{')) return kNotAnObject;
    std::string_view name;
    for (bool first = true; at.next_key(first, name);) {
      const std::string_view value = at.skip();
      if (!at.ok()) return kNotAnObject;
      if (keys.count_ == kCountMax) return kTooMany;
      Entry& entry = keys.entries_[keys.count_];
      if (!take({name.data() - 1, name.size() + 2}, entry.slug)) return kNotAnObject;
      if (!take(value, entry.key) || !is_plain_key(text_of(entry.key))) return kNotPlain;
      for (const Entry& other : std::span(keys.entries_).first(keys.count_)) {
        if (text_of(other.slug) == text_of(entry.slug)) return kTwice;
      }
      ++keys.count_;
    }
    if (!at.ok() || at.at() != at.end()) return kNotAnObject;
    return keys.count_ == 0 ? kTooMany : std::string_view();
  }
  std::size_t size() const { return size_; }

 private:
  // What a JSON string says, after what was taken before. False: it is none.
  bool take(std::string_view value, Part& part) {
    const std::span<char> rest = room_.subspan(size_);
    const auto said = proto::json_string(value, rest);
    if (!said || said->size() > rest.size()) return false;
    if (said->data() != rest.data()) std::memcpy(rest.data(), said->data(), said->size());
    part = {static_cast<std::uint16_t>(size_), static_cast<std::uint16_t>(said->size())};
    size_ += said->size();
    return true;
  }
  std::string_view text_of(const Part& part) const {
    return {room_.data() + part.begin, part.size};
  }

  std::span<char> room_;
  std::size_t size_ = 0;
};

std::expected<std::unique_ptr<RequestKeys>, std::string_view> RequestKeys::read(
    std::string_view text, tls::SecretSlots& slots) {
  if (text.size() > kTextMax) return std::unexpected(kTooLong);
  std::unique_ptr<RequestKeys> keys(new RequestKeys);
  Reader reader(slots.scratch());
  if (const auto fault = reader.read(text, *keys); !fault.empty()) return std::unexpected(fault);
  keys->secret_ = slots.put_written(reader.size());
  return keys;
}

bool RequestKeys::resolve(const policy::Catalogue& catalogue) {
  for (std::size_t i = 0; i < count_; ++i) {
    rules_[i] = {.id = kRequestKeyIds + static_cast<std::uint32_t>(i),
                 .provider = catalogue.find_slug(text_of(entries_[i].slug)).provider,
                 .models = UINT32_MAX};
    if (rules_[i].provider == policy::kNoId) return false;
  }
  return true;
}

std::optional<std::string_view> RequestKeys::secret(std::uint32_t id) const {
  if (!is_request_key(id) || id - kRequestKeyIds >= count_) return std::nullopt;
  return text_of(entries_[id - kRequestKeyIds].key);
}

}  // namespace leat::gateway
