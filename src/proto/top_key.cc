// SPDX-License-Identifier: Apache-2.0
#include "proto/top_key.h"

#include <array>

namespace leat::proto {
namespace {

constexpr std::array<std::string_view, kTopKeyCount> kTopKeyNames = {
    "model",
    "models",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "best_of",
    "user",
    "provider",
    "route",
    "plugins",
    "transforms",
    "usage",
    "preset",
    "tools",
    "tool_choice",
    "functions",
    "service_tier",
    "temperature",
    "top_p",
    "session_id",
    "prompt_cache_key",
    "metadata",
    "debug",
    "trace",
    "reasoning",
    "reasoning_effort",
    "include_reasoning",
    "cache_control",
    "messages",
    "prompt",
    "input",
    "response_format",
    "store",
    "modalities",
    "audio",
    "logprobs",
    "top_logprobs",
    "web_search_options",
    "image_config",
    "max_output_tokens",
    "max_tool_calls",
    "prediction",
    "seed",
    "stop",
    "structured_outputs",
    "parallel_tool_calls",
    "logit_bias",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "top_k",
    "top_a",
    "min_p",
    "verbosity",
    "encoding_format",
    "dimensions",
};

constexpr std::size_t kSlots = 256;  // a quarter full: an unknown name meets an empty slot at once
constexpr std::uint8_t kEmpty = 0xff;

// Length and three bytes tell the names well apart; collisions go to the next slot.
constexpr std::size_t slot_of(std::string_view name) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(name[i]); };
  const std::size_t last = name.size() - 1;
  return (name.size() * 37 + byte(0) * 5 + byte(last) * 19 + byte(last / 2) * 73) % kSlots;
}

constexpr std::array<std::uint8_t, kSlots> make_slots() {
  std::array<std::uint8_t, kSlots> slots{};
  for (auto& slot : slots) slot = kEmpty;
  for (std::size_t key = 0; key < kTopKeyCount; ++key) {
    std::size_t slot = slot_of(kTopKeyNames[key]);
    while (slots[slot] != kEmpty) slot = (slot + 1) % kSlots;
    slots[slot] = static_cast<std::uint8_t>(key);
  }
  return slots;
}
constexpr std::array<std::uint8_t, kSlots> kTable = make_slots();

constexpr bool names_fit() {
  for (std::string_view name : kTopKeyNames) {
    if (name.empty() || name.size() > kTopKeySizeMax) return false;
  }
  return true;
}
static_assert(names_fit(), "every TopKey has a name within kTopKeySizeMax");

}  // namespace

std::string_view top_key_name(TopKey key) {
  return kTopKeyNames[static_cast<std::size_t>(key)];
}

std::optional<TopKey> find_top_key(std::string_view name) {
  if (name.empty() || name.size() > kTopKeySizeMax) return std::nullopt;
  for (std::size_t slot = slot_of(name); kTable[slot] != kEmpty; slot = (slot + 1) % kSlots) {
    if (kTopKeyNames[kTable[slot]] == name) return static_cast<TopKey>(kTable[slot]);
  }
  return std::nullopt;
}

}  // namespace leat::proto
