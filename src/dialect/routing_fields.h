// SPDX-License-Identifier: Apache-2.0
// RoutingFields: what a request asks of the router and needs of an endpoint (openrouter-api.md 2,
// 4.6-4.8), read from a body that JsonScanner accepted: one shallow walk, no allocation, no tree.
// What is wrong is refused with the field's name, never guessed at; null means absent. Stream, cap
// and number of answers are read_chat_request()'s.
//
// Texts are views of the body, or of the record where they had escapes: the body must outlive the
// record, and the record must not move. About 4 KiB: made once a request, in its arena.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/inline_list.h"
#include "dialect/field_texts.h"
#include "dialect/openai_messages.h"
#include "dialect/parameters.h"
#include "dialect/provider_preferences.h"
#include "dialect/reasoning.h"
#include "dialect/routing_fault.h"
#include "proto/json_scan.h"

namespace leat::dialect {

// Candidates of one request: `model` and `models` together.
inline constexpr std::size_t kModelsMax = 16;
// openrouter-api.md 2.12.
inline constexpr std::size_t kSessionIdMax = 256;

// Suffixes of a model's name (openrouter-api.md 2.7), as bits of ModelName::variants.
enum class Variant : std::uint8_t {
  kFree,
  kExtended,
  kThinking,
  kBatch,
  kNitro,
  kFloor,
  kExacto,
  kOnline,
};

struct ModelName {
  std::string_view full;  // as sent, unescaped
  std::string_view base;  // without known suffixes; an unknown one stays (`llama3:8b`)
  std::uint8_t variants = 0;
  std::string_view preset;  // of `model@preset/slug` or `@preset/slug`; the base is what is left

  bool has(Variant variant) const { return (variants >> static_cast<unsigned>(variant) & 1) != 0; }
};
// Splits a name; never fails.
ModelName split_model_name(std::string_view full);

enum class ServiceTier : std::uint8_t { kUnset, kAuto, kDefault, kFlex, kPriority, kScale };
enum class ToolChoice : std::uint8_t { kUnset, kNone, kAuto, kRequired, kFunction, kOther };
enum class ResponseFormat : std::uint8_t {
  kUnset,
  kText,
  kJsonObject,
  kJsonSchema,
  kGrammar,
  kPython,
};
// What stands in messages, by the types of content parts (4.6), as bits of `input_modalities`.
enum class Modality : std::uint8_t { kText, kImage, kAudio, kFile, kVideo };

struct RoutingFields {
  RoutingFields() = default;
  RoutingFields(const RoutingFields&) = delete;
  RoutingFields& operator=(const RoutingFields&) = delete;

  // In the order of preference: `model`, then `models`. Empty: the default is the caller's matter.
  std::span<const ModelName> models() const { return models_.values(); }
  // The field that the model at `rank` of models() stands in.
  const char* model_field(std::size_t rank) const {
    return rank == 0 && has_model ? "model" : "models";
  }
  bool takes_input(Modality modality) const {
    return (input_modalities >> static_cast<unsigned>(modality) & 1) != 0;
  }

  ParameterSet parameters;  // set, that is there and not null, in a way that asks for something
  ProviderPreferences provider;  // with `route`, its old name for a partition, in it
  ServiceTier service_tier = ServiceTier::kUnset;
  ToolChoice tool_choice = ToolChoice::kUnset;
  ResponseFormat response_format = ResponseFormat::kUnset;
  ReasoningWish reasoning;
  std::uint8_t input_modalities = 0;
  std::uint8_t output_modalities = 0;  // `modalities`, if any: text, image or audio
  // A content part is of no type that we know (Mistral's document_url, vLLM's audio_url): how many
  // tokens it comes to does not follow from its bytes.
  bool has_unknown_parts = false;
  // Of the content parts: how many images, and the bytes of the body that are theirs alone.
  std::uint32_t images = 0;
  std::uint64_t image_bytes = 0;
  bool has_server_tools = false;  // tools named `openrouter:…`: the gateway's to run
  MessageExtras extras;
  bool has_model = false;    // `model` is set
  bool has_plugins = false;  // a non-empty list
  bool has_transforms = false;

  std::string_view preset;
  std::string_view session_id;
  std::string_view user;
  std::string_view prompt_cache_key;
  // The messages that name a conversation without a key (2.12), from their opening brace to the end
  // of their last member; empty if none.
  std::string_view first_system_message;
  std::string_view first_other_message;

  // Filled by read_routing_fields().
  InlineList<ModelName, kModelsMax> models_;
  FieldTexts texts_;
};

// False with `fault` set: 400 `invalid_request`. REQUIRES: the scanner is done with this body;
// `out` is as constructed.
bool read_routing_fields(const proto::JsonScanner& scanner, std::string_view body,
                         RoutingFields& out, RoutingFault& fault);

}  // namespace leat::dialect
