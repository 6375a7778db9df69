// SPDX-License-Identifier: Apache-2.0
#include "control/management_usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

#include "control/account_text.h"
#include "control/dashboard_record.h"
#include "control/dashboard_usage.h"
#include "control/ledger_usage.h"
#include "control/listing_json.h"
#include "control/management_parts.h"
#include "control/record_text.h"
#include "control/statement.h"
#include "control/usage_book.h"
#include "gateway/configured_keys.h"

namespace leat::control {
namespace {

constexpr std::int32_t kActivityDays = 30;
// Of the store, on a dashboard: its newest.
constexpr std::int64_t kNamedKeysMax = 1'000;

// What stands in records where the store has a name for it.
KeyNames names_of(const std::vector<KeyRecord>& keys) {
  KeyNames names;
  for (const KeyRecord& record : keys) {
    names[AccountNames().text(policy::AccountLevel::kKey, record.key.id)] = record.key.name;
  }
  return names;
}

std::string text_or_null(std::string_view text) {
  return text.empty() ? "null" : json_text(text);
}

std::string milliseconds_or_null(Duration time) {
  return time.ns <= 0 ? "null" : fmt::to_string(time.ms());
}

// OpenRouter's name of an API (UsageRecord::api); null for one that it has not.
std::string_view api_type(std::string_view api) {
  if (api == "chat" || api == "completions") return R"("completions")";
  if (api == "embeddings") return R"("embeddings")";
  return "null";
}

std::string attempt_json(const ledger::UsageAttempt& attempt, const ledger::UsageRecord& record) {
  std::string out =
      fmt::format(R"({{"endpoint_id":{},"provider_name":{},"is_byok":{},)",
                  json_text(attempt.endpoint), json_text(attempt.provider), attempt.is_byok);
  if (!attempt.upstream_id.empty()) {
    fmt::format_to(std::back_inserter(out), R"("id":{},)", json_text(attempt.upstream_id));
  }
  const std::string status = attempt.status == 0 ? "null" : fmt::to_string(attempt.status);
  fmt::format_to(std::back_inserter(out), R"("latency":{},"model_permaslug":{},"status":{}}})",
                 attempt.latency.ms(), json_text(record.model_served), status);
  return out;
}

std::string attempts_json(const ledger::UsageRecord& record) {
  std::string out = "[";
  for (const ledger::UsageAttempt& attempt : record.attempts_known()) {
    if (out.size() > 1) out += ',';
    out += attempt_json(attempt, record);
  }
  return out + "]";
}

// One line of /activity, and what is added up in it.
struct ActivityPlace {
  std::int32_t day = 0;
  std::string model;
  std::string endpoint;
  std::string provider;

