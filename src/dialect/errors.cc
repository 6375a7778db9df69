// SPDX-License-Identifier: Apache-2.0
#include "dialect/errors.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace leat::dialect {

namespace {

using K = ErrorKind;
constexpr ShouldRetry kUnsaid = ShouldRetry::kUnsaid;
constexpr ShouldRetry kYes = ShouldRetry::kTrue;
constexpr ShouldRetry kNo = ShouldRetry::kFalse;
constexpr char kRequestType[] = "invalid_request_error";
constexpr char kServerType[] = "server_error";

// Statuses and error_types: openrouter-api.md 4.1; OpenAI's words: provider-formats.md 3.3. What
// the gateway itself has already tried elsewhere says so by x-should-retry: false.
constexpr std::array<ErrorRow, kErrorKindCount> kRows = {{
    {K::kContextLengthExceeded, 400, kUnsaid, "context_length_exceeded", kRequestType,
     "context_length_exceeded", "The prompt is longer than the model's context."},
    {K::kMaxTokensExceeded, 400, kUnsaid, "max_tokens_exceeded", kRequestType,
     "max_tokens_exceeded", "More output tokens were asked for than the model gives."},
    {K::kTokenLimitExceeded, 400, kUnsaid, "token_limit_exceeded", kRequestType,
     "token_limit_exceeded", "The request is over the model's token limit."},
    {K::kStringTooLong, 400, kUnsaid, "string_too_long", kRequestType, "string_above_max_length",
     "A text in the request is too long."},
    {K::kAuthentication, 401, kUnsaid, "authentication", kRequestType, "invalid_api_key",
     "No valid API key was provided."},
    {K::kPermissionDenied, 403, kUnsaid, "permission_denied", kRequestType, "permission_denied",
     "This key may not do that."},
    {K::kPaymentRequired, 402, kNo, "payment_required", "insufficient_quota", "insufficient_quota",
     "This key's credit does not cover the request."},
    {K::kRateLimitExceeded, 429, kUnsaid, "rate_limit_exceeded", "rate_limit_error",
     "rate_limit_exceeded", "Too many requests; try again later."},
    {K::kProviderOverloaded, 503, kUnsaid, "provider_overloaded", kServerType, nullptr,
     "The provider is overloaded."},
    {K::kProviderUnavailable, 502, kUnsaid, "provider_unavailable", kServerType, nullptr,
     "The provider could not serve the request."},
    {K::kInvalidRequest, 400, kUnsaid, "invalid_request", kRequestType, nullptr,
     "The request is not valid."},
    {K::kInvalidPrompt, 400, kUnsaid, "invalid_prompt", kRequestType, nullptr,
     "The prompt is not valid."},
    {K::kNotFound, 404, kUnsaid, "not_found", kRequestType, "not_found", "Not found."},
    {K::kPreconditionFailed, 412, kUnsaid, "precondition_failed", kRequestType,
     "precondition_failed", "A condition of the request does not hold."},
    {K::kPayloadTooLarge, 413, kUnsaid, "payload_too_large", kRequestType, "payload_too_large",
     "The request body is too large."},
    {K::kUnprocessable, 422, kUnsaid, "unprocessable", kRequestType, "unprocessable",
     "The request cannot be processed."},
    {K::kContentPolicyViolation, 400, kUnsaid, "content_policy_violation", kRequestType,
     "content_policy_violation", "The content was refused by the provider's policy."},
    {K::kRefusal, 400, kUnsaid, "refusal", kRequestType, "refusal", "The model refused."},
    {K::kInvalidImage, 400, kUnsaid, "invalid_image", kRequestType, "invalid_image",
     "An image is not valid."},
    {K::kImageTooLarge, 400, kUnsaid, "image_too_large", kRequestType, "image_too_large",
     "An image is too large."},
    {K::kImageTooSmall, 400, kUnsaid, "image_too_small", kRequestType, "image_too_small",
     "An image is too small."},
    {K::kUnsupportedImageFormat, 400, kUnsaid, "unsupported_image_format", kRequestType,
     "unsupported_image_format", "An image has a format that is not supported."},
    {K::kImageNotFound, 404, kUnsaid, "image_not_found", kRequestType, "image_not_found",
     "An image was not found."},
    {K::kImageDownloadFailed, 400, kUnsaid, "image_download_failed", kRequestType,
     "image_download_failed", "An image could not be fetched."},
    {K::kServer, 500, kUnsaid, "server", kServerType, nullptr, "Internal error."},
    {K::kTimeout, 504, kUnsaid, "timeout", kServerType, nullptr, "The request took too long."},
    {K::kUnmapped, 500, kUnsaid, "unmapped", kServerType, nullptr, "Unknown error."},
    {K::kInvalidJson, 400, kUnsaid, "invalid_json", kRequestType, "invalid_json",
     "The body is not valid JSON."},
    {K::kJsonTooComplex, 400, kUnsaid, "json_too_complex", kRequestType, "json_too_complex",
     "The body's JSON is nested too deep or has too many parts."},
    {K::kDuplicateKey, 400, kUnsaid, "duplicate_key", kRequestType, "duplicate_key",
     "A key stands twice in the body."},
    {K::kRequestTimeout, 408, kUnsaid, "request_timeout", kRequestType, "request_timeout",
     "The request did not arrive in time."},
    {K::kMethodNotAllowed, 405, kUnsaid, "method_not_allowed", kRequestType, "method_not_allowed",
     "This path does not take that method."},
    {K::kUnsupportedMedia, 415, kUnsaid, "unsupported_media", kRequestType, "unsupported_media",
     "The body must be JSON."},
    {K::kNotImplemented, 501, kUnsaid, "not_implemented", kRequestType, "not_implemented",
     "This is not implemented."},
    {K::kUnpriced, 400, kUnsaid, "unpriced", kRequestType, "unpriced", "The model has no price."},
    {K::kModelNotFound, 404, kUnsaid, "model_not_found", kRequestType, "model_not_found",
     "The model does not exist here."},
    {K::kNoEndpoints, 404, kUnsaid, "no_endpoints", kRequestType, "no_endpoints",
     "No endpoint can serve this request."},
    {K::kBudgetExceeded, 403, kNo, "budget_exceeded", "insufficient_quota", "budget_exceeded",
     "The budget is used up."},
    {K::kOverloadedKey, 429, kUnsaid, "overloaded_key", "rate_limit_error", "overloaded_key",
     "This key has too much under way."},
    {K::kTooManyFailures, 429, kNo, "too_many_failures", "rate_limit_error", "too_many_failures",
     "Too many wrong keys came from this address."},
    {K::kOverloaded, 503, kYes, "overloaded", kServerType, nullptr,
     "The gateway is overloaded; try again."},
    {K::kNoProvider, 503, kUnsaid, "no_provider", kServerType, nullptr,
     "No provider is available."},
    {K::kUpstreamProtocol, 502, kUnsaid, "upstream_protocol", kServerType, nullptr,
     "The provider's answer was malformed."},
    {K::kUpstreamClosed, 502, kYes, "upstream_closed", kServerType, nullptr,
     "The provider closed the connection before its answer was whole."},
    {K::kUpstreamTimeout, 504, kUnsaid, "upstream_timeout", kServerType, nullptr,
     "The provider did not answer in time."},
    {K::kDraining, 503, kYes, "draining", kServerType, nullptr, "The gateway is shutting down."},
    {K::kLedgerUnavailable, 503, kYes, "ledger_unavailable", kServerType, nullptr,
     "The gateway cannot keep a record of the request; try again."},
    {K::kWrongEndpoint, 400, kUnsaid, "wrong_endpoint", kRequestType, "wrong_endpoint",
     "The model is not served on this path."},
    {K::kModelDeprecated, 404, kUnsaid, "model_deprecated", kRequestType, "model_deprecated",
     "The model is no longer served."},
    {K::kModelUnavailableUpstream, 404, kUnsaid, "model_unavailable_upstream", kRequestType,
     "model_unavailable_upstream", "No provider serves the model at present."},
    {K::kPrivacyRestricted, 404, kUnsaid, "privacy_restricted", kRequestType, "privacy_restricted",
     "No endpoint meets the data policy that is asked for."},
    {K::kConstraintFiltered, 404, kUnsaid, "constraint_filtered", kRequestType,
     "constraint_filtered", "No endpoint meets the constraints of the request."},
    {K::kFreeVariantEnded, 404, kUnsaid, "free_variant_ended", kRequestType, "free_variant_ended",
     "The model has no free endpoint."},
    {K::kRegionRestricted, 403, kUnsaid, "region_restricted", kRequestType, "region_restricted",
     "The model is not served in this region."},
    {K::kCapacityExhausted, 429, kUnsaid, "capacity_exhausted", "rate_limit_error",
     "rate_limit_exceeded", "Every provider of the model is at its limit; try again later."},
    {K::kTemporarilyUnavailable, 503, kUnsaid, "temporarily_unavailable", kServerType, nullptr,
     "No provider of the model could serve the request."},
}};

constexpr bool rows_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].kind) != i) return false;
  }
  return true;
}
static_assert(rows_in_order());

