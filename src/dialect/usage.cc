// SPDX-License-Identifier: Apache-2.0
#include "dialect/usage.h"

#include <cmath>

#include "proto/json_value.h"
#include "proto/json_writer.h"

namespace leat::dialect {

namespace {

using proto::JsonCursor;
using proto::key_is;

constexpr std::int64_t kCountMax = std::int64_t{1} << 53;

// A count of tokens; absent if it is none. Some providers send fractions.
std::int64_t read_count(std::string_view value) {
  if (const auto whole = proto::json_integer(value, 0, kCountMax)) return *whole;
  const auto number = proto::json_double(value);
  if (!number || *number < 0 || *number > static_cast<double>(kCountMax)) {
    return ChatUsage::kAbsent;
  }
  return static_cast<std::int64_t>(std::ceil(*number));
}

void set_if_present(std::int64_t& field, std::string_view value) {
  const std::int64_t count = read_count(value);
  if (count != ChatUsage::kAbsent) field = count;
}

void read_prompt_details(JsonCursor& at, ChatUsage& usage) {
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    if (key_is(key, "cached_tokens")) set_if_present(usage.cached, value);
    if (key_is(key, "cache_write_tokens")) set_if_present(usage.cache_write, value);
  }
}

void read_completion_details(JsonCursor& at, ChatUsage& usage) {
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    if (key_is(key, "reasoning_tokens")) set_if_present(usage.reasoning, value);
  }
}

void read_member(std::string_view key, JsonCursor& at, ChatUsage& usage) {
  const bool prompt_details =
      key_is(key, "prompt_tokens_details") || key_is(key, "input_tokens_details");
  const bool completion_details =
      key_is(key, "completion_tokens_details") || key_is(key, "output_tokens_details");
  if (prompt_details && at.enter('{')) return read_prompt_details(at, usage);
  if (completion_details && at.enter('{')) return read_completion_details(at, usage);
  const std::string_view value = at.skip();
  if (key_is(key, "prompt_tokens") || key_is(key, "input_tokens")) {
    set_if_present(usage.prompt, value);
  } else if (key_is(key, "completion_tokens") || key_is(key, "output_tokens")) {
    set_if_present(usage.completion, value);
  } else if (key_is(key, "total_tokens")) {
    set_if_present(usage.total, value);
  } else if (key_is(key, "prompt_cache_hit_tokens") || key_is(key, "cached_tokens") ||
             key_is(key, "num_cached_tokens")) {
    // DeepSeek, Moonshot, Mistral; the details object wins where both stand.
    if (usage.cached == ChatUsage::kAbsent) set_if_present(usage.cached, value);
  } else if (key_is(key, "reasoning_tokens")) {
    // DeepSeek on Azure.
    if (usage.reasoning == ChatUsage::kAbsent) set_if_present(usage.reasoning, value);
  }
}

}  // namespace

ChatUsage read_usage(std::string_view value) {
  ChatUsage usage;
  JsonCursor at(value);
  if (!at.enter('{')) return usage;
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) read_member(key, at, usage);
  if (!at.ok()) return {};
  // xAI counts reasoning beside the completion: 291 + 26 + 196 = 513 (provider-formats.md 1b).
  if (usage.prompt >= 0 && usage.completion >= 0 && usage.reasoning > 0 &&
      usage.prompt + usage.completion + usage.reasoning == usage.total) {
    usage.completion += usage.reasoning;
  }
  return usage;
}

void write_usage(const ChatUsage& usage, const UsageCost& cost, proto::JsonWriter& out) {
  const auto or_zero = [](std::int64_t count) { return count < 0 ? 0 : count; };
  const std::int64_t prompt = or_zero(usage.prompt);
  const std::int64_t completion = or_zero(usage.completion);
  out.raw("{\"prompt_tokens\":");
  out.integer(prompt);
  out.raw(",\"completion_tokens\":");
  out.integer(completion);
  out.raw(",\"total_tokens\":");
  out.integer(usage.total >= 0 ? usage.total : prompt + completion);
  if (usage.cached >= 0 || usage.cache_write >= 0) {
    out.raw(",\"prompt_tokens_details\":{\"cached_tokens\":");
    out.integer(or_zero(usage.cached));
    if (usage.cache_write >= 0) {
      out.raw(",\"cache_write_tokens\":");
      out.integer(usage.cache_write);
    }
    out.raw("}");
  }
  if (usage.reasoning >= 0) {
    out.raw(",\"completion_tokens_details\":{\"reasoning_tokens\":");
    out.integer(usage.reasoning);
    out.raw("}");
  }
  if (cost.total != UsageCost::kUnpriced) {
    out.raw(",\"cost\":");
    out.dollars(cost.total);
    out.raw(cost.is_byok ? ",\"is_byok\":true" : ",\"is_byok\":false");
  }
  if (cost.upstream_prompt != UsageCost::kUnpriced &&
      cost.upstream_completion != UsageCost::kUnpriced) {
    out.raw(
        ",\"cost_details\":{\"upstream_inference_cost\":null,\"upstream_inference_prompt_cost\":");
    out.dollars(cost.upstream_prompt);
    out.raw(",\"upstream_inference_completions_cost\":");
    out.dollars(cost.upstream_completion);
    out.raw("}");
  }
  out.raw("}");
}

}  // namespace leat::dialect
