// SPDX-License-Identifier: Apache-2.0
#include "control/record_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <ctime>
#include <iterator>

#include "proto/json_writer.h"

namespace leat::control {
namespace {

using ledger::UsageRecord;
using ledger::UsageTokens;

// IF YOU ADD A FIELD: here it becomes a key of the JSON and a column of the CSV.
struct TextColumn {
  const char* name;
  std::string_view UsageRecord::*value;
};
constexpr TextColumn kTexts[] = {
    {"id", &UsageRecord::generation_id},
    {"request_id", &UsageRecord::request_id},
    {"key_id", &UsageRecord::key_id},
    {"organisation_id", &UsageRecord::organisation_id},
    {"workspace_id", &UsageRecord::workspace_id},
    {"user_id", &UsageRecord::user_id},
    {"session_id", &UsageRecord::session_id},
    {"app_referer", &UsageRecord::app_referer},
    {"app_title", &UsageRecord::app_title},
    {"api", &UsageRecord::api},
    {"model_asked", &UsageRecord::model_asked},
    {"model", &UsageRecord::model_served},
    {"provider", &UsageRecord::provider},
    {"endpoint", &UsageRecord::endpoint},
    {"upstream_id", &UsageRecord::upstream_id},
    {"service_tier", &UsageRecord::service_tier},
    {"finish_reason", &UsageRecord::finish_reason},
    {"native_finish_reason", &UsageRecord::native_finish_reason},
    {"error_type", &UsageRecord::error_type},
};

struct MoneyColumn {
  const char* name;
  ledger::Nanodollars UsageRecord::*value;
};
constexpr MoneyColumn kMoney[] = {
    {"cost", &UsageRecord::cost},
    {"cost_prompt", &UsageRecord::cost_prompt},
    {"cost_completion", &UsageRecord::cost_completion},
    {"charge", &UsageRecord::charge},
    {"reserved", &UsageRecord::reserved},
    {"shortfall", &UsageRecord::shortfall},
    {"byok_fee", &UsageRecord::byok_fee},
};

struct TokenColumn {
  const char* name;
  std::int64_t UsageTokens::*value;
};
constexpr TokenColumn kTokens[] = {
    {"prompt_tokens", &UsageTokens::prompt},
    {"cached_tokens", &UsageTokens::cached},
    {"cache_write_tokens", &UsageTokens::cache_write},
    {"cache_write_1h_tokens", &UsageTokens::cache_write_1h},
    {"prompt_image_tokens", &UsageTokens::prompt_image},
    {"prompt_audio_tokens", &UsageTokens::prompt_audio},
    {"cached_audio_tokens", &UsageTokens::cached_audio},
    {"completion_tokens", &UsageTokens::completion},
    {"reasoning_tokens", &UsageTokens::reasoning},
    {"completion_image_tokens", &UsageTokens::completion_image},
    {"completion_audio_tokens", &UsageTokens::completion_audio},
    {"images", &UsageTokens::images},
    {"media_completion", &UsageTokens::media_completion},
    {"web_searches", &UsageTokens::web_searches},
};

struct TimeColumn {
  const char* name;
  Duration UsageRecord::*value;
};
constexpr TimeColumn kTimes[] = {
    {"queued_ms", &UsageRecord::queued},
    {"first_token_ms", &UsageRecord::first_token},
    {"total_ms", &UsageRecord::total},
};

struct FlagColumn {
  const char* name;
  bool ledger::UsageFlags::*value;
};
constexpr FlagColumn kFlags[] = {
    {"streamed", &ledger::UsageFlags::is_streamed},
    {"cancelled", &ledger::UsageFlags::is_cancelled},
    {"estimated", &ledger::UsageFlags::is_estimated},
    {"ambiguous", &ledger::UsageFlags::is_ambiguous},
    {"is_byok", &ledger::UsageFlags::is_byok},
    {"clamped", &ledger::UsageFlags::is_clamped},
    {"free", &ledger::UsageFlags::is_free},
    {"recovered", &ledger::UsageFlags::is_recovered},
};

// Milliseconds with their fraction: a queue is passed in microseconds.
std::string milliseconds_text(Duration time) {
  return fmt::format("{}", static_cast<double>(time.us()) / 1000);
}

// Quoted and escaped; what is not UTF-8 is replaced.
void append_json_text(std::string_view text, std::string& out) {
  std::array<char, 2048> buffer;  // six bytes for each of a text's 256, and to spare
  proto::JsonWriter writer(buffer);
  writer.string(text);
  out += writer.text();
}

std::string dollars(ledger::Nanodollars money) {
  std::array<char, 64> buffer;
  proto::JsonWriter writer(buffer);
  writer.dollars(money);
  return std::string(writer.text());
}

void append_attempt(const ledger::UsageAttempt& attempt, std::string& out) {
  out += "{\"endpoint\":";
  append_json_text(attempt.endpoint, out);
  out += ",\"provider\":";
  append_json_text(attempt.provider, out);
  out += ",\"upstream_id\":";
  append_json_text(attempt.upstream_id, out);
  fmt::format_to(std::back_inserter(out),
                 ",\"outcome\":\"{}\",\"status\":{},\"is_byok\":{},\"started_ms\":{},"
                 "\"latency_ms\":{},\"cost\":{}}}",
                 ledger::attempt_outcome_name(attempt.outcome), attempt.status, attempt.is_byok,
                 milliseconds_text(attempt.started), milliseconds_text(attempt.latency),
                 dollars(attempt.cost));
}

}  // namespace

void append_csv_text(std::string_view text, std::string& out) {
  const bool is_formula = !text.empty() && std::string_view("=+-@\t\r").contains(text.front());
  if (!is_formula && text.find_first_of(",\"\r\n") == text.npos) {
    out += text;
    return;
  }
  out += is_formula ? "\"'" : "\"";
  for (const char c : text) {
    out += c;
    if (c == '"') out += c;
  }
  out += '"';
}

std::string rfc3339(WallTime time) {
  std::int64_t seconds = time.unix_seconds();
  std::int64_t rest = time.unix_ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(seconds)),
                     rest / 1'000'000);
}

