// SPDX-License-Identifier: Apache-2.0
#include "dialect/usage.h"

#include <algorithm>
#include <cmath>

#include "proto/json_value.h"
#include "proto/json_writer.h"

namespace leat::dialect {

namespace {

using proto::JsonCursor;
using proto::JsonWriter;
using proto::key_is;

constexpr double kNanoPerDollar = 1e9;
constexpr double kNanoPerTick = 0.1;  // xAI's cost_in_usd_ticks: 1e-10 dollars
// A provider that charges more for one answer is not believed.
constexpr double kCostMax = 1e15;  // a million dollars

// A count of tokens; absent if it is none. Some providers send fractions.
std::int32_t read_count(std::string_view value) {
  if (const auto whole = proto::json_integer(value, 0, ChatUsage::kCountMax)) {
    return static_cast<std::int32_t>(*whole);
  }
  const auto number = proto::json_double(value);
  if (!number || !(*number >= 0 && *number <= ChatUsage::kCountMax)) return ChatUsage::kAbsent;
  return static_cast<std::int32_t>(std::ceil(*number));
}

void set_if_present(std::int32_t& field, std::string_view value) {
  const std::int32_t count = read_count(value);
  if (count != ChatUsage::kAbsent) field = count;
}

void set_if_first(std::int32_t& field, std::string_view value) {
  if (field == ChatUsage::kAbsent) set_if_present(field, value);
}

void read_cost(std::string_view value, double nano_per_unit, ChatUsage& usage) {
  const auto number = proto::json_double(value);
  if (!number) return;
  const double nano = *number * nano_per_unit;
  if (nano >= 0 && nano <= kCostMax) usage.provider_cost = std::llround(nano);
}

// Perplexity itemises; the sum is among the items.
void read_cost_object(JsonCursor& at, ChatUsage& usage) {
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    if (key_is(key, "total_cost")) read_cost(value, kNanoPerDollar, usage);
  }
}

void read_prompt_details(JsonCursor& at, ChatUsage& usage) {
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    if (key_is(key, "cached_tokens_details") && at.peek() == '{') {
      const auto audio = proto::json_find(at.skip(), "audio_tokens");
      if (audio) set_if_present(usage.cached_audio, *audio);
      continue;
    }
    const std::string_view value = at.skip();
    if (key_is(key, "cached_tokens")) {
      set_if_present(usage.cached, value);
    } else if (key_is(key, "cache_write_tokens") || key_is(key, "cache_creation_tokens")) {
      set_if_present(usage.cache_write, value);
    } else if (key_is(key, "audio_tokens")) {
      set_if_present(usage.prompt_audio, value);
    } else if (key_is(key, "image_tokens")) {
      set_if_present(usage.prompt_image, value);
    } else if (key_is(key, "video_tokens")) {
      set_if_present(usage.prompt_video, value);
    }
  }
}

void read_completion_details(JsonCursor& at, ChatUsage& usage) {
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    if (key_is(key, "reasoning_tokens")) {
      set_if_present(usage.reasoning, value);
    } else if (key_is(key, "audio_tokens")) {
      set_if_present(usage.completion_audio, value);
    } else if (key_is(key, "image_tokens")) {
      set_if_present(usage.completion_image, value);
    } else if (key_is(key, "accepted_prediction_tokens")) {
      set_if_present(usage.accepted_prediction, value);
    } else if (key_is(key, "rejected_prediction_tokens")) {
      set_if_present(usage.rejected_prediction, value);
    }
  }
}

// Objects within the usage. False: `key` is none of them, and its value is still to be read.
bool read_object(std::string_view key, JsonCursor& at, ChatUsage& usage) {
  if (at.peek() != '{') return false;
  if (key_is(key, "prompt_tokens_details") || key_is(key, "input_tokens_details")) {
    at.enter('{');
    read_prompt_details(at, usage);
  } else if (key_is(key, "completion_tokens_details") || key_is(key, "output_tokens_details")) {
    at.enter('{');
    read_completion_details(at, usage);
  } else if (key_is(key, "cost")) {
    at.enter('{');
    read_cost_object(at, usage);
  } else if (key_is(key, "cache_creation")) {
    const auto hour = proto::json_find(at.skip(), "ephemeral_1h_input_tokens");
    if (hour) set_if_present(usage.cache_write_1h, *hour);
  } else if (key_is(key, "server_tool_use") || key_is(key, "server_tool_use_details")) {
    const auto searches = proto::json_find(at.skip(), "web_search_requests");
    if (searches) set_if_present(usage.web_searches, *searches);
  } else {
    return false;
  }
  return true;
}

// What tells providers that count the cache beside the prompt.
struct Spelling {
  bool native_cache = false;  // Anthropic's names, which never include it
  bool native_prompt = false;
};