// The names as a JSON array.
void write_names(std::span<const std::string_view> names, proto::JsonWriter& out) {
  out.raw("[");
  for (std::size_t i = 0; i < std::min(names.size(), kListedMax); ++i) {
    if (i != 0) out.raw(",");
    out.string(names[i].substr(0, kListedNameMax));
  }
  out.raw("]");
}

void write_names_if_any(std::string_view key, std::span<const std::string_view> names,
                        proto::JsonWriter& out) {
  if (names.empty()) return;
  out.raw(key);
  write_names(names, out);
}

void write_availability(ErrorKind kind, const Availability& availability, proto::JsonWriter& out) {
  const char* const code = availability_code(kind);
  if (code == nullptr) return;
  const bool retryable = kind == K::kCapacityExhausted || kind == K::kTemporarilyUnavailable;
  out.raw(",\"availability\":{\"code\":");
  out.string(code);
  out.raw(retryable ? ",\"retryable\":true" : ",\"retryable\":false");
  if (availability.retry_after_s != Availability::kUnsaid) {
    out.raw(",\"retry_after\":");
    out.integer(availability.retry_after_s);
  }
  out.raw(",\"requested_models\":");
  write_names(availability.requested_models, out);
  write_names_if_any(",\"affected_providers\":", availability.affected_providers, out);
  write_names_if_any(",\"excluded_by\":", availability.excluded_by, out);
  write_names_if_any(",\"fallback_models\":", availability.fallback_models, out);
  if (!availability.constraint_field.empty()) {
    out.raw(",\"constraint\":{\"field\":");
    out.string(availability.constraint_field.substr(0, kListedNameMax));
    out.raw(",\"detail\":");
    out.string(availability.constraint_detail.substr(0, kListedNameMax));
    out.raw("}");
  }
  out.raw(",\"docs_url\":");
  out.string(availability.docs_url.substr(0, kListedNameMax));
  out.raw("}");
}

