// SPDX-License-Identifier: Apache-2.0
// LimitAnswer: what a client is told when one of its limits refuses a request, as status, header
// fields and body of either face (openrouter-api.md 2.14, 4.1, 4.2, 4.15; threats-and-faults.md
// 3.4). LimitFields: the x-ratelimit fields alone, for answers that succeed. Bytes only: knows
// neither accounts nor clocks; holds its own text, so it is not copied. Nothing of a client's bytes
// is in it.
//
//     a rate, or too much at once    429, with how long to wait
//     a key's limit, or credit       402, with what could be afforded
//     a workspace's or organisation's budget   403
//     no answer from a limit's home  503
//
// Both SDKs try again by themselves, and wait as told only up to a minute (provider-formats.md 1):
// where money or a longer wait is missing they are told not to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dialect/errors.h"
#include "dialect/face.h"
#include "proto/http1_field.h"
#include "proto/json_writer.h"

namespace leat::dialect {

enum class LimitKind : std::uint8_t {
  kConcurrency,
  kRequests,   // a minute
  kTokens,     // a minute
  kDayTokens,  // a day
  kBudget,
  kCredit,
  kUnanswered,  // nobody could say: ours, not the client's doing
};
enum class LimitOwner : std::uint8_t { kKey, kWorkspace, kOrganisation };

// A rate as the headers tell it.
struct RateLine {
  bool is_limited = false;
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  std::int64_t reset_ms = 0;  // from now
};
struct RateLines {
  RateLine requests;
  RateLine tokens;
};

struct LimitRefusal {
  static constexpr std::int64_t kNoWait = -1;

  LimitKind kind = LimitKind::kRequests;
  LimitOwner owner = LimitOwner::kKey;
  std::string_view period;         // of a budget: "daily", "weekly", "monthly", or empty; static
  std::int64_t limit = 0;          // requests or tokens; nano-dollars of money
  std::int64_t needed = 0;         // the same unit: what this request counts for
  std::int64_t wait_ms = kNoWait;  // kNoWait: no wait helps
  // Of money: the output tokens that were asked for, and how many would have been covered.
  std::uint64_t requested_tokens = 0;
  std::uint64_t affordable_tokens = 0;
};

// Longer waits are not worth an SDK's own try.
inline constexpr std::int64_t kRetryWaitMsMax = 60'000;

// `x-ratelimit-…`: on the OpenAI face for requests and tokens each, with durations; on the
// OpenRouter face of the rate that leaves the smaller share, with the reset as a point in time.
class LimitFields {
 public:
  LimitFields(Face face, const RateLines& lines, std::int64_t now_unix_ms);
  LimitFields(const LimitFields&) = delete;
  LimitFields& operator=(const LimitFields&) = delete;

  // Valid while this lives.
  std::span<const proto::Field> fields() const { return std::span(fields_).first(count_); }

 private:
  friend class LimitAnswer;
  LimitFields() = default;
  void add(std::string_view name, std::string_view value);
  void add(std::string_view name, std::int64_t value);
  void add_duration(std::string_view name, std::int64_t ms);
  void add_rates(Face face, const RateLines& lines, std::int64_t now_unix_ms);

  static constexpr std::size_t kFieldsMax = 9;
  std::array<proto::Field, kFieldsMax> fields_;
  std::size_t count_ = 0;
  std::array<char, 32 * kFieldsMax> text_;
  std::size_t used_ = 0;
};

class LimitAnswer {
 public:
  LimitAnswer(Face face, const LimitRefusal& refusal, const RateLines& lines,
              std::int64_t now_unix_ms);
  LimitAnswer(const LimitAnswer&) = delete;
  LimitAnswer& operator=(const LimitAnswer&) = delete;

  ErrorKind kind() const { return kind_; }
  int status() const { return error_row(kind_).status; }
  std::string_view message() const { return {message_.data(), message_size_}; }
  // retry-after, retry-after-ms, x-should-retry and x-ratelimit-…; valid while this lives.
  std::span<const proto::Field> fields() const { return fields_.fields(); }
  // `{"error":{…}}`.
  void write_body(proto::JsonWriter& out) const;

 private:
  void write_message(const LimitRefusal& refusal);

  Face face_;
  ErrorKind kind_;
  LimitFields fields_;
  std::array<char, 320> message_;
  std::size_t message_size_ = 0;
};

}  // namespace leat::dialect