void append_json_line(const UsageRecord& record, std::string& out) {
  out += "{\"began\":\"" + rfc3339(record.began) + "\"";
  for (const TextColumn& column : kTexts) {
    out += fmt::format(",\"{}\":", column.name);
    append_json_text(record.*column.value, out);
  }
  out += fmt::format(",\"status\":{},\"price_version\":{}", record.status, record.price_version);
  for (const MoneyColumn& column : kMoney) {
    out += fmt::format(",\"{}\":{}", column.name, dollars(record.*column.value));
  }
  for (const TokenColumn& column : kTokens) {
    out += fmt::format(",\"{}\":{}", column.name, record.tokens.*column.value);
  }
  for (const TimeColumn& column : kTimes) {
    out += fmt::format(",\"{}\":{}", column.name, milliseconds_text(record.*column.value));
  }
  for (const FlagColumn& column : kFlags) {
    out += fmt::format(",\"{}\":{}", column.name, record.flags.*column.value);
  }
  out += fmt::format(",\"attempts_made\":{},\"attempts\":[", record.attempts_made);
  bool is_first = true;
  for (const ledger::UsageAttempt& attempt : record.attempts_known()) {
    if (!std::exchange(is_first, false)) out += ',';
    append_attempt(attempt, out);
  }
  out += "]}\n";
}

void append_csv_header(std::string& out) {
  out += "began";
  for (const TextColumn& column : kTexts) (out += ',') += column.name;
  out += ",status,price_version";
  for (const MoneyColumn& column : kMoney) (out += ',') += column.name;
  for (const TokenColumn& column : kTokens) (out += ',') += column.name;
  for (const TimeColumn& column : kTimes) (out += ',') += column.name;
  for (const FlagColumn& column : kFlags) (out += ',') += column.name;
  out += ",attempts_made\r\n";
}

void append_csv_line(const UsageRecord& record, std::string& out) {
  out += rfc3339(record.began);
  for (const TextColumn& column : kTexts) {
    out += ',';
    append_csv_text(record.*column.value, out);
  }
  out += fmt::format(",{},{}", record.status, record.price_version);
  for (const MoneyColumn& column : kMoney) (out += ',') += dollars(record.*column.value);
  for (const TokenColumn& column : kTokens) out += fmt::format(",{}", record.tokens.*column.value);
  for (const TimeColumn& column : kTimes) (out += ',') += milliseconds_text(record.*column.value);
  for (const FlagColumn& column : kFlags) out += fmt::format(",{}", record.flags.*column.value);
  out += fmt::format(",{}\r\n", record.attempts_made);
}

}  // namespace leat::control
