// SPDX-License-Identifier: Apache-2.0
// [log], [content_log] and [trace]: what is told of requests, and to whom.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "control/addresses.h"
#include "control/config_sections.h"
#include "control/exact_price.h"
#include "control/redaction.h"
#include "control/settings_reader.h"
#include "proto/http1_write.h"

namespace leat::control {
namespace {

constexpr std::int64_t kUrlMax = 2'048;
constexpr std::int64_t kPathMax = 4'096;  // PATH_MAX
constexpr std::string_view kShareForm = "write 0 to 100, or text such as \"0.25\"";

// Text or a whole number, in millionths; none: what stands there is no share.
std::optional<std::uint32_t> share_ppm(const TomlValue& value) {
  std::string text;
  if (value.kind == TomlValue::Kind::kInteger) text = fmt::format("{}", value.integer);
  if (value.kind == TomlValue::Kind::kText) text = value.text;
  const auto percent = parse_price(text, PriceUnit::kPerUnit);  // in 1e-12
  constexpr std::int64_t kPerPpm = 100'000'000;                 // of a percent
  if (!percent || !percent->is_exact || percent->value % kPerPpm != 0) return std::nullopt;
  const std::int64_t ppm = percent->value / kPerPpm;
  if (ppm < 0 || ppm > 1'000'000) return std::nullopt;
  return static_cast<std::uint32_t>(ppm);
}

void read_endpoint(Reading& reading, const TomlMember& member) {
  TraceSettings& trace = reading.options.trace;
  std::string text;
  store(member.value, {1, kUrlMax}, "trace.endpoint", text, reading.faults);
  if (text.empty()) return;
  Parsed<BaseUrl> url = parse_base_url(text);
  if (!url) {
    reading.faults.add(member.line, "trace.endpoint", url.error());
  } else if (url->path_prefix.empty()) {
    reading.faults.add(member.line, "trace.endpoint",
                       "has no path; collectors take spans at /v1/traces");
  } else {
    trace.endpoint = std::move(*url);
    trace.enabled = true;
  }
}

// "Name" or "Name: Word", of a header that says nothing of how the request is framed.
bool is_header(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (!proto::is_token(name)) return false;
  for (const std::string_view ours :
       {"host", "content-length", "content-type", "connection", "transfer-encoding", "expect"}) {
    if (proto::equal_ignoring_case(ours, name)) return false;
  }
  if (colon == std::string_view::npos) return true;
  return text.substr(colon).starts_with(": ") && proto::is_token(text.substr(colon + 2));
}

// A list of words, each out of `known`: their bits. None: there was a fault.
std::optional<std::uint32_t> read_words(Reading& reading, const TomlMember& member,
                                        const std::string& path,
                                        std::span<const std::string_view> known) {
  if (!expect(member.value, TomlValue::Kind::kArray, path, reading.faults)) return std::nullopt;
  std::uint32_t bits = 0;
  for (const TomlValue& item : member.value.items) {
    if (!expect(item, TomlValue::Kind::kText, path, reading.faults)) return std::nullopt;
    const auto found = std::ranges::find(known, item.text);
    if (found == known.end()) {
      reading.faults.add(item.line, path,
                         fmt::format("\"{}\" is not known; write any of \"{}\"",
                                     printable(item.text), fmt::join(known, "\", \"")));
      return std::nullopt;
    }
    bits |= 1U << (found - known.begin());
  }
  return bits;
}

}  // namespace

void read_log(Reading& reading, const TomlValue& root) {
  const TomlValue& table = section(reading, root, "log");
  LogSettings& log = reading.options.log;
  read_settings(table, "log", log_settings(), log, reading.faults);
  if (const TomlMember* file = table.find("access_file"); file != nullptr) {
    store(file->value, {1, kPathMax}, "log.access_file", log.access_file, reading.faults);
    if (log.access_file == "-") log.access_file.clear();
    if (!log.access_file.empty()) log.access_file = resolved_path(reading, log.access_file);
  }
  read_choice(table, "log", "access", kAccessWords, log.access, reading.faults);
}

void read_content_log(Reading& reading, const TomlValue& root) {
  const TomlValue& table = section(reading, root, "content_log");
  ContentLogSettings& log = reading.options.content_log;
  read_settings(table, "content_log", content_log_settings(), log, reading.faults);
  if (!log.folder.empty()) {
    log.folder = resolved_path(reading, log.folder);
  } else if (!reading.logged_key.key.empty()) {
    reading.faults.add(reading.logged_key.line, reading.logged_key.key,
                       "has no place to log to; write folder = \"...\" under [content_log]");
  }
  if (const TomlMember* redact = table.find("redact")) {
    log.redact = read_words(reading, *redact, "content_log.redact", kRedactNames).value_or(0);
  }
  if (const TomlMember* parts = table.find("parts")) {
    constexpr std::array<std::string_view, 2> kParts = {"request", "answer"};
    const auto bits = read_words(reading, *parts, "content_log.parts", kParts);
    log.logs_requests = (bits.value_or(0) & 1) != 0;
    log.logs_answers = (bits.value_or(0) & 2) != 0;
    if (bits == 0U) {
      reading.faults.add(parts->line, "content_log.parts",
                         "is empty; to log nothing, set log_content of no key");
    }
  }
  if (log.total_mib_max < log.file_mib_max) {
    reading.faults.add(table.line, "content_log.total_mib_max",
                       "is less than file_mib_max; write at least as much");
  }
}

void read_trace(Reading& reading, const TomlValue& root) {
  const TomlValue& table = section(reading, root, "trace");
  TraceSettings& trace = reading.options.trace;
  read_settings(table, "trace", trace_settings(), trace, reading.faults);
  if (const TomlMember* endpoint = table.find("endpoint")) read_endpoint(reading, *endpoint);
  if (const TomlMember* secret = table.find("secret")) {
    trace.secret = read_secret_source(reading, secret->value, "trace.secret", nullptr);
  }
  if (!is_header(trace.secret_header)) {
    reading.faults.add(
        table.find("secret_header")->line, "trace.secret_header",
        "is no header for a credential; write \"Authorization: Bearer\" or \"NAME\"");
  }
  if (const TomlMember* share = table.find("sample_percent")) {
    if (const auto ppm = share_ppm(share->value)) {
      trace.sample_ppm = *ppm;
    } else {
      reading.faults.add(share->line, "trace.sample_percent",
                         fmt::format("is no share of requests; {}", kShareForm));
    }
  }
  if (!trace.ca_file.empty()) {
    trace.ca_file = resolved_path(reading, trace.ca_file);
    read_pem(reading, trace.ca_file, "-----BEGIN CERTIFICATE-----", table.find("ca_file")->line,
             "trace.ca_file");
  } else if (trace.enabled && trace.endpoint.tls && !reading.has_system_roots) {
    reading.faults.add(table.line, "trace.ca_file",
                       "is needed, since this system has no authorities of its own");
  }
}

}  // namespace leat::control
