// SPDX-License-Identifier: Apache-2.0
// PromptInput: what a legacy text completion (`prompt`) or an embeddings request (`input`) is made
// of: its kind, how many there are and about how long (provider-formats.md 2; openrouter-api.md
// 4.22). Pure; a shallow walk without allocation. What is wrong is refused with the element's
// place.
#pragma once

#include <cstdint>

#include "dialect/routing_fault.h"
#include "proto/json_scan.h"

namespace leat::dialect {

// OpenAI's bound on the inputs of one request.
inline constexpr std::uint32_t kInputsMax = 2'048;

enum class InputKind : std::uint8_t {
  kAbsent,
  kText,        // "…"
  kTexts,       // ["…", …]
  kTokens,      // [1, 2, …]: one input
  kTokenLists,  // [[1, 2], …]
  kParts,       // [{"content": […]}, …]: multimodal embeddings
};

enum class EncodingFormat : std::uint8_t { kUnset, kFloat, kBase64 };

struct PromptInput {
  InputKind kind = InputKind::kAbsent;
  std::uint32_t count = 0;        // inputs, that is answers owed for one `n`
  std::uint64_t text_bytes = 0;   // of texts, as they stand in the body; bounds their tokens
  std::uint64_t token_count = 0;  // of token lists
  EncodingFormat encoding = EncodingFormat::kUnset;
};

// Reads `prompt`. Absent is allowed: the models' default then begins a document. False: 400.
bool read_prompt(const proto::JsonScanner& scanner, std::string_view body, PromptInput& out,
                 RoutingFault& fault);

// Reads `input`, which must be there and not be empty, with `encoding_format` and `dimensions`; a
// `stream` of embeddings does not exist. False: 400.
bool read_embeddings_input(const proto::JsonScanner& scanner, std::string_view body,
                           PromptInput& out, RoutingFault& fault);

}  // namespace leat::dialect