void write_previous_errors(std::span<const PreviousError> errors, proto::JsonWriter& out) {
  if (errors.empty()) return;
  out.raw(",\"previous_errors\":[");
  for (std::size_t i = 0; i < std::min(errors.size(), kListedMax); ++i) {
    out.raw(i == 0 ? "{\"provider\":" : ",{\"provider\":");
    out.string(errors[i].provider.substr(0, kListedNameMax));
    out.raw(",\"code\":");
    out.string(errors[i].code.substr(0, kListedNameMax));
    out.raw(",\"status\":");
    out.integer(errors[i].status);
    out.raw("}");
  }
  out.raw("]");
}

void write_exclusions(std::span<const Exclusion> exclusions, proto::JsonWriter& out) {
  if (exclusions.empty()) return;
  out.raw(",\"excluded\":[");
  for (std::size_t i = 0; i < std::min(exclusions.size(), kExclusionsMax); ++i) {
    out.raw(i == 0 ? "{\"provider\":" : ",{\"provider\":");
    out.string(exclusions[i].provider.substr(0, kListedNameMax));
    out.raw(",\"model\":");
    out.string(exclusions[i].model.substr(0, kListedNameMax));
    out.raw(",\"reason\":");
    out.string(exclusions[i].reason.substr(0, kListedNameMax));
    out.raw("}");
  }
  out.raw("],\"excluded_total\":");
  out.integer(static_cast<std::int64_t>(exclusions.size()));
}

// The fields' names as OpenRouter spells them in bodies (openrouter-api.md 4.1).
void write_rate_fields(std::span<const proto::Field> fields, proto::JsonWriter& out) {
  struct Name {
    std::string_view field;
    std::string_view told;
  };
  constexpr Name kNames[] = {{"x-ratelimit-limit", "X-RateLimit-Limit"},
                             {"x-ratelimit-remaining", "X-RateLimit-Remaining"},
                             {"x-ratelimit-reset", "X-RateLimit-Reset"}};
  bool is_first = true;
  for (const Name& name : kNames) {
    const auto found = std::ranges::find(fields, name.field, &proto::Field::name);
    if (found == fields.end()) continue;
    out.raw(is_first ? ",\"headers\":{" : ",");
    out.string(name.told);
    out.raw(":");
    out.string(found->value);
    is_first = false;
  }
  if (!is_first) out.raw("}");
}

