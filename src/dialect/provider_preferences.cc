// SPDX-License-Identifier: Apache-2.0
#include "dialect/provider_preferences.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "proto/json_value.h"

namespace leat::dialect {

namespace {

using proto::JsonCursor;

enum class Key : std::uint8_t {
  kOrder,
  kAllowFallbacks,
  kOnly,
  kIgnore,
  kRequireParameters,
  kDataCollection,
  kZdr,
  kEnforceDistillableText,
  kQuantizations,
  kSort,
  kPreferredMinThroughput,
  kPreferredMaxLatency,
  kMaxPrice,
};

struct KeyRow {
  std::string_view name;
  const char* field;  // as a fault names it
};
// In the order of Key.
constexpr KeyRow kKeys[] = {
    {"order", "provider.order"},
    {"allow_fallbacks", "provider.allow_fallbacks"},
    {"only", "provider.only"},
    {"ignore", "provider.ignore"},
    {"require_parameters", "provider.require_parameters"},
    {"data_collection", "provider.data_collection"},
    {"zdr", "provider.zdr"},
    {"enforce_distillable_text", "provider.enforce_distillable_text"},
    {"quantizations", "provider.quantizations"},
    {"sort", "provider.sort"},
    {"preferred_min_throughput", "provider.preferred_min_throughput"},
    {"preferred_max_latency", "provider.preferred_max_latency"},
    {"max_price", "provider.max_price"},
};
static_assert(std::size(kKeys) == static_cast<std::size_t>(Key::kMaxPrice) + 1);

// In the order of Quantization.
constexpr std::string_view kQuantizations[] = {
    "int4", "int8",  "fp4",  "mxfp4", "nvfp4", "fp6",
    "fp8",  "mxfp8", "fp16", "bf16",  "fp32",  "unknown",
};
static_assert(std::size(kQuantizations) == kQuantizationCount);

constexpr KeyRow kPriceKeys[] = {
    {"prompt", "provider.max_price.prompt"},   {"completion", "provider.max_price.completion"},
    {"request", "provider.max_price.request"}, {"image", "provider.max_price.image"},
    {"audio", "provider.max_price.audio"},
};
constexpr std::string_view kSorts[] = {"price", "throughput", "latency", "exacto"};
constexpr std::string_view kPartitions[] = {"model", "none"};
constexpr std::string_view kCollections[] = {"allow", "deny"};
constexpr std::string_view kPercentiles[] = {"p50", "p75", "p90", "p99"};

constexpr int kNotFound = -1;

using WordRoom = std::array<char, 64>;

// The place of a word in a list; `escaped` is what stands between quotes.
template <std::size_t N>
int find_word(std::string_view escaped, const std::string_view (&words)[N]) {
  WordRoom room;
  const std::string_view word = plain_word(escaped, room);
  for (std::size_t i = 0; i < N; ++i) {
    if (word == words[i]) return static_cast<int>(i);
  }
  return kNotFound;
}

template <std::size_t N>
int find_key(std::string_view escaped, const KeyRow (&rows)[N]) {
  WordRoom room;
  const std::string_view word = plain_word(escaped, room);
  for (std::size_t i = 0; i < N; ++i) {
    if (word == rows[i].name) return static_cast<int>(i);
  }
  return kNotFound;
}

// The place of the word that a string value says.
template <std::size_t N>
int find_value(std::string_view value, const std::string_view (&words)[N]) {
  const auto raw = proto::json_raw_string(value);
  return raw ? find_word(*raw, words) : kNotFound;
}

// Over a null, which means absent.
bool skip_null(JsonCursor& at) {
  if (at.peek() != 'n') return false;
  at.skip();
  return true;
}

// Marks a key as seen; false if it was before. Two values for one wish contradict each other.
bool mark(std::uint32_t& seen, int key) {
  const std::uint32_t bit = 1U << key;
  const bool fresh = (seen & bit) == 0;
  seen |= bit;
  return fresh;
}
constexpr char kTwice[] = "a key stands twice";

bool same_slug(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

class Reader {
 public:
  Reader(FieldTexts& texts, ProviderPreferences& out, RoutingFault& fault)
      : texts_(texts), out_(out), fault_(fault) {}

  bool read(std::string_view object) {
    JsonCursor at(object);
    at.enter('{');
    std::uint32_t seen = 0;
    std::string_view name;
    for (bool first = true; at.next_key(first, name);) {
      const int key = find_key(name, kKeys);
      if (key == kNotFound) return fault_.set_unknown("provider", name);
      const char* const field = kKeys[key].field;
      if (!mark(seen, key)) return fault_.set(kTwice, field);
      if (skip_null(at)) continue;
      if (!read_member(static_cast<Key>(key), field, at)) return false;
    }
    return refuse_contradictions();
  }

 private:
  bool read_member(Key key, const char* field, JsonCursor& at) {
    switch (key) {
      case Key::kOrder:
        return read_slugs(field, at, out_.order_);
      case Key::kOnly:
        return read_slugs(field, at, out_.only_);
      case Key::kIgnore:
        return read_slugs(field, at, out_.ignore_);
      case Key::kAllowFallbacks:
        return read_bool(field, at, out_.allow_fallbacks);
      case Key::kRequireParameters:
        return read_bool(field, at, out_.require_parameters);
      case Key::kZdr:
        return read_bool(field, at, out_.zdr);
      case Key::kEnforceDistillableText:
        return read_bool(field, at, out_.enforce_distillable_text);
      case Key::kDataCollection:
        return read_collection(field, at);
      case Key::kQuantizations:
        return read_quantizations(field, at);
      case Key::kSort:
        return read_sort(field, at);
      case Key::kPreferredMinThroughput:
        return read_cutoffs(field, at, out_.min_throughput);
      case Key::kPreferredMaxLatency:
        return read_cutoffs(field, at, out_.max_latency);
      case Key::kMaxPrice:
        return read_prices(field, at);
    }
    return false;
  }

  bool read_bool(const char* field, JsonCursor& at, bool& out) {
    const auto flag = proto::json_bool(at.skip());
    if (!flag) return fault_.set("must be a boolean", field);
    out = *flag;
    return true;
  }

  bool read_slugs(const char* field, JsonCursor& at, ProviderPreferences::Range& out) {
    if (!at.enter('[')) return fault_.set("must be an array of strings", field);
    out.begin = static_cast<std::uint8_t>(out_.slugs_.size());
    std::size_t i = 0;
    for (bool first = true; at.next_element(first); ++i) {
      if (at.peek() != '"') return fault_.set_element("must be a string", field, i);
      if (out_.slugs_.is_full()) return fault_.set_element("too many providers", field, i);
      const auto slug = texts_.take(at.skip(), kSlugBytesMax);
      if (!slug) return fault_.set_element("is too long", field, i);
      if (slug->empty()) return fault_.set_element("must not be empty", field, i);
      out_.slugs_.add(*slug);
      ++out.count;
    }
    return true;
  }

  bool read_collection(const char* field, JsonCursor& at) {
    const int word = find_value(at.skip(), kCollections);
    if (word == kNotFound) return fault_.set("must be allow or deny", field);
    out_.data_collection = static_cast<DataCollection>(word + 1);
    return true;
  }

  bool read_quantizations(const char* field, JsonCursor& at) {
    if (!at.enter('[')) return fault_.set("must be an array of strings", field);
    std::size_t i = 0;
    for (bool first = true; at.next_element(first); ++i) {
      const int word = find_value(at.skip(), kQuantizations);
      if (word == kNotFound) return fault_.set_element("no such quantization", field, i);
      out_.quantizations = static_cast<std::uint16_t>(out_.quantizations | 1U << word);
    }
    return true;
  }

  bool read_sort_word(const char* field, std::string_view value) {
    const int word = find_value(value, kSorts);
    if (word == kNotFound) {
      return fault_.set("must be price, throughput, latency or exacto", field);
    }
    out_.sort = static_cast<ProviderSort>(word + 1);
    return true;
  }

  bool read_sort(const char* field, JsonCursor& at) {
    if (!at.enter('{')) return read_sort_word(field, at.skip());
    std::uint32_t seen = 0;
    std::string_view name;
    for (bool first = true; at.next_key(first, name);) {
      static constexpr std::string_view kNames[] = {"by", "partition"};
      const int key = find_word(name, kNames);
      if (key == kNotFound) return fault_.set_unknown(field, name);
      if (!mark(seen, key)) return fault_.set(kTwice, field);
      if (skip_null(at)) continue;
      if (key == 0) {
        if (!read_sort_word("provider.sort.by", at.skip())) return false;
        continue;
      }
      const int word = find_value(at.skip(), kPartitions);
      if (word == kNotFound) return fault_.set("must be model or none", "provider.sort.partition");
      out_.partition = static_cast<SortPartition>(word + 1);
    }
    return true;
  }

  bool read_cutoff(const char* field, std::string_view value, std::size_t index,
                   PercentileCutoffs& out) {
    const auto number = proto::json_double(value);
    if (!number || *number < 0) return fault_.set("must be a number, 0 or more", field);
    out.values[index] = *number;
    out.set = static_cast<std::uint8_t>(out.set | 1U << index);
    return true;
  }

  bool read_cutoffs(const char* field, JsonCursor& at, PercentileCutoffs& out) {
    if (!at.enter('{')) return read_cutoff(field, at.skip(), PercentileCutoffs::kP50, out);
    std::uint32_t seen = 0;
    std::string_view name;
    for (bool first = true; at.next_key(first, name);) {
      const int key = find_word(name, kPercentiles);
      if (key == kNotFound) return fault_.set_unknown(field, name);
      if (!mark(seen, key)) return fault_.set(kTwice, field);
      if (skip_null(at)) continue;
      if (!read_cutoff(field, at.skip(), static_cast<std::size_t>(key), out)) return false;
    }
    return true;
  }

  // Dollars to nano-dollars. The SDK spells them as strings, the docs as numbers. Ceilings beyond
  // what any price can reach are the same as none, and are cut to what 64 bits hold.
  bool read_price(const char* field, std::string_view value, std::int64_t& out) {
    constexpr double kDollarsMax = 1e9;
    const std::string_view text = proto::json_raw_string(value).value_or(value);
    const auto dollars = proto::json_double(text);
    if (!dollars || *dollars < 0) {
      return fault_.set("must be a price in dollars, 0 or more", field);
    }
    out = std::llround(std::min(*dollars, kDollarsMax) * 1e9);
    return true;
  }

  bool read_prices(const char* field, JsonCursor& at) {
    if (!at.enter('{')) return fault_.set("must be an object", field);
    std::int64_t* const prices[] = {&out_.max_price.prompt, &out_.max_price.completion,
                                    &out_.max_price.request, &out_.max_price.image,
                                    &out_.max_price.audio};
    static_assert(std::size(prices) == std::size(kPriceKeys));
    std::uint32_t seen = 0;
    std::string_view name;
    for (bool first = true; at.next_key(first, name);) {
      const int key = find_key(name, kPriceKeys);
      if (key == kNotFound) return fault_.set_unknown(field, name);
      if (!mark(seen, key)) return fault_.set(kTwice, kPriceKeys[key].field);
      if (skip_null(at)) continue;
      if (!read_price(kPriceKeys[key].field, at.skip(), *prices[key])) return false;
    }
    return true;
  }

  // A provider that is to be used and is not to be used: no reading of it serves the client.
  bool refuse_contradictions() {
    const auto ignored = out_.ignore();
    for (std::size_t i = 0; i < ignored.size(); ++i) {
      const auto is_it = [&](std::string_view slug) { return same_slug(slug, ignored[i]); };
      if (std::ranges::any_of(out_.only(), is_it)) {
        return fault_.set_element("is in provider.only too", "provider.ignore", i);
      }
      if (std::ranges::any_of(out_.order(), is_it)) {
        return fault_.set_element("is in provider.order too", "provider.ignore", i);
      }
    }
    return true;
  }

  FieldTexts& texts_;
  ProviderPreferences& out_;
  RoutingFault& fault_;
};

}  // namespace

std::optional<Quantization> find_quantization(std::string_view name) {
  const auto at = std::ranges::find(kQuantizations, name);
  if (at == std::end(kQuantizations)) return std::nullopt;
  return static_cast<Quantization>(at - std::begin(kQuantizations));
}

std::string_view quantization_name(Quantization quantization) {
  return kQuantizations[static_cast<std::size_t>(quantization)];
}

bool read_provider_preferences(std::string_view value, FieldTexts& texts, ProviderPreferences& out,
                               RoutingFault& fault) {
  out.set = true;
  return Reader(texts, out, fault).read(value);
}

}  // namespace leat::dialect
