// SPDX-License-Identifier: Apache-2.0
#include "dialect/limit_answers.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace leat::dialect {
namespace {

// Longer is as good as never; sums with the time of day stay in range.
constexpr std::int64_t kTimeMsMax = std::int64_t{10} * 365 * 86'400'000;
constexpr std::int64_t kNanoPerDollar = 1'000'000'000;

ErrorKind kind_of(const LimitRefusal& refusal) {
  switch (refusal.kind) {
    case LimitKind::kConcurrency:
      return ErrorKind::kOverloadedKey;
    case LimitKind::kRequests:
    case LimitKind::kTokens:
    case LimitKind::kDayTokens:
      return ErrorKind::kRateLimitExceeded;
    case LimitKind::kBudget:
      return refusal.owner == LimitOwner::kKey ? ErrorKind::kPaymentRequired
                                               : ErrorKind::kBudgetExceeded;
    case LimitKind::kCredit:
      return ErrorKind::kPaymentRequired;
    case LimitKind::kUnanswered:
      return ErrorKind::kOverloaded;
  }
  LEAT_UNREACHABLE("no such limit");
}

std::string_view unit_of(LimitKind kind) {
  switch (kind) {
    case LimitKind::kRequests:
      return " requests per minute";
    case LimitKind::kTokens:
      return " tokens per minute";
    case LimitKind::kDayTokens:
      return " tokens per day";
    default:
      return " requests at a time";
  }
}

std::string_view name_of(LimitOwner owner) {
  switch (owner) {
    case LimitOwner::kKey:
      return "key";
    case LimitOwner::kWorkspace:
      return "workspace";
    case LimitOwner::kOrganisation:
      return "organization";
  }
  LEAT_UNREACHABLE("no such owner");
}

// "$500.00", "$0.0000015": two places at least, and as many more as there are.
void write_money(std::int64_t nano_dollars, proto::JsonWriter& out) {
  const std::int64_t amount = std::max<std::int64_t>(nano_dollars, 0);
  out.raw("$");
  out.integer(amount / kNanoPerDollar);
  char places[9];
  std::int64_t rest = amount % kNanoPerDollar;
  for (std::size_t i = sizeof places; i-- > 0; rest /= 10) {
    places[i] = static_cast<char>('0' + rest % 10);
  }
  std::size_t count = sizeof places;
  while (count > 2 && places[count - 1] == '0') --count;
  out.raw(".");
  out.raw({places, count});
}

void write_rate(const LimitRefusal& refusal, proto::JsonWriter& out) {
  const std::string_view owner = name_of(refusal.owner);
  if (refusal.needed > refusal.limit) {
    out.raw("This request counts for ");
    out.integer(refusal.needed);
    out.raw(" of the ");
    out.integer(refusal.limit);
    out.raw(unit_of(refusal.kind));
    out.raw(" that this ");
    out.raw(owner);
    out.raw(" may make: it can never be served.");
    return;
  }
  out.raw("Rate limit exceeded: ");
  out.integer(refusal.limit);
  out.raw(unit_of(refusal.kind));
  out.raw(" for this ");
  out.raw(owner);
  out.raw(".");
}

// Of two rates the one whose rest is the smaller share of its limit.
const RateLine& scarcer(const RateLines& lines) {
  const RateLine& requests = lines.requests;
  const RateLine& tokens = lines.tokens;
  if (!requests.is_limited || !tokens.is_limited) return requests.is_limited ? requests : tokens;
  const auto share = [](const RateLine& line) {
    return static_cast<double>(line.remaining) /
           static_cast<double>(std::max<std::int64_t>(line.limit, 1));
  };
  return share(tokens) < share(requests) ? tokens : requests;
}

}  // namespace

void LimitFields::add(std::string_view name, std::string_view value) {
  LEAT_CHECK(count_ < kFieldsMax);
  fields_[count_++] = {name, value};
}

void LimitFields::add(std::string_view name, std::int64_t value) {
  char* const begin = text_.data() + used_;
  const auto written = std::to_chars(begin, text_.data() + text_.size(), value);
  LEAT_CHECK(written.ec == std::errc{});
  used_ = static_cast<std::size_t>(written.ptr - text_.data());
  add(name, std::string_view(begin, written.ptr));
}

