// SPDX-License-Identifier: Apache-2.0
#include "dialect/final_error.h"

#include <algorithm>

namespace leat::dialect {

namespace {

bool is_transient(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kRateLimitExceeded:
    case ErrorKind::kProviderOverloaded:
    case ErrorKind::kProviderUnavailable:
    case ErrorKind::kUpstreamTimeout:
    case ErrorKind::kUpstreamClosed:
    case ErrorKind::kUpstreamProtocol:
    case ErrorKind::kNoProvider:
      return true;
    default:
      return false;
  }
}

}  // namespace

void FinalError::note(ErrorKind kind, int status, std::string_view provider) {
  if (attempts_ > 0 && provider != last_provider_) several_providers_ = true;
  last_provider_ = provider;
  if (attempts_ < kToldMax) told_[attempts_] = {provider, error_row(kind).error_type, status};
  ++attempts_;
  last_ = kind;
  if (is_transient(kind)) ++transient_;
}

void FinalError::add(const ProviderFailure& failure, std::string_view provider) {
  note(retry_row(failure.failure).kind, failure.status, provider);
  if (failure.failure != FailureClass::kRateLimit) return;
  ++limited_;
  if (failure.wait_ms == ProviderFailure::kNoWait) return;
  const bool is_first = least_wait_ms_ == ProviderFailure::kNoWait;
  least_wait_ms_ = is_first ? failure.wait_ms : std::min(least_wait_ms_, failure.wait_ms);
}

void FinalError::add(ErrorKind kind, std::string_view provider) {
  note(kind, error_row(kind).status, provider);
}

FinalAnswer FinalError::answer() const {
  FinalAnswer answer;
  answer.kind = last_;
  if (attempts_ == 0) return answer;
  answer.should_retry = ShouldRetry::kFalse;
  if (limited_ == attempts_) {
    answer.kind = ErrorKind::kCapacityExhausted;
    if (least_wait_ms_ != ProviderFailure::kNoWait) {
      answer.retry_after_s = std::max<std::int64_t>(1, (least_wait_ms_ + 999) / 1'000);
      answer.should_retry = ShouldRetry::kUnsaid;
    }
  } else if (several_providers_ && transient_ == attempts_) {
    answer.kind = ErrorKind::kTemporarilyUnavailable;
  }
  return answer;
}

std::span<const PreviousError> FinalError::previous_errors() const {
  const std::size_t before_last = attempts_ == 0 ? 0 : attempts_ - 1;
  return std::span(told_).first(std::min(before_last, kToldMax));
}

}  // namespace leat::dialect
