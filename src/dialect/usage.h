// SPDX-License-Identifier: Apache-2.0
// ChatUsage: what a provider says it counted, in one spelling (provider-formats.md section 4).
// Values and pure functions; knows no prices.
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::proto {
class JsonWriter;
}

namespace leat::dialect {

// Tokens; kAbsent where the provider said nothing (an explicit 0 is not absent). All classes are
// parts of `prompt` or `completion`, whatever the provider's own custom: what it counts beside
// them was added. Kept in 32 bits, since every event of a stream carries one.
struct ChatUsage {
  static constexpr std::int32_t kAbsent = -1;
  // More tokens than any model has ever been given; a larger number is no count.
  static constexpr std::int32_t kCountMax = 1'000'000'000;

  std::int32_t prompt = kAbsent;
  std::int32_t completion = kAbsent;
  std::int32_t total = kAbsent;
  // Of the prompt.
  std::int32_t cached = kAbsent;          // read from the provider's cache
  std::int32_t cached_audio = kAbsent;    // of those and of prompt_audio
  std::int32_t cache_write = kAbsent;     // written to it
  std::int32_t cache_write_1h = kAbsent;  // of those, for an hour
  std::int32_t prompt_audio = kAbsent;
  std::int32_t prompt_image = kAbsent;
  std::int32_t prompt_video = kAbsent;
  // Of the completion.
  std::int32_t reasoning = kAbsent;
  std::int32_t completion_audio = kAbsent;
  std::int32_t completion_image = kAbsent;
  std::int32_t accepted_prediction = kAbsent;
  std::int32_t rejected_prediction = kAbsent;

  std::int32_t web_searches = kAbsent;  // not tokens
  // What the provider says that it charges, in nano-dollars.
  std::int64_t provider_cost = kAbsent;

  bool present() const { return prompt != kAbsent || completion != kAbsent || total != kAbsent; }
  // Takes what a later event of the same stream says. Counts are cumulative, so the later one
  // stands; what it leaves out, or says to be nothing at all, does not undo the earlier one.
  void update(const ChatUsage& later);
  bool operator==(const ChatUsage&) const = default;
};

// Makes each part no more than its whole.
void bound_parts(ChatUsage& usage);

// What two answers took together; what one of them did not say is the other's alone.
ChatUsage sum(const ChatUsage& a, const ChatUsage& b);

// Reads a `usage` object of any chat dialect. Fractions are rounded up; what is negative or beyond
// kCountMax is absent; a part is never more than its whole. All absent if `value` is no object.
ChatUsage read_usage(std::string_view value);

// llama.cpp's `timings`, for answers that have no usage.
ChatUsage read_timings(std::string_view value);

// The usage in the last bytes of an answer that was not kept whole, which may begin anywhere; all
// absent if it is not there. What an answer says of usage in its words does not count.
ChatUsage usage_at_end(std::string_view tail);

// What we add to the provider's counts. Nano-dollars; kUnpriced leaves the field out.
struct UsageCost {
  static constexpr std::int64_t kUnpriced = -1;
  std::int64_t total = kUnpriced;
  // `cost_details` goes out whole or not at all (openrouter-api.md 6.3).
  std::int64_t upstream_prompt = kUnpriced;
  std::int64_t upstream_completion = kUnpriced;
  // What the provider bills the owner of the key that was used; null unless that is the client.
  std::int64_t upstream_total = kUnpriced;
  bool is_byok = false;

  bool is_priced() const { return total != kUnpriced; }
};

// Writes the object of openrouter-api.md 4.4. Detail objects that would be empty are left out,
// since @openrouter/ai-sdk-provider demands their members.
void write_usage(const ChatUsage& usage, const UsageCost& cost, proto::JsonWriter& out);

// The text of an answer or event as it is, but for its `usage`: what the provider says of cost
// gives way to ours, and a usage that stands elsewhere than at the top is written there too. For
// the OpenAI face when the client asked. `usage`: what was read of the same text. False, and `out`
// as it was: not an object, or no room; the text and kUsageBytesMax is room enough.
inline constexpr std::size_t kUsageBytesMax = 1'024;
bool write_with_cost(std::string_view text, const ChatUsage& usage, const UsageCost& cost,
                     proto::JsonWriter& out);

}  // namespace leat::dialect
