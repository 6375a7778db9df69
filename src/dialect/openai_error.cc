// SPDX-License-Identifier: Apache-2.0
#include "dialect/openai_error.h"

#include <algorithm>
#include <cstring>

#include "dialect/wait_time.h"
#include "proto/json_value.h"

namespace leat::dialect {

namespace {

using C = FailureClass;

// provider-formats.md 3.2. A provider's 401 and 403 are the operator's matter: a client that saw
// them would think its own key bad. The next model of `models[]` is asked after any error, refused
// content and prompts that are too long among them (openrouter-api.md 2.2).
using F = KeyFate;
constexpr std::array<RetryRow, kFailureClassCount> kRetryRows = {{
    {C::kBadRequest, false, false, false, true, false, F::kKept, ErrorKind::kInvalidRequest,
     "bad_request"},
    {C::kContext, false, false, false, true, false, F::kKept, ErrorKind::kContextLengthExceeded,
     "context"},
    {C::kAuth, false, true, true, true, true, F::kBad, ErrorKind::kProviderUnavailable, "auth"},
    {C::kBilling, false, true, true, true, true, F::kCooledLong, ErrorKind::kProviderUnavailable,
     "billing"},
    {C::kNotFound, false, false, true, true, true, F::kKept, ErrorKind::kNotFound, "not_found"},
    {C::kRateLimit, true, true, true, true, true, F::kCooled, ErrorKind::kRateLimitExceeded,
     "rate_limit"},
    {C::kOverload, true, false, true, true, true, F::kKept, ErrorKind::kProviderOverloaded,
     "overload"},
    {C::kServer, true, false, true, true, true, F::kKept, ErrorKind::kProviderUnavailable,
     "server"},
    {C::kTimeout, false, false, true, true, true, F::kKept, ErrorKind::kUpstreamTimeout, "timeout"},
    {C::kContentFilter, false, false, false, true, false, F::kKept,
     ErrorKind::kContentPolicyViolation, "content_filter"},
    {C::kToolUse, true, false, true, true, false, F::kKept, ErrorKind::kProviderUnavailable,
     "tool_use"},
}};

constexpr bool rows_in_order() {
  for (std::size_t i = 0; i < kRetryRows.size(); ++i) {
    if (static_cast<std::size_t>(kRetryRows[i].failure) != i) return false;
  }
  return true;
}
static_assert(rows_in_order());

// What a body says, as views of it: still escaped.
struct Words {
  std::string_view message;
  std::string_view type;
  std::string_view code;
};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool contains(std::string_view text, std::string_view needle) {
  const auto found = std::search(text.begin(), text.end(), needle.begin(), needle.end(),
                                 [](char a, char b) { return lower(a) == lower(b); });
  return found != text.end();
}

template <std::size_t N>
bool contains_any(std::string_view text, const std::string_view (&needles)[N]) {
  return std::any_of(std::begin(needles), std::end(needles),
                     [&](std::string_view needle) { return contains(text, needle); });
}

// provider-formats.md 3.4.
constexpr std::string_view kNotContext[] = {"rate limit", "too many requests"};
constexpr std::string_view kContextTexts[] = {
    "prompt is too long",
    "input is too long for requested model",
    "exceeds the context window",
    "exceeds the maximum",
    "maximum prompt length is",
    "reduce the length of the messages",
    "maximum context length is",
    "exceeds the available context size",
    "greater than the context length",
    "context window exceeds limit",
    "exceeded model token limit",
    "too large for model with",
    "prompt too long",
};

bool is_context(const Words& words) {
  if (words.code == "context_length_exceeded" || words.type == "exceed_context_size_error" ||
      words.type == "request_too_large") {
    return true;
  }
  return !contains_any(words.message, kNotContext) && contains_any(words.message, kContextTexts);
}

bool is_billing(const Words& words) {
  return words.code == "insufficient_quota" || words.type == "insufficient_quota" ||
         words.type == "billing_error" || contains(words.code, "spend_limit_reached");
}

// Bedrock's classes whose status alone would mislead (provider-formats.md 3.1).
struct AmazonRow {
  std::string_view type;
  FailureClass failure;
};
constexpr AmazonRow kAmazonRows[] = {
    {"ThrottlingException", C::kRateLimit},   {"ServiceQuotaExceededException", C::kRateLimit},
    {"ModelNotReadyException", C::kOverload}, {"ModelTimeoutException", C::kTimeout},
    {"ModelErrorException", C::kServer},      {"ServiceUnavailableException", C::kOverload},
    {"AccessDeniedException", C::kAuth},      {"ResourceNotFoundException", C::kNotFound},
};

FailureClass classify_status(int status, const Words& words) {
  if (status == 402 || is_billing(words)) return C::kBilling;
  if (words.code == "content_filter" || words.code == "content_policy_violation") {
    return C::kContentFilter;
  }
  if (words.code == "tool_use_failed") return C::kToolUse;
  if (words.code == "model_not_found" || words.code == "DeploymentNotFound" || status == 404) {
    return C::kNotFound;
  }
  if (status == 401 || status == 403 || contains(words.message, "API_KEY_INVALID")) return C::kAuth;
  if (status == 429) return C::kRateLimit;
  if (status == 408) return C::kTimeout;
  if (status == 529 || status == 503 || status == 498 || status == 424) return C::kOverload;
  if (status >= 500 || status == 409) return C::kServer;
  // Cerebras says nothing at all when the prompt is too long.
  const bool silent = words.message.empty() && (status == 400 || status == 413);
  if (silent || is_context(words)) return C::kContext;
  return C::kBadRequest;
}

// Errors inside a 200 often carry words only.
FailureClass classify_words(const ChatError& error) {
  const Words words{error.message, error.type, error.code};
  if (error.status != 0) return classify_status(error.status, words);
  if (is_billing(words)) return C::kBilling;
  if (contains(words.code, "rate_limit") || contains(words.type, "rate_limit")) {
    return C::kRateLimit;
  }
  if (contains(words.type, "overloaded") || contains(words.code, "overloaded")) {
    return C::kOverload;
  }
  if (words.code == "content_filter") return C::kContentFilter;
  if (words.code == "tool_use_failed") return C::kToolUse;
  if (is_context(words)) return C::kContext;
  if (words.type == "invalid_request_error") return C::kBadRequest;
  return C::kServer;
}

// Unescapes what stood between quotes, keeps valid UTF-8 without control characters, cuts.
template <std::size_t N>
std::uint16_t clean(std::string_view escaped, std::array<char, N>& to) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < escaped.size() && size + 4 < N; ++i) {
    char c = escaped[i];
    if (c == '\\' && i + 1 < escaped.size()) {
      c = escaped[++i];
      if (c == 'u') {
        // Escapes beyond ASCII are shown as a question mark: this is for people to read.
        i = std::min(i + 4, escaped.size());
        c = '?';
      } else if (c == 'n' || c == 'r' || c == 't' || c == 'b' || c == 'f') {
        c = ' ';
      }
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    to[size++] = c;
  }
  // A cut in the middle of a character would not be UTF-8; the writer mends what the provider sent.
  while (size > 0 && (static_cast<unsigned char>(to[size - 1]) & 0xc0) == 0x80 && size + 4 >= N) {
    --size;
  }
  return static_cast<std::uint16_t>(size);
}

std::string_view text_of(std::string_view object, std::string_view key) {
  const auto value = proto::json_find(object, key);
  if (!value) return {};
  if (const auto text = proto::json_raw_string(*value)) return *text;
  return *value == "null" ? std::string_view() : *value;
}

Words read_words(std::string_view body) {
  while (!body.empty() && (body.front() == ' ' || body.front() == '\n' || body.front() == '[')) {
    body.remove_prefix(1);
  }
  if (body.empty() || body.front() != '{') return {};  // HTML and the like: the status says it
  Words words;
  const auto error = proto::json_find(body, "error");
  if (error && !error->empty() && error->front() == '{') {
    words.message = text_of(*error, "message");
    words.type = text_of(*error, "type");
    words.code = text_of(*error, "code");
    if (words.type.empty()) words.type = text_of(*error, "status");
    return words;
  }
  if (error) words.message = proto::json_raw_string(*error).value_or(std::string_view());
  for (const char* key : {"message", "Message", "detail"}) {
    if (words.message.empty()) words.message = text_of(body, key);
  }
  words.type = text_of(body, "type");
  words.code = text_of(body, "code");
  return words;
}

// `google.rpc.RetryInfo` in an error's details: Gemini says there how long to wait.
std::int64_t read_retry_info(std::string_view body) {
  constexpr std::string_view kKey = "\"retryDelay\"";
  const std::size_t key = body.find(kKey);
  if (key == std::string_view::npos) return ProviderFailure::kNoWait;
  const std::size_t open = body.find('"', key + kKey.size());
  if (open == std::string_view::npos) return ProviderFailure::kNoWait;
  const std::size_t close = body.find('"', open + 1);
  if (close == std::string_view::npos) return ProviderFailure::kNoWait;
  const auto wait = read_wait_ms(body.substr(open + 1, close - open - 1), 0);
  return wait.value_or(ProviderFailure::kNoWait);
}

void read_amazon(std::string_view type, FailureClass& failure) {
  type = type.substr(0, type.find(':'));
  for (const AmazonRow& row : kAmazonRows) {
    if (row.type == type) failure = row.failure;
  }
}

void fill(const Words& words, ProviderFailure& out) {
  // A provider's complaint about the operator's key may repeat a part of it.
  const bool secret = out.failure == C::kAuth || out.failure == C::kBilling;
  out.message_size = secret ? 0 : clean(words.message, out.message_bytes);
  out.code_size = clean(words.code, out.code_bytes);
}

}  // namespace