void read_member(std::string_view key, JsonCursor& at, ChatUsage& usage, Spelling& spelling) {
  if (read_object(key, at, usage)) return;
  const std::string_view value = at.skip();
  if (key_is(key, "prompt_tokens")) {
    set_if_present(usage.prompt, value);
  } else if (key_is(key, "completion_tokens")) {
    set_if_present(usage.completion, value);
  } else if (key_is(key, "total_tokens")) {
    set_if_present(usage.total, value);
  } else if (key_is(key, "input_tokens")) {
    spelling.native_prompt = usage.prompt == ChatUsage::kAbsent;
    set_if_first(usage.prompt, value);
  } else if (key_is(key, "output_tokens")) {
    set_if_first(usage.completion, value);
  } else if (key_is(key, "prompt_cache_hit_tokens") || key_is(key, "cached_tokens") ||
             key_is(key, "num_cached_tokens")) {
    // DeepSeek, Moonshot, Mistral; the details object wins where both stand.
    set_if_first(usage.cached, value);
  } else if (key_is(key, "cache_read_input_tokens")) {
    spelling.native_cache = true;
    set_if_first(usage.cached, value);
  } else if (key_is(key, "cache_creation_input_tokens")) {
    spelling.native_cache = true;
    set_if_first(usage.cache_write, value);
  } else if (key_is(key, "reasoning_tokens")) {
    set_if_first(usage.reasoning, value);  // DeepSeek on Azure, Perplexity
  } else if (key_is(key, "num_search_queries")) {
    set_if_first(usage.web_searches, value);  // Perplexity
  } else if (key_is(key, "cost") || key_is(key, "estimated_cost")) {
    read_cost(value, kNanoPerDollar, usage);  // OpenRouter, DeepInfra
  } else if (key_is(key, "cost_in_usd_ticks")) {
    read_cost(value, kNanoPerTick, usage);  // xAI
  }
}

std::int64_t or_zero(std::int32_t count) {
  return std::max(count, 0);
}

std::int32_t clamped(std::int64_t count) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(count, 0, ChatUsage::kCountMax));
}

// What stands beside the prompt or the completion is added to it. The total says so where it is
// exactly the sum of all; else a part that is more than its whole can only stand beside it.
void add_what_stands_beside(ChatUsage& usage, Spelling spelling) {
  const std::int64_t cache = or_zero(usage.cached) + or_zero(usage.cache_write);
  const std::int64_t reasoning = or_zero(usage.reasoning);
  bool cache_beside = spelling.native_prompt && spelling.native_cache;
  bool reasoning_beside = false;
  const std::int64_t sum = or_zero(usage.prompt) + or_zero(usage.completion);
  if (usage.prompt >= 0 && usage.completion >= 0 && usage.total > sum) {
    const std::int64_t rest = usage.total - sum;
    // xAI: 291 + 26 + 196 = 513 (provider-formats.md 1b).
    reasoning_beside = rest == reasoning || rest == reasoning + cache;
    // Where it could be either it is reasoning: xAI's cache is within the prompt.
    const bool is_cache = rest == cache && !reasoning_beside;
    cache_beside = cache_beside || is_cache || rest == reasoning + cache;
    // Rest that nothing explains was thought in silence (Gemini's OpenAI face).
    if (reasoning == 0 && !cache_beside) {
      usage.reasoning = clamped(rest);
      usage.completion = clamped(usage.completion + rest);
    }
  }
  if (usage.prompt >= 0 && (cache_beside || cache > usage.prompt)) {
    usage.prompt = clamped(usage.prompt + cache);
  }
  if (usage.completion >= 0 && (reasoning_beside || reasoning > usage.completion)) {
    usage.completion = clamped(usage.completion + reasoning);
  }
}

void fill_from_total(ChatUsage& usage) {
  if (usage.prompt < 0 && usage.completion >= 0 && usage.total >= usage.completion) {
    usage.prompt = usage.total - usage.completion;
  } else if (usage.completion < 0 && usage.prompt >= 0 && usage.total >= usage.prompt) {
    usage.completion = usage.total - usage.prompt;
  }
}

void bound(std::int32_t& part, std::int64_t whole) {
  if (part > whole) part = clamped(whole);
}

void take(std::int32_t& field, std::int32_t later) {
  if (later != ChatUsage::kAbsent) field = later;
}

// A member of a details object after its first, if there is such a count.
void write_detail(std::string_view name, std::int32_t count, JsonWriter& out) {
  if (count < 0) return;
  out.raw(",\"");
  out.raw(name);
  out.raw("\":");
  out.integer(count);
}

