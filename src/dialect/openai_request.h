// SPDX-License-Identifier: Apache-2.0
// A chat request as OpenAI and OpenRouter spell it: what the gateway must know of it, and how it is
// re-spelt for one endpoint. Pure: bytes in, facts and a list of pieces out. What is not named here
// crosses byte for byte; absent parameters stay absent (openrouter-api.md 1.1). The body must
// outlive both.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "dialect/openai_messages.h"
#include "dialect/parameters.h"
#include "dialect/reasoning.h"
#include "proto/json_scan.h"
#include "proto/splice.h"

namespace leat::dialect {

// Why a body that is JSON is still no request: 400 `invalid_request`. Both are static texts;
// `param` names the field.
struct RequestFault {
  const char* message;
  const char* param;
};

inline constexpr std::int64_t kUnset = -1;
// The largest output cap: beyond any model's window; keeps the sums of a reservation within 64
// bits.
inline constexpr std::int64_t kOutputMax = 1'000'000'000;

// What the gateway reads of a request. Holds no view of the body.
struct ChatRequest {
  bool stream = false;
  bool wants_usage = false;          // stream_options.include_usage or usage.include
  bool wants_cost = false;           // usage.include
  bool stateful = false;             // store:true: an ambiguous failure is not tried again
  std::int64_t output_max = kUnset;  // the larger of max_tokens and max_completion_tokens
  std::int64_t n = 1;                // answers asked for: the larger of n and best_of
  // Of the routing fields, for who shapes the request.
  ReasoningWish reasoning;
  MessageExtras extras;
  std::array<char, 256> model_bytes;
  std::uint16_t model_size = 0;

  // Unescaped; empty if absent.
  std::string_view model() const { return {model_bytes.data(), model_size}; }
};

// Reads `out` from a scanned body; a fault if a field that routing or price hangs on has the wrong
// type or range. REQUIRES: the scanner is done with this body.
std::optional<RequestFault> read_chat_request(const proto::JsonScanner& scanner,
                                              std::string_view body, ChatRequest& out);

// The spelling of the output cap that an endpoint takes (provider-formats.md 1b).
enum class MaxTokensKey : std::uint8_t { kAsSent, kMaxTokens, kMaxCompletionTokens };

// The field that an endpoint takes the wish for reasoning in: OpenRouter's object, OpenAI's word,
// or none, as it reasons or does not.
enum class ReasoningKey : std::uint8_t { kAsSent, kReasoning, kReasoningEffort, kNowhere };

// What one endpoint wants changed. Views must live until the request is laid out.
struct EndpointShape {
  std::string_view model;  // the endpoint's own name for it
  MaxTokensKey max_tokens_key = MaxTokensKey::kAsSent;
  // False for endpoints that refuse `stream_options` (Mistral): the key is then left out.
  bool takes_stream_usage = true;
  // Sent as the output cap where the request has none (it is what was reserved); kUnset: nothing.
  std::int64_t output_default = kUnset;
  // What the endpoint lacks is left out, with what hangs on it (with_dependents). The two output
  // caps never are, since price and reservation stand on them: `max_tokens_key` is their rule.
  ParameterSet dropped;
  ReasoningKey reasoning_key = ReasoningKey::kAsSent;
  // False: nothing is asked of reasoning, in neither spelling, whichever the client's was.
  bool takes_reasoning = true;
  // The efforts that the model has, or empty: the nearest is sent, where the word is; and of `none`
  // nothing, where it is not among them.
  std::span<const std::string_view> efforts;
  bool reasoning_on = false;  // `:thinking`: reasoning is asked for unless the request says how
  std::string_view seed_key;  // its name for `seed` (Mistral: random_seed), or empty
  std::string_view tool_choice_required;  // its word for `required` (Mistral: any), or empty
  // What `service_tier` says in the request: the tier that the endpoint is priced by. Empty: the
  // standard one, and a client's wish for another goes no further.
  std::string_view service_tier;
  bool takes_empty_tools = true;  // else `tools: []` is left out
  MessageShape messages;
  // What respell_lists() wrote for this endpoint, or empty: the body's own.
  std::string_view messages_text;  // but for its closing bracket
  std::string_view tools_text;
  // ---- Of a request for the rest of an answer (continuation.h)
  // Put behind the last message, its comma with it, from where it lies: it outlives the list.
  // REQUIRES, unless empty: there is a last message.
  std::string_view trailing_message;
  bool continues_final_message = false;  // the two flags beside the messages say so
  std::int64_t output_given = 0;         // tokens that are off each cap; a cap is more than that
};

// Room that respell_lists() needs at most; 0: the endpoint takes messages and tools as they are.
std::size_t respelling_size(const proto::JsonScanner& scanner, const ChatRequest& request,
                            const EndpointShape& endpoint);
// Writes both anew where the endpoint wants them otherwise, and points `endpoint` at them: `out`
// outlives it. False if a list is no list of objects. REQUIRES: as below.
bool respell_lists(const proto::JsonScanner& scanner, std::string_view body,
                   const ChatRequest& request, proto::JsonWriter& out, EndpointShape& endpoint);

// Lays the request out for one endpoint; text completions and embeddings likewise, their `stream`
// and caps being what they are. False if it does not fit the list's bounds (a model name beyond
// what a catalogue may hold). REQUIRES: `request` was read from this
// body.
bool shape_chat_request(const proto::JsonScanner& scanner, std::string_view body,
                        const ChatRequest& request, const EndpointShape& endpoint,
                        proto::SpliceList& out);

}  // namespace leat::dialect
