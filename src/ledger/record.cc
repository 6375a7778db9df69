// SPDX-License-Identifier: Apache-2.0
#include "ledger/record.h"

#include <algorithm>

#include "base/check.h"
#include "ledger/varint.h"

namespace leat::ledger {

namespace {

constexpr std::uint8_t kVersion = 1;

// IF YOU ADD A FIELD: at the end of its list. The lists are the format: one order for both ways.

constexpr std::int64_t UsageTokens::*kTokenClasses[] = {
    &UsageTokens::prompt,           &UsageTokens::cached,           &UsageTokens::cache_write,
    &UsageTokens::cache_write_1h,   &UsageTokens::prompt_image,     &UsageTokens::prompt_audio,
    &UsageTokens::cached_audio,     &UsageTokens::completion,       &UsageTokens::reasoning,
    &UsageTokens::completion_image, &UsageTokens::completion_audio, &UsageTokens::images,
    &UsageTokens::media_completion, &UsageTokens::web_searches,
};

constexpr bool UsageFlags::*kFlags[] = {
    &UsageFlags::is_streamed,  &UsageFlags::is_cancelled, &UsageFlags::is_estimated,
    &UsageFlags::is_ambiguous, &UsageFlags::is_byok,      &UsageFlags::is_clamped,
    &UsageFlags::is_free,      &UsageFlags::is_recovered,
};

constexpr Nanodollars UsageRecord::*kMoney[] = {
    &UsageRecord::cost,     &UsageRecord::cost_prompt, &UsageRecord::cost_completion,
    &UsageRecord::charge,   &UsageRecord::reserved,    &UsageRecord::shortfall,
    &UsageRecord::byok_fee,
};

constexpr Duration UsageRecord::*kTimes[] = {
    &UsageRecord::queued,
    &UsageRecord::first_token,
    &UsageRecord::total,
};

struct Text {
  std::string_view UsageRecord::*member;
  std::size_t size_max;
};

constexpr Text kTexts[] = {
    {&UsageRecord::generation_id, RecordLimits::kIdMax},
    {&UsageRecord::request_id, RecordLimits::kIdMax},
    {&UsageRecord::key_id, RecordLimits::kIdMax},
    {&UsageRecord::organisation_id, RecordLimits::kIdMax},
    {&UsageRecord::workspace_id, RecordLimits::kIdMax},
    {&UsageRecord::user_id, RecordLimits::kClientMax},
    {&UsageRecord::session_id, RecordLimits::kClientMax},
    {&UsageRecord::app_referer, RecordLimits::kClientMax},
    {&UsageRecord::app_title, RecordLimits::kClientMax},
    {&UsageRecord::api, RecordLimits::kIdMax},
    {&UsageRecord::model_asked, RecordLimits::kNameMax},
    {&UsageRecord::model_served, RecordLimits::kNameMax},
    {&UsageRecord::provider, RecordLimits::kNameMax},
    {&UsageRecord::endpoint, RecordLimits::kNameMax},
    {&UsageRecord::upstream_id, RecordLimits::kNameMax},
    {&UsageRecord::service_tier, RecordLimits::kIdMax},
    {&UsageRecord::finish_reason, RecordLimits::kIdMax},
    {&UsageRecord::native_finish_reason, RecordLimits::kIdMax},
    {&UsageRecord::error_type, RecordLimits::kIdMax},
};

constexpr std::size_t text_bytes_max() {
  std::size_t sum = 0;
  for (const Text& text : kTexts) sum += text.size_max + 2;
  return sum;
}
constexpr std::size_t kAttemptBytesMax = 2 + 3 * (RecordLimits::kNameMax + 2) + 8 * kVarintBytesMax;
constexpr std::size_t kNumberBytesMax =
    kVarintBytesMax * (5 + std::size(kTokenClasses) + std::size(kMoney) + std::size(kTimes));
// With room for what VarintWriter demands before it writes a number.
static_assert(1 + 2 + kNumberBytesMax + UsageRecord::kAttemptsMax * kAttemptBytesMax +
                  text_bytes_max() + 3 * kVarintBytesMax <=
              kRecordBytesMax);

void encode_attempt(const UsageAttempt& attempt, VarintWriter& out) {
  out.number(static_cast<std::uint64_t>(attempt.outcome));
  out.number(attempt.status);
  out.number(attempt.is_byok ? 1 : 0);
  out.signed_number(attempt.started.ns);
  out.signed_number(attempt.latency.ns);
  out.signed_number(attempt.cost);
  out.bytes(cut_text(attempt.endpoint, RecordLimits::kNameMax));
  out.bytes(cut_text(attempt.provider, RecordLimits::kNameMax));
  out.bytes(cut_text(attempt.upstream_id, RecordLimits::kNameMax));
}

bool decode_attempt(std::string_view bytes, UsageAttempt& attempt) {
  VarintReader in(bytes);
  const std::uint64_t outcome = in.number();
  const std::uint64_t status = in.number();
  attempt.outcome = static_cast<AttemptOutcome>(outcome);
  attempt.status = static_cast<std::uint16_t>(status);
  attempt.is_byok = (in.number() & 1) != 0;
  attempt.started.ns = in.signed_number();
  attempt.latency.ns = in.signed_number();
  attempt.cost = in.signed_number();
  attempt.endpoint = in.bytes();
  attempt.provider = in.bytes();
  attempt.upstream_id = in.bytes();
  return in.ok() && outcome < kAttemptOutcomes && status <= UINT16_MAX;
}

void encode_numbers(const UsageRecord& record, VarintWriter& out) {
  std::uint64_t flags = 0;
  for (std::size_t i = 0; i < std::size(kFlags); ++i) {
    if (record.flags.*kFlags[i]) flags |= std::uint64_t{1} << i;
  }
  out.number(flags);
  out.number(record.status);
  out.number(record.attempts_made);
  out.number(record.price_version);
  out.signed_number(record.began.unix_ns);
  for (const auto money : kMoney) out.signed_number(record.*money);
  for (const auto time : kTimes) out.signed_number((record.*time).ns);
  for (const auto tokens : kTokenClasses) {
    out.number(static_cast<std::uint64_t>(std::max<std::int64_t>(record.tokens.*tokens, 0)));
  }
}

bool decode_numbers(std::string_view bytes, UsageRecord& record) {
  VarintReader in(bytes);
  const std::uint64_t flags = in.number_or_zero();
  for (std::size_t i = 0; i < std::size(kFlags); ++i) record.flags.*kFlags[i] = flags >> i & 1;
  const std::uint64_t status = in.number_or_zero();
  record.status = static_cast<std::uint16_t>(status);
  const std::uint64_t attempts_made = in.number_or_zero();
  record.attempts_made = static_cast<std::uint32_t>(attempts_made);
  record.price_version = in.number_or_zero();
  record.began.unix_ns = in.signed_or_zero();
  for (const auto money : kMoney) record.*money = in.signed_or_zero();
  for (const auto time : kTimes) (record.*time).ns = in.signed_or_zero();
  bool in_range = status <= UINT16_MAX && attempts_made <= UINT32_MAX;
  for (const auto tokens : kTokenClasses) {
    record.tokens.*tokens = static_cast<std::int64_t>(in.number_or_zero());
    in_range = in_range && record.tokens.*tokens >= 0;
  }
  return in.ok() && in_range;
}

std::unexpected<Error> malformed(const char* what) {
  return fail({.code = Code::kInvalid, .what = what});
}

Result<bool> check_version(VarintReader& in) {
  const std::uint64_t version = in.number();
  if (!in.ok() || version == 0) return malformed("a record without a version");
  if (version != kVersion) {
    return fail({.code = Code::kUnsupported, .what = "a record of a later version"});
  }
  return true;
}

}  // namespace

std::string_view attempt_outcome_name(AttemptOutcome outcome) {
  static constexpr std::string_view kNames[] = {"succeeded",  "not_executed",  "refused",
                                                "ambiguous",  "failed_midway", "client_gone",
                                                "hedged_away"};
  static_assert(std::size(kNames) == kAttemptOutcomes);
  return kNames[static_cast<std::size_t>(outcome)];
}

std::string_view cut_text(std::string_view text, std::size_t size_max) {
  if (text.size() <= size_max) return text;
  std::size_t end = size_max;
  const auto continues = [&](std::size_t at) {
    return (static_cast<std::uint8_t>(text[at]) & 0xc0) == 0x80;
  };
  for (int i = 0; i < 3 && end > 0 && continues(end); ++i) --end;
  return text.substr(0, continues(end) ? size_max : end);
}

std::size_t encode(const UsageRecord& record, std::span<char> out) {
  LEAT_CHECK(out.size() >= kRecordBytesMax && record.attempt_count <= UsageRecord::kAttemptsMax);
  VarintWriter writer(out);
  writer.number(kVersion);
  writer.section([&](VarintWriter& numbers) { encode_numbers(record, numbers); });
  writer.number(record.attempt_count);
  for (const UsageAttempt& attempt : record.attempts_known()) {
    writer.section([&](VarintWriter& into) { encode_attempt(attempt, into); });
  }
  writer.number(std::size(kTexts));
  for (const Text& text : kTexts) writer.bytes(cut_text(record.*text.member, text.size_max));
  return writer.size();
}

Result<bool> decode(std::span<const char> bytes, UsageRecord& record) {
  VarintReader in({bytes.data(), bytes.size()});
  record.attempt_count = 0;
  for (const Text& text : kTexts) record.*text.member = {};
  LEAT_TRY_VOID(check_version(in));
  if (!decode_numbers(in.section(), record)) return malformed("numbers of a record");
  const std::uint64_t attempts = in.number();
  for (std::uint64_t i = 0; i < attempts && in.ok(); ++i) {
    const std::string_view attempt = in.section();
    if (i >= UsageRecord::kAttemptsMax) continue;
    if (!decode_attempt(attempt, record.attempts[i])) return malformed("an attempt of a record");
    ++record.attempt_count;
  }
  const std::uint64_t texts = in.number();
  for (std::uint64_t i = 0; i < texts && in.ok(); ++i) {
    const std::string_view value = in.bytes();
    if (i >= std::size(kTexts)) continue;
    if (value.size() > kTexts[i].size_max) return malformed("a text of a record is too long");
    record.*kTexts[i].member = value;
  }
  if (!in.ok()) return malformed("a record that is cut short");
  return true;
}

Result<UsageRecord> decode(std::span<const char> bytes) {
  Result<UsageRecord>
      record;  // filled in where it is returned: it is larger than what it is read of
  if (const auto done = decode(bytes, *record); !done) record = fail(done.error());
  return record;
}

Result<std::string_view> decode_generation_id(std::span<const char> bytes) {
  static_assert(kTexts[0].member == &UsageRecord::generation_id);
  VarintReader in({bytes.data(), bytes.size()});
  LEAT_TRY_VOID(check_version(in));
  in.section();
  const std::uint64_t attempts = in.number();
  for (std::uint64_t i = 0; i < attempts && in.ok(); ++i) in.section();
  const std::uint64_t texts = in.number();
  const std::string_view id = texts > 0 ? in.bytes() : std::string_view();
  if (!in.ok()) return malformed("a record that is cut short");
  return id;
}

}  // namespace leat::ledger
