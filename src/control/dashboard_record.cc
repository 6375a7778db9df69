// SPDX-License-Identifier: Apache-2.0
#include "control/dashboard_record.h"

#include <fmt/format.h>

#include <iterator>

#include "control/account_text.h"
#include "control/listing_json.h"
#include "control/management_parts.h"
#include "control/record_text.h"

namespace leat::control {
namespace {

double ms(Duration time) {
  return static_cast<double>(time.us()) / 1e3;
}

struct FlagRow {
  const char* name;
  bool ledger::UsageFlags::*value;
};
constexpr FlagRow kFlags[] = {
    {"streamed", &ledger::UsageFlags::is_streamed},
    {"cancelled by the client", &ledger::UsageFlags::is_cancelled},
    {"usage estimated", &ledger::UsageFlags::is_estimated},
    {"ambiguous", &ledger::UsageFlags::is_ambiguous},
    {"own provider key", &ledger::UsageFlags::is_byok},
    {"usage cut to the reservation", &ledger::UsageFlags::is_clamped},
    {"free", &ledger::UsageFlags::is_free},
    {"recovered after a crash", &ledger::UsageFlags::is_recovered},
};

std::string flags_json(const ledger::UsageFlags& flags) {
  std::string out;
  for (const FlagRow& row : kFlags) {
    if (flags.*row.value) out += (out.empty() ? "" : ",") + json_text(row.name);
  }
  return "[" + out + "]";
}

std::string attempt_json(const ledger::UsageAttempt& attempt) {
  return fmt::format(
      R"({{"endpoint":{},"provider":{},"outcome":"{}","status":{},"started_ms":{:.3f},)"
      R"("latency_ms":{:.3f},"upstream_id":{},"cost":{}}})",
      json_text(attempt.endpoint), json_text(attempt.provider),
      ledger::attempt_outcome_name(attempt.outcome), attempt.status, ms(attempt.started),
      ms(attempt.latency), json_text(attempt.upstream_id), dollars_text(attempt.cost));
}

}  // namespace

std::string life_json(const ledger::UsageRecord& record) {
  std::string out = fmt::format(
      R"({{"id":{},"request_id":{},"began":"{}","key":{},"app":{},"api":{},"model_asked":{},)"
      R"("model_served":{},"provider":{},"endpoint":{},"finish_reason":{},"error_type":{},)"
      R"("status":{},"queued_ms":{:.3f},"first_token_ms":{:.3f},"total_ms":{:.3f},)",
      json_text(record.generation_id), json_text(record.request_id), rfc3339(record.began),
      json_text(record.key_id),
      json_text(record.app_title.empty() ? record.app_referer : record.app_title),
      json_text(record.api), json_text(record.model_asked), json_text(record.model_served),
      json_text(record.provider), json_text(record.endpoint), json_text(record.finish_reason),
      json_text(record.error_type), record.status, ms(record.queued), ms(record.first_token),
      ms(record.total));
  fmt::format_to(
      std::back_inserter(out),
      R"("prompt_tokens":{},"cached_tokens":{},"completion_tokens":{},"reasoning_tokens":{},)"
      R"("charge":{},"cost":{},"reserved":{},"shortfall":{},"flags":{},"attempts_made":{},)"
      R"("attempts":[)",
      record.tokens.prompt, record.tokens.cached, record.tokens.completion, record.tokens.reasoning,
      dollars_text(record.charge), dollars_text(record.cost), dollars_text(record.reserved),
      dollars_text(record.shortfall), flags_json(record.flags), record.attempts_made);
  for (const ledger::UsageAttempt& attempt : record.attempts_known()) {
    if (!out.ends_with('[')) out += ',';
    out += attempt_json(attempt);
  }
  return out + "]}";
}

ManagementAnswer life_answer(const RecordLookup& lookup, std::string_view id,
                             const UsageViewer& viewer) {
  const auto found = find_record(lookup, id, viewer);
  return found.answer ? *found.answer
                      : ManagementAnswer{200, R"({"data":)" + life_json(found.record) + "}"};
}

}  // namespace leat::control
