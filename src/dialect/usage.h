// SPDX-License-Identifier: Apache-2.0
// ChatUsage: what a provider says it counted, in one spelling (provider-formats.md section 4).
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::proto {
class JsonWriter;
}

namespace leat::dialect {

// Tokens; kAbsent where the provider said nothing (an explicit 0 is not absent). `cached` and
// `cache_write` are within `prompt`; `reasoning` is within `completion` (xAI counts it beside:
// added).
struct ChatUsage {
  static constexpr std::int64_t kAbsent = -1;
  std::int64_t prompt = kAbsent;
  std::int64_t completion = kAbsent;
  std::int64_t total = kAbsent;
  std::int64_t cached = kAbsent;
  std::int64_t cache_write = kAbsent;
  std::int64_t reasoning = kAbsent;

  bool present() const { return prompt != kAbsent || completion != kAbsent || total != kAbsent; }
  bool operator==(const ChatUsage&) const = default;
};

// Reads a `usage` object of any chat dialect. Fractions are rounded up; what is negative or beyond
// 2^53 is absent. All absent if `value` is no object.
ChatUsage read_usage(std::string_view value);

// What we add to the provider's counts. Nano-dollars; kUnpriced leaves the field out.
struct UsageCost {
  static constexpr std::int64_t kUnpriced = -1;
  std::int64_t total = kUnpriced;
  // `cost_details` goes out whole or not at all (openrouter-api.md 6.3).
  std::int64_t upstream_prompt = kUnpriced;
  std::int64_t upstream_completion = kUnpriced;
  bool is_byok = false;
};

// Writes the object of openrouter-api.md 4.4. Detail objects that would be empty are left out,
// since
// @openrouter/ai-sdk-provider demands their members.
void write_usage(const ChatUsage& usage, const UsageCost& cost, proto::JsonWriter& out);

}  // namespace leat::dialect
