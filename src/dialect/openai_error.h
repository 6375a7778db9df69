// SPDX-License-Identifier: Apache-2.0
// Reading a provider's failure, whatever shape its reply has (provider-formats.md 3.1), and what
// may be tried after it (3.2, threats-and-faults.md 4.1), as one table. Never fails to parse: HTML
// and empty bodies are read by their status.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dialect/errors.h"
#include "dialect/openai_stream.h"

namespace leat::dialect {

// IF YOU ADD A VALUE: add its row in kRetryRows (openai_error.cc).
enum class FailureClass : std::uint8_t {
  kBadRequest,
  kContext,   // the prompt is too long for the model
  kAuth,      // the operator's key is bad: mark it
  kBilling,   // the operator's account is empty: long cool-down
  kNotFound,  // the endpoint has no such model
  kRateLimit,
  kOverload,
  kServer,
  kTimeout,  // the provider gave up waiting
  kContentFilter,
  kToolUse,  // the model made an invalid tool call (Groq)
};
inline constexpr std::size_t kFailureClassCount =
    static_cast<std::size_t>(FailureClass::kToolUse) + 1;

// What becomes of the key that was used.
enum class KeyFate : std::uint8_t {
  kKept,
  kCooled,      // until the provider's retry-after
  kCooledLong,  // its account is empty: somebody must pay
  kBad,         // not asked again until the operator changed it
};

// What may follow, before the first client byte.
struct RetryRow {
  FailureClass failure;
  bool same_endpoint;    // once more, after a jittered wait or the provider's retry-after
  bool other_key;        // the same endpoint with another key of the operator's
  bool other_endpoint;   // the next endpoint of the same model
  bool other_model;      // the next model of `models[]`
  bool blames_endpoint;  // counts against the endpoint's health
  KeyFate key_fate;
  ErrorKind kind;    // what the client is told if nothing else worked
  const char* name;  // for metadata and logs
};
const RetryRow& retry_row(FailureClass failure);

struct ProviderFailure {
  static constexpr std::int64_t kNoWait = -1;
  FailureClass failure = FailureClass::kServer;
  std::uint16_t status = 0;
  bool says_no_retry = false;      // the provider's x-should-retry: false
  std::int64_t wait_ms = kNoWait;  // how long it asks to be left alone
  std::array<char, 512> message_bytes;
  std::array<char, 64> code_bytes;
  std::uint16_t message_size = 0;
  std::uint16_t code_size = 0;

  // Unescaped, cut, valid UTF-8 without control characters. Shown to clients only through
  // ErrorDetail.
  std::string_view message() const { return {message_bytes.data(), message_size}; }
  std::string_view code() const { return {code_bytes.data(), code_size}; }
  // Takes a text of 8 bytes or more out of both, and its beginning where the message was cut.
  void hide(std::string_view secret);
};

// Header values of a failed reply; empty where absent.
struct ReplyHeaders {
  std::string_view retry_after;
  std::string_view retry_after_ms;
  std::string_view should_retry;  // x-should-retry
  std::string_view error_type;    // x-amzn-errortype: Bedrock's body has no class
};

// A reply with this status, headers and body. `body` may be cut (the relay keeps its first 64 KiB).
// `now_unix_ms`: for a wait that is told as a point in time.
void read_failure(int status, const ReplyHeaders& headers, std::string_view body,
                  std::int64_t now_unix_ms, ProviderFailure& out);
// The same without headers.
void read_failure(int status, std::string_view body, ProviderFailure& out);
// An error inside a 200: an event's, or a whole answer's.
void read_failure(const ChatError& error, ProviderFailure& out);

}  // namespace leat::dialect
