// SPDX-License-Identifier: Apache-2.0
// Every refusal of the gateway in the API's shape, for both faces, from one table. Bodies are made
// of static texts, integers and what a provider said (bounded and escaped); never of a client's
// bytes but for the id of a model that does not exist, so that no key, header or prompt is echoed
// (threats-and-faults.md 3.4).
#pragma once

#include <cstdint>
#include <string_view>

#include "dialect/face.h"
#include "proto/json_scan.h"
#include "proto/json_writer.h"

namespace leat::dialect {

// The first 27 are OpenRouter's `error_type`s (openrouter-api.md 4.1), the rest are ours.
// IF YOU ADD A VALUE: add its row at the same place in kRows (errors.cc).
enum class ErrorKind : std::uint8_t {
  kContextLengthExceeded,
  kMaxTokensExceeded,
  kTokenLimitExceeded,
  kStringTooLong,
  kAuthentication,
  kPermissionDenied,
  kPaymentRequired,
  kRateLimitExceeded,
  kProviderOverloaded,
  kProviderUnavailable,
  kInvalidRequest,
  kInvalidPrompt,
  kNotFound,
  kPreconditionFailed,
  kPayloadTooLarge,
  kUnprocessable,
  kContentPolicyViolation,
  kRefusal,
  kInvalidImage,
  kImageTooLarge,
  kImageTooSmall,
  kUnsupportedImageFormat,
  kImageNotFound,
  kImageDownloadFailed,
  kServer,
  kTimeout,
  kUnmapped,
  // Ours: the client's doing.
  kBadFraming,
  kInvalidJson,
  kJsonTooComplex,
  kDuplicateKey,
  kHeadersTooLarge,
  kUriTooLong,
  kRequestTimeout,
  kMethodNotAllowed,
  kExpectationFailed,
  kUnsupportedCoding,
  kUnsupportedMedia,
  kNotImplemented,
  kUnpriced,
  kModelNotFound,
  kNoEndpoints,
  kBudgetExceeded,
  kOverloadedKey,
  kTooManyFailures,
  // Ours: the provider's or the gateway's state.
  kOverloaded,
  kNoProvider,
  kUpstreamProtocol,
  kUpstreamClosed,
  kUpstreamTimeout,
  kDraining,
};
inline constexpr std::size_t kErrorKindCount = static_cast<std::size_t>(ErrorKind::kDraining) + 1;

// Whether the answer carries `x-should-retry`: both stainless SDKs obey it over their own rules.
enum class ShouldRetry : std::uint8_t { kUnsaid, kTrue, kFalse };

struct ErrorRow {
  ErrorKind kind;
  std::uint16_t status;
  ShouldRetry should_retry;
  const char* error_type;   // OpenRouter face: metadata.error_type; the log's reason
  const char* openai_type;  // OpenAI face: type
  const char* openai_code;  // OpenAI face: code; null: JSON null
  const char* message;      // where the caller has nothing better
};
const ErrorRow& error_row(ErrorKind kind);

// What an error says beyond its row. All may be empty. `message` and `param` are static texts, a
// provider's words, or name the unknown model; nothing else of a client's.
struct ErrorDetail {
  std::string_view message;
  std::string_view param;          // the field that is wrong
  std::string_view provider_name;  // display name
  std::string_view provider_code;
  std::string_view provider_raw;  // the provider's message; cut at kProviderRawMax
};
inline constexpr std::size_t kProviderRawMax = 1'024;

// Enough room for any error body or event.
inline constexpr std::size_t kErrorBytesMax = 16U << 10;

// `{"error":{…}}`.
void write_error_body(Face face, ErrorKind kind, const ErrorDetail& detail, proto::JsonWriter& out);

// The same as one event, `data: {"error":{…}}` and a blank line: without `choices`, no [DONE]
// follows (openrouter-api.md 3, item 8). OpenRouter's fields on both faces, since `code` must be an
// integer.
void write_error_event(ErrorKind kind, const ErrorDetail& detail, proto::JsonWriter& out);

// The kind of a body that the scanner refused.
ErrorKind error_kind(proto::JsonFaultKind fault);

}  // namespace leat::dialect
