// SPDX-License-Identifier: Apache-2.0
// Management's /workspaces and their budgets.
#include <fmt/format.h>

#include <algorithm>

#include "control/account_text.h"
#include "control/listing_json.h"
#include "control/management_parts.h"

namespace leat::control {
namespace {

using policy::BudgetPeriod;
using policy::Budgets;
using policy::Nanodollars;

constexpr std::int64_t kPage = 50;
constexpr std::int64_t kPageMax = 100;
constexpr std::size_t kNameMax = 256;
constexpr std::size_t kSlugMax = 64;
constexpr std::size_t kDescriptionMax = 1'024;

std::string interval_of(BudgetPeriod period) {
  return period == BudgetPeriod::kNone ? "lifetime" : std::string(policy::name_of(period));
}

std::string moment_or_null(std::int64_t moment) {
  return moment == 0 ? "null" : json_text(iso_time(moment));
}

// What OpenRouter's has and ours has not is what it is there when it is off.
std::string workspace_json(const WorkspaceRecord& record) {
  const policy::Workspace& workspace = record.workspace;
  return fmt::format(
      R"({{"id":"{}","name":{},"slug":{},"description":{},"created_at":"{}","updated_at":{},)"
      R"("created_by":null,"default_guardrail_id":"","default_image_model":null,)"
      R"("default_provider_sort":null,"default_text_model":null,"include_byok_in_budgets":{},)"
      R"("io_logging_api_key_ids":null,"io_logging_sampling_rate":0,)"
      R"("is_data_discount_logging_enabled":false,"is_observability_broadcast_enabled":false,)"
      R"("is_observability_io_logging_enabled":false}})",
      record.uuid, json_text(workspace.name), json_text(workspace.slug),
      record.description.empty() ? "null" : json_text(record.description),
      iso_time(record.created_at), moment_or_null(record.updated_at), workspace.quota.counts_byok);
}

std::string budget_json(const WorkspaceRecord& record, BudgetPeriod period) {
  const std::int64_t changed = record.updated_at == 0 ? record.created_at : record.updated_at;
  return fmt::format(
      R"({{"id":"{0}:{1}","workspace_id":"{0}","limit_usd":{2},"reset_interval":{3},)"
      R"("created_at":"{4}","updated_at":"{5}"}})",
      record.uuid, interval_of(period), dollars_text(record.workspace.quota.budgets[period]),
      period == BudgetPeriod::kNone ? "null" : json_text(policy::name_of(period)),
      iso_time(record.created_at), iso_time(changed));
}

bool is_slug(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// The longer a period, the more may be spent in it: else the shorter one would never be reached
// (openrouter-api.md 4.15: strictly).
bool is_ordered(const Budgets& budgets) {
  Nanodollars least = -1;
  for (const BudgetPeriod period :
       {BudgetPeriod::kDaily, BudgetPeriod::kWeekly, BudgetPeriod::kMonthly, BudgetPeriod::kNone}) {
    if (budgets[period] == Budgets::kUnlimited) continue;
    if (budgets[period] <= least) return false;
    least = budgets[period];
  }
  return true;
}

}  // namespace

ManagementAnswer ManagementWorkspaces::handle() {
  if (call_.parts.size() == 1) {
    if (call_.is("GET")) return list();
    return call_.is("POST") ? create() : method_not_allowed();
  }
  auto record = store_.workspace(call_.request.actor.organisation, call_.parts[1]);
  if (!record) return refusal(record.error());
  if (call_.parts.size() == 2) return one(std::move(*record));
  if (call_.parts[2] != "budgets" || call_.parts.size() > 4) return no_such_path();
  return call_.parts.size() == 3 ? budgets(*record) : budget(std::move(*record));
}

ManagementAnswer ManagementWorkspaces::list() {
  const auto offset = call_.count("offset", 0, INT32_MAX);
  const auto limit = call_.count("limit", kPage, kPageMax);
  if (!offset || !limit || *limit == 0) {
    return refusal(400, "`offset` and `limit` must be whole numbers, `limit` from 1 to 100.");
  }
  const auto found = store_.workspaces(call_.request.actor.organisation);
  if (!found) return refusal(found.error());
  const std::vector<WorkspaceRecord>& all = *found;
  std::string items;
  const std::size_t begin = std::min(static_cast<std::size_t>(*offset), all.size());
  const std::size_t end = std::min(begin + static_cast<std::size_t>(*limit), all.size());
  for (std::size_t i = begin; i < end; ++i) {
    if (!items.empty()) items += ',';
    items += workspace_json(all[i]);
  }
  return {200, fmt::format(R"({{"data":[{}],"total_count":{}}})", items, all.size())};
}

void ManagementWorkspaces::read(ManagementBody& body, WorkspaceRecord& record) const {
  policy::Workspace& workspace = record.workspace;
  body.text("name", kNameMax, workspace.name);
  body.text("slug", kSlugMax, workspace.slug);
  body.nullable_text("description", kDescriptionMax, record.description);
  body.flag("include_byok_in_budgets", workspace.quota.counts_byok);
  body.refuse_set({"default_image_model", "default_provider_sort", "default_text_model",
                   "disabled_server_tools", "io_logging_api_key_ids",
                   "is_data_discount_logging_enabled", "is_observability_broadcast_enabled",
                   "is_observability_io_logging_enabled", "io_logging_sampling_rate"});
  if (!is_slug(workspace.slug)) {
    body.complain("`slug` may have small letters, digits and - only.");
  }
}

ManagementAnswer ManagementWorkspaces::create() {
  WorkspaceRecord wanted;
  wanted.workspace.organisation = call_.request.actor.organisation;
  ManagementBody body(call_.request.body);
  read(body, wanted);
  if (wanted.workspace.name.empty()) body.complain("`name` must be given.");
  if (wanted.workspace.slug.empty()) body.complain("`slug` must be given.");
  if (auto fault = body.fault()) return *fault;
  const auto created = store_.create(wanted, call_.unix_now());
  if (!created) return refusal(created.error());
  return {201, "{\"data\":" + workspace_json(*created) + "}"};
}

ManagementAnswer ManagementWorkspaces::one(WorkspaceRecord record) {
  if (call_.is("GET")) return {200, "{\"data\":" + workspace_json(record) + "}"};
  if (call_.is("DELETE")) {
    const auto removed = store_.remove_workspace(record.workspace.id);
    return removed ? deleted() : refusal(removed.error());
  }
  if (!call_.is("PATCH")) return method_not_allowed();
  ManagementBody body(call_.request.body);
  read(body, record);
  if (auto fault = body.fault()) return *fault;
  record.updated_at = call_.unix_now();
  const auto updated = store_.update(record, record.updated_at);
  if (!updated) return refusal(updated.error());
  return {200, "{\"data\":" + workspace_json(record) + "}"};
}

ManagementAnswer ManagementWorkspaces::budgets(const WorkspaceRecord& record) {
  if (!call_.is("GET")) return method_not_allowed();
  std::string items;
  for (std::size_t i = 0; i < policy::kBudgetPeriods; ++i) {
    const auto period = static_cast<BudgetPeriod>(i);
    if (record.workspace.quota.budgets[period] == Budgets::kUnlimited) continue;
    if (!items.empty()) items += ',';
    items += budget_json(record, period);
  }
  return {200, fmt::format(R"({{"data":[{}],"include_byok_in_budgets":{}}})", items,
                           record.workspace.quota.counts_byok)};
}

ManagementAnswer ManagementWorkspaces::budget(WorkspaceRecord record) {
  const auto period = period_of(call_.parts[3]);
  if (!period) {
    return refusal(404, "There is no such interval; it is daily, weekly, monthly or lifetime.");
  }
  policy::Quota& quota = record.workspace.quota;
  const bool is_there = quota.budgets[*period] != Budgets::kUnlimited;
  if (!is_there && !call_.is("PUT")) return refusal(404, "There is no such budget.");
  if (call_.is("GET")) return {200, "{\"data\":" + budget_json(record, *period) + "}"};
  if (call_.is("DELETE")) {
    quota.budgets[*period] = Budgets::kUnlimited;
    const auto updated = store_.update(record, call_.unix_now());
    return updated ? deleted() : refusal(updated.error());
  }
  if (!call_.is("PUT")) return method_not_allowed();
  ManagementBody body(call_.request.body);
  Nanodollars limit = Budgets::kUnlimited;
  body.dollars("limit_usd", limit);
  body.flag("include_byok_in_budgets", quota.counts_byok);
  if (limit == Budgets::kUnlimited) body.complain("`limit_usd` must be given.");
  quota.budgets[*period] = limit;
  if (!is_ordered(quota.budgets)) {
    body.complain("A longer interval's budget must be above a shorter one's.");
  }
  if (auto fault = body.fault()) return *fault;
  record.updated_at = call_.unix_now();
  const auto updated = store_.update(record, record.updated_at);
  if (!updated) return refusal(updated.error());
  return {200, fmt::format(R"({{"data":{},"include_byok_in_budgets":{}}})",
                           budget_json(record, *period), quota.counts_byok)};
}

}  // namespace leat::control
