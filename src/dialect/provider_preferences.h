// SPDX-License-Identifier: Apache-2.0
// ProviderPreferences: the `provider` object of a request, every key of openrouter-api.md 2.3, read
// without allocation into a flat record. A key that is not of the table is refused, as by
// OpenRouter (1.1); null means absent. Texts are views of the body or of the caller's FieldTexts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/inline_list.h"
#include "dialect/field_texts.h"
#include "dialect/routing_fault.h"

namespace leat::dialect {

// A longer list than this is a mistake or an attack: OpenRouter itself has fewer than 100
// providers. The bound is on `order`, `only` and `ignore` together.
inline constexpr std::size_t kProviderSlugsMax = 128;
// A slug or a model's name.
inline constexpr std::size_t kSlugBytesMax = 256;

enum class ProviderSort : std::uint8_t { kUnset, kPrice, kThroughput, kLatency, kExacto };
enum class SortPartition : std::uint8_t { kUnset, kModel, kNone };
enum class DataCollection : std::uint8_t { kUnset, kAllow, kDeny };

// IF YOU ADD A VALUE: add its name at the same place in kQuantizations (provider_preferences.cc).
enum class Quantization : std::uint8_t {
  kInt4,
  kInt8,
  kFp4,
  kMxfp4,
  kNvfp4,
  kFp6,
  kFp8,
  kMxfp8,
  kFp16,
  kBf16,
  kFp32,
  kUnknown,
};
inline constexpr std::size_t kQuantizationCount =
    static_cast<std::size_t>(Quantization::kUnknown) + 1;
std::optional<Quantization> find_quantization(std::string_view name);
std::string_view quantization_name(Quantization quantization);

// Cutoffs by percentile; a plain number is p50. Which are set is in `set`, bit by index.
struct PercentileCutoffs {
  enum Index : std::uint8_t { kP50, kP75, kP90, kP99 };
  std::array<double, 4> values{};
  std::uint8_t set = 0;

  bool has(Index index) const { return (set >> index & 1) != 0; }
};

// Nano-dollars for a million tokens (prompt, completion) or for one unit (request, image, audio).
struct PriceCeilings {
  static constexpr std::int64_t kNone = -1;
  std::int64_t prompt = kNone;
  std::int64_t completion = kNone;
  std::int64_t request = kNone;
  std::int64_t image = kNone;
  std::int64_t audio = kNone;

  bool operator==(const PriceCeilings&) const = default;
};

struct ProviderPreferences {
  bool set = false;  // the object is there
  bool allow_fallbacks = true;
  bool require_parameters = false;
  bool zdr = false;
  bool enforce_distillable_text = false;
  DataCollection data_collection = DataCollection::kUnset;
  ProviderSort sort = ProviderSort::kUnset;
  SortPartition partition = SortPartition::kUnset;
  std::uint16_t quantizations = 0;   // a bit for each Quantization named, before fp4 and fp8 widen
  PercentileCutoffs min_throughput;  // tokens a second
  PercentileCutoffs max_latency;     // seconds
  PriceCeilings max_price;

  std::span<const std::string_view> order() const { return list(order_); }
  std::span<const std::string_view> only() const { return list(only_); }
  std::span<const std::string_view> ignore() const { return list(ignore_); }

  struct Range {
    std::uint8_t begin = 0;
    std::uint8_t count = 0;
  };
  std::span<const std::string_view> list(Range range) const {
    return slugs_.values().subspan(range.begin, range.count);
  }
  // Filled by read_provider_preferences().
  Range order_;
  Range only_;
  Range ignore_;
  InlineList<std::string_view, kProviderSlugsMax> slugs_;
};

// Reads the object at `value`. False with `fault` set for an unknown key, a wrong type or value, a
// key that stands twice, too many entries, or a provider that is both wanted and ignored. REQUIRES:
// `value` is an object that JsonScanner accepted; `out` is as constructed.
bool read_provider_preferences(std::string_view value, FieldTexts& texts, ProviderPreferences& out,
                               RoutingFault& fault);

}  // namespace leat::dialect