  // Newest first.
  bool operator<(const ActivityPlace& other) const {
    return std::tie(other.day, model, endpoint, provider) <
           std::tie(day, other.model, other.endpoint, other.provider);
  }
};

std::string activity_json(const ActivityPlace& place, const UsageSums& sums) {
  return fmt::format(
      R"({{"date":"{}","model":{},"model_permaslug":{},"endpoint_id":{},"provider_name":{},)"
      R"("usage":{},"byok_usage_inference":{},"requests":{},"prompt_tokens":{},)"
      R"("completion_tokens":{},"reasoning_tokens":{}}})",
      day_text(place.day), json_text(place.model), json_text(place.model),
      json_text(place.endpoint), json_text(place.provider), dollars_text(sums.charge),
      dollars_text(sums.byok_cost), sums.requests, sums.prompt_tokens, sums.completion_tokens,
      sums.reasoning_tokens);
}

}  // namespace

bool UsageViewer::sees(std::string_view record_organisation, std::string_view record_key) const {
  if (is_operator) return true;
  if (!organisation.empty() && !record_organisation.empty()) {
    return organisation == record_organisation;
  }
  return !key.empty() && key == record_key;
}

std::string generation_json(const ledger::UsageRecord& record) {
  const ledger::UsageTokens& tokens = record.tokens;
  const std::string_view model =
      record.model_served.empty() ? record.model_asked : record.model_served;
  std::string out = fmt::format(
      R"({{"id":{},"request_id":{},"session_id":{},"api_type":{},"created_at":"{}","model":{},)"
      R"("router":null,"origin":{},"app_id":null,"http_referer":{},"user_agent":null,)"
      R"("external_user":{},"preset_id":null,"workspace_id":{},"data_region":"global",)",
      json_text(record.generation_id), text_or_null(record.request_id),
      text_or_null(record.session_id), api_type(record.api), rfc3339(record.began),
      json_text(model), json_text(record.app_referer), text_or_null(record.app_referer),
      text_or_null(record.user_id), text_or_null(record.workspace_id));
  fmt::format_to(
      std::back_inserter(out),
      R"("provider_name":{},"provider_responses":{},"upstream_id":{},"streamed":{},)"
      R"("cancelled":{},"finish_reason":{},"native_finish_reason":{},"latency":{},)"
      R"("generation_time":{},"moderation_latency":null,"response_cache_source_id":null,)",
      text_or_null(record.provider), attempts_json(record), text_or_null(record.upstream_id),
      record.flags.is_streamed, record.flags.is_cancelled, text_or_null(record.finish_reason),
      text_or_null(record.native_finish_reason), milliseconds_or_null(record.total),
      milliseconds_or_null(record.total - record.queued));
  fmt::format_to(
      std::back_inserter(out),
      R"("tokens_prompt":{0},"tokens_completion":{1},"native_tokens_prompt":{0},)"
      R"("native_tokens_completion":{1},"native_tokens_reasoning":{2},"native_tokens_cached":{3},)"
      R"("native_tokens_completion_images":{4},"num_media_prompt":{5},"num_media_completion":{6},)"
      R"("num_input_audio_prompt":null,"num_search_results":{7},"num_fetches":null,)",
      tokens.prompt, tokens.completion, tokens.reasoning, tokens.cached, tokens.completion_image,
      tokens.images, tokens.media_completion, tokens.web_searches);
  const std::string upstream = record.flags.is_byok ? dollars_text(record.cost) : "null";
  fmt::format_to(std::back_inserter(out),
                 R"("web_search_engine":null,"service_tier":{},"is_byok":{},"usage":{},)"
                 R"("total_cost":{},"upstream_inference_cost":{},"cache_discount":null}})",
                 text_or_null(record.service_tier), record.flags.is_byok,
                 dollars_text(record.charge), dollars_text(record.charge), upstream);
  return out;
}

FoundRecord find_record(const RecordLookup& lookup, std::string_view id,
                        const UsageViewer& viewer) {
  FoundRecord found;
  if (id.empty() || id.size() > ledger::RecordLimits::kIdMax) {
    found.answer = refusal(400, "`id` must be the id of a generation.");
    return found;
  }
  const auto bytes = lookup.find(id);
  if (!bytes) {
    found.answer = refusal(500, "The ledger cannot be read at present.");
    return found;
  }
  if (*bytes) found.bytes.assign((*bytes)->begin(), (*bytes)->end());
  const auto record = ledger::decode(found.bytes);
  if (!record || !viewer.sees(record->organisation_id, record->key_id)) {
    found.answer = refusal(404, "There is no such generation.");
    return found;
  }
  found.record = *record;
  return found;
}

ManagementAnswer generation_answer(const RecordLookup& lookup, std::string_view id,
                                   const UsageViewer& viewer) {
  const FoundRecord found = find_record(lookup, id, viewer);
  if (found.answer) return *found.answer;
  return {200, R"({"data":)" + generation_json(found.record) + "}"};
}

ManagementAnswer activity_answer(const UsageTable& days, const ActivityQuery& query,
                                 const UsageViewer& viewer, WallTime now) {
  const std::int32_t today = day_of(now);
  std::int32_t first = today - kActivityDays;
  std::int32_t last = today - 1;
  if (query.date) {
    const auto asked = parse_iso_time(*query.date + "T00:00:00Z");
    const std::int32_t day =
        asked && query.date->size() == 10 ? day_of({*asked * 1'000'000'000}) : 0;
    if (day < first || day > last) {
      return refusal(400, "`date` must be one of the last 30 whole UTC days, as 2026-11-21.");
    }
    first = last = day;
  }
  std::map<ActivityPlace, UsageSums> lines;
  days.each([&](const UsageTable::Row& row) {
    const std::string_view key = row.field(UsageField::kKey);
    if (row.day < first || row.day > last || (query.key && *query.key != key)) return;
    if (query.keys && !query.keys->contains(key)) return;
    if (!viewer.sees(row.field(UsageField::kOrganisation), key)) return;
    lines[{.day = row.day,
           .model = std::string(row.field(UsageField::kModel)),
           .endpoint = std::string(row.field(UsageField::kEndpoint)),
           .provider = std::string(row.field(UsageField::kProvider))}]
        .add(row.sums);
  });
  std::string out = R"({"data":[)";
  for (const auto& [place, sums] : lines) {
    if (!out.ends_with('[')) out += ',';
    out += activity_json(place, sums);
  }
  return {200, out + "]}"};
}

// The key as records name it; empty: there is no such.
std::string ManagementUsage::name_of(const KeyDigest& digest) const {
  for (std::size_t i = 0; configured_ != nullptr && i < configured_->keys.size(); ++i) {
    if (configured_->keys[i].sha256 == digest) return configured_->keys[i].name;
  }
  const auto record = store_.key(digest);
  return record ? AccountNames().text(policy::AccountLevel::kKey, record->key.id) : "";
}

// Keys of the configuration stand in one organisation without being one customer's.
UsageViewer ManagementUsage::viewer() const {
  const ManagementActor& actor = call_.request.actor;
  UsageViewer viewer{.is_operator = actor.is_operator, .organisation = "", .key = ""};
  if (actor.organisation != gateway::kConfiguredOrganisation) {
    viewer.organisation =
        AccountNames().text(policy::AccountLevel::kOrganisation, actor.organisation);
  }
  if (actor.key) viewer.key = name_of(*actor.key);
  return viewer;
}

ManagementAnswer ManagementUsage::generation() {
  if (!call_.is("GET")) return method_not_allowed();
  if (ledger_ == nullptr) return refusal(404, "There is no such generation.");
  const auto id = call_.parameter("id");
  return generation_answer(ledger_->up_to_date(call_.now).lookup(), id.value_or(""), viewer());
}

ManagementAnswer ManagementUsage::dashboard() {
  if (!call_.is("GET")) return method_not_allowed();
  if (ledger_ == nullptr) {
    return refusal(404,
                   "There is no ledger: without `[ledger]` nothing is known of what was used.");
  }
  const LedgerView& view = ledger_->up_to_date(call_.now);
  if (call_.parts[1] == "request") {
    return life_answer(view.lookup(), call_.parameter("id").value_or(""), viewer());
  }
  if (call_.parts[1] != "usage") return no_such_path();
  const UsageViewer who = viewer();
  const auto all = keys();
  if (!all) return refusal(all.error());
  return {200, R"({"data":)" +
                   usage_json({.days = view.days(),
                               .index = view.index(),
                               .viewer = who,
                               .key_names = names_of(*all),
                               .budgets = budgets(*all),
                               .now = call_.now}) +
                   "}"};
}

StoreResult<std::vector<KeyRecord>> ManagementUsage::keys() const {
  const ManagementActor& actor = call_.request.actor;
  return store_.keys({.organisation = actor.is_operator ? 0 : actor.organisation,
                      .with_disabled = true,
                      .count_max = kNamedKeysMax});
}

std::vector<BudgetUse> ManagementUsage::budgets(const std::vector<KeyRecord>& keys) const {
  std::vector<BudgetUse> uses;
  const auto add = [&](const policy::Key& key, const std::string& name) {
    for (std::size_t i = 0; i < policy::kBudgetPeriods; ++i) {
      const auto period = static_cast<policy::BudgetPeriod>(i);
      const policy::Nanodollars limit = key.quota.budgets[period];
      if (limit == policy::Budgets::kUnlimited) continue;
      const AccountUsage usage = ledger_->of_key(key.id, call_.now);
      policy::Nanodollars used = usage.charged.in(period);
      if (key.quota.counts_byok) used += usage.byok.in(period);
      uses.push_back({name, period, limit, used, usage.charged.weekly});
    }
  };
  for (std::size_t i = 0;
       configured_ != nullptr && call_.request.actor.is_operator && i < configured_->keys.size();
       ++i) {
    add(gateway::configured_key(*configured_, i), configured_->keys[i].name);
  }
  for (const KeyRecord& record : keys) {
    if (record.key.is_enabled) add(record.key, record.key.name);
  }
  return uses;
}

ManagementAnswer ManagementUsage::activity() {
  if (!call_.is("GET")) return method_not_allowed();
  ActivityQuery query{.date = call_.parameter("date"), .key = {}, .keys = {}};
  // OpenRouter's member of an organisation: here, who asked for a key.
  if (const auto user = call_.parameter("user_id")) {
    query.keys.emplace();
    const auto theirs = store_.keys_of_creator(*user);
    if (!theirs) return refusal(theirs.error());
    for (const policy::AccountId id : *theirs) {
      query.keys->emplace(AccountNames().text(policy::AccountLevel::kKey, id));
    }
  }
  if (const auto hash = call_.parameter("api_key_hash")) {
    KeyDigest digest{};
    if (!parse_digest(*hash, digest)) return refusal(400, "`api_key_hash` must be a key's hash.");
    query.key = name_of(digest);
    if (query.key->empty()) return {200, R"({"data":[]})"};
  }
  // Where no ledger is read nothing was used.
  if (ledger_ == nullptr) return activity_answer(UsageTable(), query, viewer(), call_.now);
  return activity_answer(ledger_->up_to_date(call_.now).days(), query, viewer(), call_.now);
}

}  // namespace leat::control
