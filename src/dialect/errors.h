// SPDX-License-Identifier: Apache-2.0
// Every refusal of the gateway in the API's shape, for both faces, from one table. Bodies are made
// of static texts, integers and what a provider said (bounded and escaped); never of a client's
// bytes but for the id of a model that does not exist, so that no key, header or prompt is echoed
// (threats-and-faults.md 3.4).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dialect/face.h"
#include "proto/http1_field.h"
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
  // Ours: the client's doing. What is wrong with its HTTP is told by proto::HttpFault.
  kInvalidJson,
  kJsonTooComplex,
  kDuplicateKey,
  kRequestTimeout,
  kMethodNotAllowed,
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
  kLedgerUnavailable,  // no record of a request could be kept, so none is begun
  // Why no endpoint could serve, as OpenRouter's availability codes tell it (openrouter-api.md
  // 4.1); kModelNotFound and kNoEndpoints above are of them too.
  kWrongEndpoint,
  kModelDeprecated,
  kModelUnavailableUpstream,
  kPrivacyRestricted,
  kConstraintFiltered,
  kFreeVariantEnded,
  kRegionRestricted,
  kCapacityExhausted,
  kTemporarilyUnavailable,
};
inline constexpr std::size_t kErrorKindCount =
    static_cast<std::size_t>(ErrorKind::kTemporarilyUnavailable) + 1;

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
// Which of OpenRouter's 27 types it is to a client on that face (4.1): those of its API and no
// others, so that clients may tell them apart. What the row calls it stands beside it, as `reason`.
std::string_view stable_error_type(ErrorKind kind);
// OpenRouter's availability code of a kind, or null.
const char* availability_code(ErrorKind kind);

// An attempt that failed before the one that is answered.
struct PreviousError {
  std::string_view provider;
  std::string_view code;  // an error_type
  int status = 0;
};

// An endpoint that was not asked, and why. Names are the catalogue's, the reason is static.
struct Exclusion {
  std::string_view provider;  // its tag, `deepinfra/turbo`
  std::string_view model;
  std::string_view reason;
};

// `error.availability`, on the OpenRouter face: written for the kinds that have such a code. Names
// are the catalogue's. Lists are cut at kListedMax.
struct Availability {
  static constexpr std::int64_t kUnsaid = -1;
  std::int64_t retry_after_s = kUnsaid;
  std::span<const std::string_view> requested_models;
  std::span<const std::string_view> affected_providers;
  // Of openrouter-api.md 4.1: geo, data_region, data_policy:zdr, data_policy:training, max_price,
  // context_length, require_parameters, quantization, allowed_providers.
  std::span<const std::string_view> excluded_by;
  std::span<const std::string_view> fallback_models;
  std::string_view constraint_field;  // with `constraint_detail`: the field that filtered all
  std::string_view constraint_detail;
  std::string_view docs_url;
};
inline constexpr std::size_t kListedMax = 16;
inline constexpr std::size_t kExclusionsMax = 40;
// Of a name in any of these lists; longer ones are cut.
inline constexpr std::size_t kListedNameMax = 80;

// What an error says beyond its row. All may be empty. `message` and `param` are static texts, a
// provider's words, or name the unknown model; nothing else of a client's.
struct ErrorDetail {
  std::string_view message;
  std::string_view param;          // the field that is wrong
  std::string_view provider_name;  // display name
  std::string_view provider_code;
  std::string_view provider_raw;  // the provider's message; cut at kProviderRawMax
  // The rest is told on the OpenRouter face only.
  std::span<const PreviousError> previous_errors;  // cut at kListedMax
  std::span<const Exclusion> exclusions;           // cut at kExclusionsMax
  const Availability* availability = nullptr;
  // `metadata.headers` of a limit's refusal: those of them that are x-ratelimit fields.
  std::span<const proto::Field> rate_fields;
};
inline constexpr std::size_t kProviderRawMax = 1'024;

// Enough room for any error body or event.
inline constexpr std::size_t kErrorBytesMax = 24U << 10;

// `{"error":{…}}`.
void write_error_body(Face face, ErrorKind kind, const ErrorDetail& detail, proto::JsonWriter& out);

// The same as one event, `data: {"error":{…}}` and a blank line: without `choices`, no [DONE]
// follows (openrouter-api.md 3, item 8). OpenRouter's fields on both faces, since `code` must be an
// integer.
void write_error_event(ErrorKind kind, const ErrorDetail& detail, proto::JsonWriter& out);

// The kind of a body that the scanner refused.
ErrorKind error_kind(proto::JsonFaultKind fault);

}  // namespace leat::dialect