void write_details(const ChatUsage& usage, JsonWriter& out) {
  if (usage.cached >= 0 || usage.cache_write >= 0 || usage.prompt_audio >= 0 ||
      usage.prompt_image >= 0 || usage.prompt_video >= 0) {
    out.raw(",\"prompt_tokens_details\":{\"cached_tokens\":");
    out.integer(or_zero(usage.cached));
    write_detail("cache_write_tokens", usage.cache_write, out);
    write_detail("audio_tokens", usage.prompt_audio, out);
    write_detail("image_tokens", usage.prompt_image, out);
    write_detail("video_tokens", usage.prompt_video, out);
    out.raw("}");
  }
  if (usage.reasoning >= 0 || usage.completion_audio >= 0 || usage.completion_image >= 0 ||
      usage.accepted_prediction >= 0 || usage.rejected_prediction >= 0) {
    out.raw(",\"completion_tokens_details\":{\"reasoning_tokens\":");
    out.integer(or_zero(usage.reasoning));
    write_detail("audio_tokens", usage.completion_audio, out);
    write_detail("image_tokens", usage.completion_image, out);
    write_detail("accepted_prediction_tokens", usage.accepted_prediction, out);
    write_detail("rejected_prediction_tokens", usage.rejected_prediction, out);
    out.raw("}");
  }
  if (usage.web_searches > 0) {
    out.raw(",\"server_tool_use_details\":{\"web_search_requests\":");
    out.integer(usage.web_searches);
    out.raw("}");
  }
}

// `,"cost":…` and what belongs to it.
void write_cost(const UsageCost& cost, JsonWriter& out) {
  if (!cost.is_priced()) return;
  out.raw(",\"cost\":");
  out.dollars(cost.total);
  out.raw(cost.is_byok ? ",\"is_byok\":true" : ",\"is_byok\":false");
  if (cost.upstream_prompt == UsageCost::kUnpriced ||
      cost.upstream_completion == UsageCost::kUnpriced) {
    return;
  }
  out.raw(",\"cost_details\":{\"upstream_inference_cost\":");
  if (cost.upstream_total == UsageCost::kUnpriced) {
    out.raw("null");
  } else {
    out.dollars(cost.upstream_total);
  }
  out.raw(",\"upstream_inference_prompt_cost\":");
  out.dollars(cost.upstream_prompt);
  out.raw(",\"upstream_inference_completions_cost\":");
  out.dollars(cost.upstream_completion);
  out.raw("}");
}

bool is_cost(std::string_view key) {
  return key_is(key, "cost") || key_is(key, "cost_details") || key_is(key, "is_byok");
}

// The provider's own object with our cost in place of its: whoever we ask may be a gateway too.
void write_object_with_cost(std::string_view object, const UsageCost& cost, JsonWriter& out) {
  JsonCursor at(object);
  at.enter('{');
  out.raw("{");
  bool any = false;
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    if (is_cost(key)) continue;
    out.raw(any ? ",\"" : "\"");
    out.raw(key);
    out.raw("\":");
    out.raw(value);
    any = true;
  }
  if (!any) out.raw("\"prompt_tokens\":0");
  write_cost(cost, out);
  out.raw("}");
}

// All that is counted.
constexpr std::int32_t ChatUsage::*kCounts[] = {
    &ChatUsage::prompt,           &ChatUsage::completion,          &ChatUsage::total,
    &ChatUsage::cached,           &ChatUsage::cached_audio,        &ChatUsage::cache_write,
    &ChatUsage::cache_write_1h,   &ChatUsage::prompt_audio,        &ChatUsage::prompt_image,
    &ChatUsage::prompt_video,     &ChatUsage::reasoning,           &ChatUsage::completion_audio,
    &ChatUsage::completion_image, &ChatUsage::accepted_prediction, &ChatUsage::rejected_prediction,
    &ChatUsage::web_searches,
};

}  // namespace

void bound_parts(ChatUsage& usage) {
  const std::int64_t prompt = or_zero(usage.prompt);
  bound(usage.cached, prompt);
  bound(usage.cache_write, prompt - or_zero(usage.cached));
  bound(usage.cache_write_1h, or_zero(usage.cache_write));
  bound(usage.prompt_audio, prompt);
  bound(usage.prompt_image, prompt - or_zero(usage.prompt_audio));
  bound(usage.prompt_video, prompt - or_zero(usage.prompt_audio) - or_zero(usage.prompt_image));
  bound(usage.cached_audio, std::min(or_zero(usage.cached), or_zero(usage.prompt_audio)));
  if (usage.completion < 0) return;
  bound(usage.reasoning, usage.completion);
  const std::int64_t said = usage.completion - or_zero(usage.reasoning);
  bound(usage.completion_audio, said);
  bound(usage.completion_image, said - or_zero(usage.completion_audio));
  bound(usage.accepted_prediction, usage.completion);
  bound(usage.rejected_prediction, usage.completion);
}