const RetryRow& retry_row(FailureClass failure) {
  return kRetryRows[static_cast<std::size_t>(failure)];
}

void ProviderFailure::hide(std::string_view secret) {
  constexpr std::size_t kSecretMin = 8;
  constexpr std::size_t kCutMin = 4;  // of it: less says nothing
  if (secret.size() < kSecretMin) return;
  if (code().find(secret) != std::string_view::npos) code_size = 0;
  for (std::size_t at; (at = message().find(secret)) != std::string_view::npos;) {
    std::fill_n(message_bytes.begin() + at, secret.size(), '*');
  }
  for (std::size_t size = std::min<std::size_t>(secret.size(), message_size); size >= kCutMin;
       --size) {
    if (!message().ends_with(secret.substr(0, size))) continue;
    std::fill_n(message_bytes.begin() + (message_size - size), size, '*');
    break;
  }
}

void read_failure(int status, const ReplyHeaders& headers, std::string_view body,
                  std::int64_t now_unix_ms, ProviderFailure& out) {
  const Words words = read_words(body);
  out.status = static_cast<std::uint16_t>(status);
  out.failure = classify_status(status, words);
  read_amazon(headers.error_type, out.failure);
  out.says_no_retry = headers.should_retry == "false";
  // The finer of the two headers first.
  auto wait = read_wait_ms_field(headers.retry_after_ms);
  if (!wait) wait = read_wait_ms(headers.retry_after, now_unix_ms);
  out.wait_ms = wait ? *wait : read_retry_info(body);
  fill(words, out);
}

void read_failure(int status, std::string_view body, ProviderFailure& out) {
  read_failure(status, {}, body, 0, out);
}

void read_failure(const ChatError& error, ProviderFailure& out) {
  out.status = static_cast<std::uint16_t>(error.status);
  out.failure = classify_words(error);
  out.says_no_retry = false;
  out.wait_ms = ProviderFailure::kNoWait;
  fill({error.message, error.type, error.code}, out);
}

}  // namespace leat::dialect
