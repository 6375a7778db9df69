// SPDX-License-Identifier: Apache-2.0
// FinalError: what a client is told once nothing is left to try, from all that was tried
// (openrouter-api.md 2.11, 4.1, 4.2). One record per request; every failed attempt is added.
//
//   all limited       429 capacity_exhausted, with the least Retry-After that any provider gave
//   several at more
//   than one provider,
//   all transient     503 temporarily_unavailable
//   else              the last attempt's own error
//
// An SDK must not do again what was just done: x-should-retry: false, unless a wait was told.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dialect/errors.h"
#include "dialect/openai_error.h"

namespace leat::dialect {

struct FinalAnswer {
  static constexpr std::int64_t kNoWait = -1;
  ErrorKind kind = ErrorKind::kNoProvider;
  ShouldRetry should_retry = ShouldRetry::kUnsaid;
  std::int64_t retry_after_s = kNoWait;  // at least 1
};

class FinalError {
 public:
  // Attempts that are told to the client as `previous_errors`.
  static constexpr std::size_t kToldMax = 8;

  // A failure that the provider told. `provider`: its display name, outliving this record.
  void add(const ProviderFailure& failure, std::string_view provider);
  // One that it did not tell: no connection, a reset, a time limit, garbage. `kind`: what of it.
  void add(ErrorKind kind, std::string_view provider);

  std::uint32_t attempts() const { return attempts_; }
  FinalAnswer answer() const;
  // The failed attempts before the last, for ErrorDetail::previous_errors.
  std::span<const PreviousError> previous_errors() const;

 private:
  void note(ErrorKind kind, int status, std::string_view provider);

  std::uint32_t attempts_ = 0;
  std::uint32_t limited_ = 0;
  std::uint32_t transient_ = 0;
  bool several_providers_ = false;
  std::string_view last_provider_;
  std::int64_t least_wait_ms_ = ProviderFailure::kNoWait;
  ErrorKind last_ = ErrorKind::kNoProvider;
  std::array<PreviousError, kToldMax> told_{};
};

}  // namespace leat::dialect