// As OpenAI writes them: 12ms, 1s, 6m0s, 11h30m0s. Rounded up, for sooner is too soon.
void LimitFields::add_duration(std::string_view name, std::int64_t ms) {
  const std::span<char> room(text_);
  proto::JsonWriter out(room.subspan(used_));
  if (ms < 1'000) {
    out.integer(std::max<std::int64_t>(ms, 0));
    out.raw("ms");
  } else {
    const std::int64_t seconds = (std::min(ms, kTimeMsMax) + 999) / 1'000;
    if (seconds >= 3'600) {
      out.integer(seconds / 3'600);
      out.raw("h");
    }
    if (seconds >= 60) {
      out.integer(seconds / 60 % 60);
      out.raw("m");
    }
    out.integer(seconds % 60);
    out.raw("s");
  }
  LEAT_CHECK(!out.overflowed());
  used_ += out.size();
  add(name, out.text());
}

void LimitFields::add_rates(Face face, const RateLines& lines, std::int64_t now_unix_ms) {
  if (face == Face::kOpenRouter) {
    const RateLine& line = scarcer(lines);
    if (!line.is_limited) return;
    add("x-ratelimit-limit", line.limit);
    add("x-ratelimit-remaining", line.remaining);
    add("x-ratelimit-reset", now_unix_ms + std::clamp<std::int64_t>(line.reset_ms, 0, kTimeMsMax));
    return;
  }
  if (lines.requests.is_limited) {
    add("x-ratelimit-limit-requests", lines.requests.limit);
    add("x-ratelimit-remaining-requests", lines.requests.remaining);
    add_duration("x-ratelimit-reset-requests", lines.requests.reset_ms);
  }
  if (lines.tokens.is_limited) {
    add("x-ratelimit-limit-tokens", lines.tokens.limit);
    add("x-ratelimit-remaining-tokens", lines.tokens.remaining);
    add_duration("x-ratelimit-reset-tokens", lines.tokens.reset_ms);
  }
}

LimitFields::LimitFields(Face face, const RateLines& lines, std::int64_t now_unix_ms) {
  add_rates(face, lines, now_unix_ms);
}

LimitAnswer::LimitAnswer(Face face, const LimitRefusal& refusal, const RateLines& lines,
                         std::int64_t now_unix_ms)
    : face_(face), kind_(kind_of(refusal)) {
  const bool is_money = refusal.kind == LimitKind::kBudget || refusal.kind == LimitKind::kCredit;
  const bool is_ours = refusal.kind == LimitKind::kUnanswered;
  if (is_ours) {
    fields_.add("retry-after", 1);
    fields_.add("x-should-retry", "true");
  } else if (is_money) {
    fields_.add("x-should-retry", "false");
  } else {
    const bool can_wait = refusal.wait_ms != LimitRefusal::kNoWait;
    if (can_wait) {
      const std::int64_t wait_ms = std::clamp<std::int64_t>(refusal.wait_ms, 1, kTimeMsMax);
      fields_.add("retry-after", (wait_ms + 999) / 1'000);
      fields_.add("retry-after-ms", wait_ms);
    }
    if (!can_wait || refusal.wait_ms > kRetryWaitMsMax) fields_.add("x-should-retry", "false");
    fields_.add_rates(face, lines, now_unix_ms);
  }
  write_message(refusal);
}

void LimitAnswer::write_message(const LimitRefusal& refusal) {
  proto::JsonWriter out(message_);
  switch (refusal.kind) {
    case LimitKind::kConcurrency:
    case LimitKind::kRequests:
    case LimitKind::kTokens:
    case LimitKind::kDayTokens:
      write_rate(refusal, out);
      break;
    case LimitKind::kBudget:
    case LimitKind::kCredit:
      if (kind_ == ErrorKind::kPaymentRequired) {
        // Clients read the two numbers out of this sentence.
        out.raw("This request requires more credits, or fewer max_tokens. You requested up to ");
        out.integer(static_cast<std::int64_t>(
            std::min<std::uint64_t>(refusal.requested_tokens, INT64_MAX)));
        out.raw(" tokens, but can only afford ");
        out.integer(static_cast<std::int64_t>(
            std::min<std::uint64_t>(refusal.affordable_tokens, INT64_MAX)));
        out.raw(".");
      } else {
        out.raw(refusal.owner == LimitOwner::kWorkspace ? "Workspace " : "Organization ");
        out.raw(refusal.period);
        out.raw(refusal.period.empty() ? "budget of " : " budget of ");
        write_money(refusal.limit, out);
        out.raw(" exceeded. Contact your org admin.");
      }
      break;
    case LimitKind::kUnanswered:
      out.raw(error_row(kind_).message);
      break;
  }
  LEAT_CHECK(!out.overflowed());
  message_size_ = out.size();
}

void LimitAnswer::write_body(proto::JsonWriter& out) const {
  ErrorDetail detail;
  detail.message = message();
  const bool is_rate = kind_ == ErrorKind::kRateLimitExceeded || kind_ == ErrorKind::kOverloadedKey;
  if (is_rate) detail.rate_fields = fields();
  write_error_body(face_, kind_, detail, out);
}

}  // namespace leat::dialect