void write_openrouter_error(const ErrorRow& row, const ErrorDetail& detail,
                            proto::JsonWriter& out) {
  out.raw("{\"message\":");
  out.string(detail.message.empty() ? row.message : detail.message);
  // The integer status: @openrouter/sdk refuses a string (openrouter-api.md 6.5).
  out.raw(",\"code\":");
  out.integer(row.status);
  const std::string_view type = stable_error_type(row.kind);
  out.raw(",\"metadata\":{\"error_type\":");
  out.string(type);
  if (type != row.error_type) {
    out.raw(",\"reason\":");
    out.string(row.error_type);
  }
  if (!detail.param.empty()) {
    out.raw(",\"param\":");
    out.string(detail.param);
  }
  if (!detail.provider_name.empty()) {
    out.raw(",\"provider_name\":");
    out.string(detail.provider_name);
  }
  if (!detail.provider_code.empty()) {
    out.raw(",\"provider_code\":");
    out.string(detail.provider_code);
  }
  if (!detail.provider_raw.empty()) {
    out.raw(",\"raw\":");
    out.string(detail.provider_raw.substr(0, kProviderRawMax));
  }
  write_previous_errors(detail.previous_errors, out);
  write_exclusions(detail.exclusions, out);
  write_rate_fields(detail.rate_fields, out);
  out.raw("}");
  if (detail.availability != nullptr) write_availability(row.kind, *detail.availability, out);
  out.raw("}");
}

}  // namespace

const ErrorRow& error_row(ErrorKind kind) {
  return kRows[static_cast<std::size_t>(kind)];
}

std::string_view stable_error_type(ErrorKind kind) {
  switch (kind) {
    case K::kInvalidJson:
    case K::kJsonTooComplex:
    case K::kDuplicateKey:
    case K::kMethodNotAllowed:
    case K::kUnsupportedMedia:
    case K::kNotImplemented:
    case K::kUnpriced:
    case K::kWrongEndpoint:
      return error_row(K::kInvalidRequest).error_type;
    case K::kModelNotFound:
    case K::kNoEndpoints:
    case K::kModelDeprecated:
    case K::kModelUnavailableUpstream:
    case K::kPrivacyRestricted:
    case K::kConstraintFiltered:
    case K::kFreeVariantEnded:
      return error_row(K::kNotFound).error_type;
    case K::kBudgetExceeded:
    case K::kRegionRestricted:
      return error_row(K::kPermissionDenied).error_type;
    case K::kOverloadedKey:
    case K::kTooManyFailures:
    case K::kCapacityExhausted:
      return error_row(K::kRateLimitExceeded).error_type;
    case K::kOverloaded:
    case K::kDraining:
    case K::kLedgerUnavailable:
      return error_row(K::kProviderOverloaded).error_type;
    case K::kNoProvider:
    case K::kTemporarilyUnavailable:
    case K::kUpstreamProtocol:
    case K::kUpstreamClosed:
      return error_row(K::kProviderUnavailable).error_type;
    case K::kRequestTimeout:
    case K::kUpstreamTimeout:
      return error_row(K::kTimeout).error_type;
    default:
      return error_row(kind).error_type;
  }
}

const char* availability_code(ErrorKind kind) {
  switch (kind) {
    case K::kModelNotFound:
    case K::kNoEndpoints:
    case K::kWrongEndpoint:
    case K::kModelDeprecated:
    case K::kModelUnavailableUpstream:
    case K::kPrivacyRestricted:
    case K::kConstraintFiltered:
    case K::kFreeVariantEnded:
    case K::kRegionRestricted:
    case K::kCapacityExhausted:
    case K::kTemporarilyUnavailable:
      return error_row(kind).error_type;  // the same words
    default:
      return nullptr;
  }
}

void write_error_body(Face face, ErrorKind kind, const ErrorDetail& detail,
                      proto::JsonWriter& out) {
  const ErrorRow& row = error_row(kind);
  out.raw("{\"error\":");
  if (face == Face::kOpenRouter) {
    write_openrouter_error(row, detail, out);
    out.raw("}");
    return;
  }
  out.raw("{\"message\":");
  out.string(detail.message.empty() ? row.message : detail.message);
  out.raw(",\"type\":");
  out.string(row.openai_type);
  out.raw(",\"param\":");
  if (detail.param.empty()) {
    out.raw("null");
  } else {
    out.string(detail.param);
  }
  out.raw(",\"code\":");
  if (row.openai_code == nullptr) {
    out.raw("null");
  } else {
    out.string(row.openai_code);
  }
  out.raw("}}");
}

void write_error_event(ErrorKind kind, const ErrorDetail& detail, proto::JsonWriter& out) {
  out.raw("data: {\"error\":");
  write_openrouter_error(error_row(kind), detail, out);
  out.raw("}\n\n");
}

ErrorKind error_kind(proto::JsonFaultKind fault) {
  switch (fault) {
    case proto::JsonFaultKind::kTooComplex:
      return ErrorKind::kJsonTooComplex;
    case proto::JsonFaultKind::kDuplicateKey:
      return ErrorKind::kDuplicateKey;
    case proto::JsonFaultKind::kNone:
    case proto::JsonFaultKind::kInvalidJson:
    case proto::JsonFaultKind::kInvalidUtf8:
      return ErrorKind::kInvalidJson;
  }
  LEAT_UNREACHABLE("no such fault");
}

}  // namespace leat::dialect
