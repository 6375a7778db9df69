// SPDX-License-Identifier: Apache-2.0
// Embeddings: reading a provider's whole answer to `POST /embeddings` and writing ours. The vectors
// go out in the encoding that was asked for, whatever the provider sent: the `openai` client asks
// for base64 and takes a list of numbers for an empty vector, in silence (openrouter-api.md 6.6).
// Pure; no allocation.
#pragma once

#include <cstdint>
#include <string_view>

#include "dialect/face.h"
#include "dialect/openai_stream.h"
#include "dialect/prompt_input.h"

namespace leat::dialect {

struct EmbeddingsAnswer {
  ChatKind kind = ChatKind::kInvalid;  // kContent, or kEmpty, kError, kInvalid: try the next one
  std::uint32_t count = 0;             // vectors
  bool has_floats = false;             // some vector is a list of numbers
  bool has_base64 = false;
  ChatUsage usage;
  ChatError error;  // views of the body
};

// Validates strictly. kEmpty: no vector, an empty one, one that is neither numbers nor base64, or
// not `expected` of them (0: any number).
EmbeddingsAnswer classify_embeddings(std::string_view body, std::uint32_t expected);

// Whether the provider's own bytes can go out on the OpenAI face.
bool suits_encoding(const EmbeddingsAnswer& answer, EncodingFormat asked);

// Room that holds any answer so long: numbers grow from 4 base64 bytes to at most 16 digits each.
constexpr std::size_t embeddings_size_max(std::size_t body_size) {
  return 5 * body_size + 2'048 + kMetadataBytesMax;
}

// `data` of our answer with the vectors re-encoded where they must be; on the OpenRouter face with
// our id, provider, model and cost, else with the provider's own members. kUnset asks for numbers.
// REQUIRES: classify_embeddings() called it kContent.
Normalised write_embeddings(Face face, std::string_view body, const EmbeddingsAnswer& answer,
                            EncodingFormat asked, const ChatIdentity& identity,
                            const UsageCost& cost, proto::JsonWriter& out,
                            const RouterMetadata* metadata = nullptr);

}  // namespace leat::dialect