void ChatUsage::update(const ChatUsage& later) {
  const bool says_nothing = later.prompt <= 0 && later.completion <= 0 && later.total <= 0;
  if (says_nothing && present()) return;
  for (const auto count : kCounts) take(this->*count, later.*count);
  if (later.provider_cost != kAbsent) provider_cost = later.provider_cost;
  bound_parts(*this);
  if (total >= 0) total = std::max(total, clamped(or_zero(prompt) + or_zero(completion)));
}

ChatUsage read_usage(std::string_view value) {
  ChatUsage usage;
  JsonCursor at(value);
  if (!at.enter('{')) return usage;
  Spelling spelling;
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) read_member(key, at, usage, spelling);
  if (!at.ok()) return {};
  fill_from_total(usage);
  add_what_stands_beside(usage, spelling);
  bound_parts(usage);
  if (usage.total >= 0) {
    usage.total = std::max(usage.total, clamped(or_zero(usage.prompt) + or_zero(usage.completion)));
  }
  return usage;
}

ChatUsage read_timings(std::string_view value) {
  ChatUsage usage;
  JsonCursor at(value);
  if (!at.enter('{')) return usage;
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view count = at.skip();
    if (key_is(key, "prompt_n")) set_if_present(usage.prompt, count);
    if (key_is(key, "predicted_n")) set_if_present(usage.completion, count);
    if (key_is(key, "cache_n")) set_if_present(usage.cached, count);
  }
  if (!at.ok()) return {};
  // What came from the cache was not processed, and is not in prompt_n.
  if (usage.prompt >= 0) usage.prompt = clamped(usage.prompt + or_zero(usage.cached));
  return usage;
}

ChatUsage usage_at_end(std::string_view tail) {
  // In a string its quotes would have backslashes before them.
  constexpr std::string_view kKey = "\"usage\"";
  for (std::size_t at = tail.rfind(kKey); at != tail.npos; at = tail.rfind(kKey)) {
    std::string_view value = tail.substr(at + kKey.size());
    tail = tail.substr(0, at);
    const std::size_t brace = value.find_first_not_of(" \t\r\n:");
    if (brace == value.npos) continue;
    const ChatUsage usage = read_usage(value.substr(brace));
    if (usage.present()) return usage;
  }
  return {};
}

ChatUsage sum(const ChatUsage& a, const ChatUsage& b) {
  if (!a.present()) return b;
  if (!b.present()) return a;
  ChatUsage both = a;
  for (const auto count : kCounts) {
    if (b.*count == ChatUsage::kAbsent) continue;
    both.*count = clamped(std::int64_t{or_zero(a.*count)} + b.*count);
  }
  if (b.provider_cost != ChatUsage::kAbsent) {
    both.provider_cost = std::max<std::int64_t>(a.provider_cost, 0) + b.provider_cost;
  }
  // One total alone would be less than its parts.
  if (a.total == ChatUsage::kAbsent || b.total == ChatUsage::kAbsent) {
    both.total = ChatUsage::kAbsent;
  }
  return both;
}

void write_usage(const ChatUsage& usage, const UsageCost& cost, JsonWriter& out) {
  const std::int64_t prompt = or_zero(usage.prompt);
  const std::int64_t completion = or_zero(usage.completion);
  out.raw("{\"prompt_tokens\":");
  out.integer(prompt);
  out.raw(",\"completion_tokens\":");
  out.integer(completion);
  out.raw(",\"total_tokens\":");
  out.integer(usage.total >= 0 ? usage.total : prompt + completion);
  write_details(usage, out);
  write_cost(cost, out);
  out.raw("}");
}

bool write_with_cost(std::string_view text, const ChatUsage& usage, const UsageCost& cost,
                     JsonWriter& out) {
  const std::size_t before = out.size();
  JsonCursor at(text);
  if (!at.enter('{')) return false;
  const char* from = text.data();
  const char* last = from;  // behind the last member
  bool found = false;
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    last = value.data() + value.size();
    if (!key_is(key, "usage") || value.empty()) continue;
    out.raw({from, static_cast<std::size_t>(value.data() - from)});
    if (value.front() == '{') {
      write_object_with_cost(value, cost, out);
    } else {
      write_usage(usage, cost, out);
    }
    from = last;
    found = true;
  }
  if (at.ok() && !found) {
    out.raw({from, static_cast<std::size_t>(last - from)});
    out.raw(",\"usage\":");
    write_usage(usage, cost, out);
    from = last;
  }
  if (at.ok()) out.raw({from, static_cast<std::size_t>(text.data() + text.size() - from)});
  if (at.ok() && !out.overflowed()) return true;
  out.rewind(before);
  return false;
}

}  // namespace leat::dialect
