// SPDX-License-Identifier: Apache-2.0
// Management's /key, /keys and /credits.
#include <fmt/format.h>

#include <algorithm>

#include "control/account_text.h"
#include "control/listing_json.h"
#include "control/management_parts.h"
#include "gateway/configured_keys.h"

namespace leat::control {
namespace {

using policy::BudgetPeriod;
using policy::Budgets;
using policy::KeyScope;
using policy::Nanodollars;

constexpr std::int64_t kPage = 100;
constexpr std::size_t kNameMax = 256;

StoreResult<KeyRecord> not_there() {
  return std::unexpected(StoreFault{StoreFault::Kind::kNotFound, "There is no such key."});
}

std::string hex(const KeyDigest& digest) {
  std::string out;
  for (const std::uint8_t byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

std::string usage_members(const AccountUsage& usage) {
  std::string out;
  for (const auto& [name, spent] :
       {std::pair("usage", usage.charged), std::pair("byok_usage", usage.byok)}) {
    out += fmt::format(R"("{0}":{1},"{0}_daily":{2},"{0}_weekly":{3},"{0}_monthly":{4},)", name,
                       dollars_text(spent.total), dollars_text(spent.daily),
                       dollars_text(spent.weekly), dollars_text(spent.monthly));
  }
  return out;
}

// The one budget that a key has, if any.
struct KeyBudget {
  BudgetPeriod period = BudgetPeriod::kNone;
  Nanodollars amount = Budgets::kUnlimited;
};

KeyBudget budget_of(const policy::Quota& quota) {
  for (std::size_t i = 0; i < policy::kBudgetPeriods; ++i) {
    const auto period = static_cast<BudgetPeriod>(i);
    if (quota.budgets[period] != Budgets::kUnlimited) return {period, quota.budgets[period]};
  }
  return {};
}

std::string limit_members(const policy::Quota& quota, const AccountUsage& usage) {
  const KeyBudget budget = budget_of(quota);
  std::string limit = "null";
  std::string remaining = "null";
  if (budget.amount != Budgets::kUnlimited) {
    Nanodollars spent = usage.charged.in(budget.period);
    if (quota.counts_byok) spent += usage.byok.in(budget.period);
    limit = dollars_text(budget.amount);
    remaining = dollars_text(std::max<Nanodollars>(budget.amount - spent, 0));
  }
  const std::string_view reset = policy::name_of(budget.period);
  return fmt::format(R"("limit":{},"limit_remaining":{},"limit_reset":{},)"
                     R"("include_byok_in_limit":{},)",
                     limit, remaining, reset.empty() ? "null" : json_text(reset),
                     quota.counts_byok);
}

std::string rate_json(std::uint64_t rate) {
  return rate == policy::RateLimits::kUnlimited ? "null" : fmt::to_string(rate);
}

std::string expiry_json(std::int64_t expires_at) {
  return expires_at == 0 ? "null" : json_text(iso_time(expires_at));
}

std::string text_or_null(std::string_view text) {
  return text.empty() ? "null" : json_text(text);
}

std::string access_members(const policy::Access& access) {
  const auto list = [](bool is_there, const std::vector<std::string>& names) {
    return is_there ? list_json(names) : "null";
  };
  const KeyRouting& routing = access.routing;
  return fmt::format(
      R"("allowed_models":{},"allowed_providers":{},"ignored_providers":{},"allowed_regions":{},)"
      R"("enforce_zdr":{},"deny_data_collection":{})",
      list(access.has_models, access.models), list(routing.has_only, routing.only),
      list(!routing.ignore.empty(), routing.ignore),
      list(!routing.regions.empty(), routing.regions), routing.zdr, routing.deny_data_collection);
}

void read_access(ManagementBody& body, policy::Access& access) {
  KeyRouting& routing = access.routing;
  const auto read = [&body](std::string_view key, bool is_there, std::vector<std::string>& names) {
    std::optional<std::vector<std::string>> list;
    if (is_there) list = names;
    body.list(key, list);
    names = list.value_or(std::vector<std::string>());
    return list.has_value();
  };
  access.has_models = read("allowed_models", access.has_models, access.models);
  routing.has_only = read("allowed_providers", routing.has_only, routing.only);
  read("ignored_providers", !routing.ignore.empty(), routing.ignore);
  read("allowed_regions", !routing.regions.empty(), routing.regions);
  body.flag("enforce_zdr", routing.zdr);
  body.flag("deny_data_collection", routing.deny_data_collection);
}

// Null: no less than others'.
void read_hold(ManagementBody& body, policy::Key& key) {
  std::uint64_t hold = key.hold_ms_max;
  body.rate("hold_ms_max", hold);
  if (hold == policy::RateLimits::kUnlimited) hold = policy::kHoldMsMax;
  if (hold > policy::kHoldMsMax) {
    body.complain("`hold_ms_max` must be a whole number up to 100, or null.");
  }
  key.hold_ms_max = static_cast<std::uint32_t>(hold);
}

}  // namespace

std::string ManagementKeys::json(const KeyRecord& record) const {
  const policy::Key& key = record.key;
  const AccountUsage usage = usage_.of_key(key.id, call_.now);
  const policy::RateLimits& rates = key.quota.rates;
  return fmt::format(
      R"({{"hash":"{}","name":{},"label":{},"disabled":{},{}{}"created_at":"{}","updated_at":{},)"
      R"("expires_at":{},"external_user":null,"creator_user_id":{},"workspace_id":{},"scope":"{}",)"
      R"("requests_per_minute":{},"tokens_per_minute":{},"tokens_per_day":{},"concurrency":{},)"
      R"("output_default_max":{},"hold_ms_max":{},"log_content":{},"markup_ppm":{},{}}})",
      hex(record.digest), json_text(key.name), json_text(key.label), !key.is_enabled,
      limit_members(key.quota, usage), usage_members(usage), iso_time(record.created_at),
      expiry_json(record.updated_at), expiry_json(key.expires_at), text_or_null(record.creator),
      json_text(record.workspace_uuid),
      key.scope == KeyScope::kManagement ? "management" : "inference",
      rate_json(rates.requests_per_minute), rate_json(rates.tokens_per_minute),
      rate_json(rates.tokens_per_day), rate_json(rates.concurrency),
      key.output_default_max == 0 ? "null" : fmt::to_string(key.output_default_max),
      key.hold_ms_max >= policy::kHoldMsMax ? "null" : fmt::to_string(key.hold_ms_max),
      key.logs_content, key.markup_ppm, access_members(key.access));
}

StoreResult<KeyRecord> ManagementKeys::asking() const {
  const ManagementActor& actor = call_.request.actor;
  if (!actor.key) return not_there();
  for (std::size_t i = 0; configured_ != nullptr && i < configured_->keys.size(); ++i) {
    if (configured_->keys[i].sha256 != *actor.key) continue;
    KeyRecord record;
    record.key = gateway::configured_key(*configured_, i);
    return record;
  }
  return store_.key(*actor.key);
}

// All that the SDK wants of GET /key, which is more than its page says (openrouter-api.md 1.4).
ManagementAnswer ManagementKeys::current() {
  if (!call_.is("GET")) return method_not_allowed();
  const auto record = asking();
  if (!record) {
    return record.error().kind == StoreFault::Kind::kNotFound ? refusal(401, "No key was given.")
                                                              : refusal(record.error());
  }
  const policy::Key& key = record->key;
  const AccountUsage usage = usage_.of_key(key.id, call_.now);
  const bool is_management = key.scope == KeyScope::kManagement;
  return {200,
          fmt::format(R"({{"data":{{"label":{},{}{}"is_free_tier":false,"is_management_key":{},)"
                      R"("is_provisioning_key":{},"creator_user_id":{},"organization_id":"{}",)"
                      R"("workspace_id":{},"expires_at":{},"allowed_data_regions":[],)"
                      R"("free_model_daily_requests":{{"limit":0,"used":0,"remaining":0}},)"
                      R"("rate_limit":{{"requests":{},"interval":"1m",)"
                      R"("note":"Deprecated; see requests_per_minute of the key."}}}}}})",
                      json_text(key.label), limit_members(key.quota, usage), usage_members(usage),
                      is_management, is_management, text_or_null(record->creator), key.organisation,
                      text_or_null(record->workspace_uuid), expiry_json(key.expires_at),
                      key.quota.rates.requests_per_minute == policy::RateLimits::kUnlimited
                          ? "-1"
                          : fmt::to_string(key.quota.rates.requests_per_minute))};
}

ManagementAnswer ManagementKeys::handle() {
  if (call_.parts.size() == 2) return one();
  if (call_.is("GET")) return list();
  return call_.is("POST") ? create() : method_not_allowed();
}

ManagementAnswer ManagementKeys::list() {
  AccountStore::KeyQuery query{.organisation = call_.request.actor.organisation,
                               .count_max = kPage};
  const auto offset = call_.count("offset", 0, INT32_MAX);
  if (!offset) return refusal(400, "`offset` must be a whole number from 0 on.");
  query.offset = *offset;
  query.with_disabled = call_.parameter("include_disabled") == "true";
  if (const auto reference = call_.parameter("workspace_id")) {
    const auto workspace = store_.workspace(query.organisation, *reference);
    if (!workspace) return refusal(workspace.error());
    query.workspace = workspace->workspace.id;
  }
  const auto keys = store_.keys(query);
  if (!keys) return refusal(keys.error());
  std::string items;
  for (const KeyRecord& record : *keys) {
    if (!items.empty()) items += ',';
    items += json(record);
  }
  return {200, "{\"data\":[" + items + "]}"};
}

// What clients say goes to files of the operator's.
void ManagementKeys::read_content_log(ManagementBody& body, policy::Key& key) const {
  if (!body.has("log_content")) return;
  body.flag("log_content", key.logs_content);
  if (!call_.request.actor.is_operator) {
    body.complain("`log_content` is the operator's to set.");
  } else if (key.logs_content && configured_ != nullptr &&
             configured_->content_log.folder.empty()) {
    body.complain("`log_content` needs `folder` under [content_log] of the configuration.");
  }
}

void ManagementKeys::read(ManagementBody& body, KeyRecord& record) const {
  policy::Key& key = record.key;
  body.text("name", kNameMax, key.name);
  bool is_disabled = !key.is_enabled;
  body.flag("disabled", is_disabled);
  key.is_enabled = !is_disabled;
  body.flag("include_byok_in_limit", key.quota.counts_byok);
  KeyBudget budget = budget_of(key.quota);
  body.dollars("limit", budget.amount);
  std::string reset(policy::name_of(budget.period));
  body.nullable_text("limit_reset", kNameMax, reset);
  const auto period = reset.empty() ? BudgetPeriod::kNone : period_of(reset);
  if (!period || reset == "lifetime") {
    body.complain("`limit_reset` must be daily, weekly, monthly or null.");
  } else {
    key.quota.budgets = {};
    key.quota.budgets[*period] = budget.amount;
  }
  body.moment("expires_at", key.expires_at);
  policy::RateLimits& rates = key.quota.rates;
  body.rate("requests_per_minute", rates.requests_per_minute);
  body.rate("tokens_per_minute", rates.tokens_per_minute);
  body.rate("tokens_per_day", rates.tokens_per_day);
  body.rate("concurrency", rates.concurrency);
  std::uint64_t output = key.output_default_max;
  body.rate("output_default_max", output);
  if (output == policy::RateLimits::kUnlimited) output = 0;
  if (output > policy::kOutputDefaultMax) {
    body.complain("`output_default_max` must be a whole number up to 1000000, or null.");
  }
  key.output_default_max = static_cast<std::uint32_t>(output);
  read_hold(body, key);
  read_access(body, key.access);
  read_content_log(body, key);
  std::int64_t markup = key.markup_ppm;
  if (body.has("markup_ppm") && !call_.request.actor.is_operator) {
    body.complain("`markup_ppm` is the operator's to set.");
  }
  body.integer("markup_ppm", policy::kMarkupPpmMin, policy::kMarkupPpmMax, markup);
  key.markup_ppm = static_cast<std::int32_t>(markup);
  body.refuse_set({"external"});
}

ManagementAnswer ManagementKeys::create() {
  const ManagementActor& actor = call_.request.actor;
  KeyRecord wanted;
  wanted.key.organisation = actor.organisation;
  ManagementBody body(call_.request.body);
  read(body, wanted);
  body.nullable_text("creator_user_id", kNameMax, wanted.creator);
  std::string scope = "inference";
  body.text("scope", kNameMax, scope);
  std::string reference;
  body.text("workspace_id", kNameMax, reference);
  if (wanted.key.name.empty()) body.complain("`name` must be given.");
  if (scope != "inference" && scope != "management") {
    body.complain("`scope` must be inference or management.");
  }
  if (wanted.key.expires_at != 0 && wanted.key.expires_at <= call_.unix_now()) {
    body.complain("`expires_at` must lie in the future.");
  }
  if (auto fault = body.fault()) return *fault;
  if (scope == "management") {
    // Else who has one key has a way to keep it for ever.
    if (!actor.is_operator) return refusal(403, "Management keys are made by the operator.");
    wanted.key.scope = KeyScope::kManagement;
  }
  auto workspace = reference.empty() ? store_.workspace(actor.organisation, "default")
                                     : store_.workspace(actor.organisation, reference);
  if (!workspace) return refusal(workspace.error());
  wanted.key.workspace = workspace->workspace.id;
  const auto created = store_.create(wanted, call_.unix_now());
  if (!created) return refusal(created.error());
  return {201, fmt::format(R"({{"data":{},"key":{}}})", json(created->record),
                           json_text(created->text))};
}

StoreResult<KeyRecord> ManagementKeys::find(std::string_view hash) const {
  KeyDigest digest{};
  if (!parse_digest(hash, digest)) return not_there();
  auto record = store_.key(digest);
  // Another organisation's is as if it were not.
  if (record && record->key.organisation != call_.request.actor.organisation) return not_there();
  return record;
}

ManagementAnswer ManagementKeys::one() {
  auto record = find(call_.parts[1]);
  if (!record) return refusal(record.error());
  if (call_.is("GET")) return {200, "{\"data\":" + json(*record) + "}"};
  if (call_.is("DELETE")) {
    const auto removed = store_.remove_key(record->digest);
    return removed ? deleted() : refusal(removed.error());
  }
  if (!call_.is("PATCH")) return method_not_allowed();
  ManagementBody body(call_.request.body);
  read(body, *record);
  if (auto fault = body.fault()) return *fault;
  const auto updated = store_.update(*record, call_.unix_now());
  if (!updated) return refusal(updated.error());
  record->updated_at = call_.unix_now();
  return {200, "{\"data\":" + json(*record) + "}"};
}

StoreResult<Nanodollars> ManagementKeys::granted(policy::AccountId id) const {
  if (id == gateway::kConfiguredOrganisation) return 0;
  const auto organisation = store_.organisation(id);
  if (!organisation) return std::unexpected(organisation.error());
  return organisation->granted;
}

ManagementAnswer ManagementKeys::credits() {
  if (call_.is("POST")) return grant();
  if (call_.is("PATCH")) return set_prepaid();
  if (!call_.is("GET")) return method_not_allowed();
  const policy::AccountId id = call_.request.actor.organisation;
  const auto total = granted(id);
  if (!total) return refusal(total.error());
  return {200,
          fmt::format(R"({{"data":{{"total_credits":{},"total_usage":{}}}}})", dollars_text(*total),
                      dollars_text(usage_.of_organisation(id, call_.now).charged.total))};
}

// Not OpenRouter's, where credits are bought: the operator grants them, or takes them back.
ManagementAnswer ManagementKeys::grant() {
  if (!call_.request.actor.is_operator) {
    return refusal(403, "Credits are granted by the operator.");
  }
  GrantRecord wanted{.organisation = call_.request.actor.organisation};
  bool is_taken_back = false;
  ManagementBody body(call_.request.body);
  body.dollars("amount", wanted.amount);
  body.flag("take_back", is_taken_back);
  body.text("note", kNameMax, wanted.note, /*may_be_empty=*/true);
  if (wanted.amount == 0 || wanted.amount == Budgets::kUnlimited) {
    body.complain("`amount` must be a number of dollars above 0.");
  }
  if (auto fault = body.fault()) return *fault;
  if (is_taken_back) wanted.amount = -wanted.amount;
  const auto granted = store_.grant(wanted, call_.unix_now());
  if (!granted) return refusal(granted.error());
  const auto organisation = store_.organisation(wanted.organisation);
  if (!organisation) return refusal(organisation.error());
  return {201, fmt::format(R"({{"data":{{"amount":{},"note":{},"total_credits":{}}}}})",
                           dollars_text(wanted.amount), json_text(wanted.note),
                           dollars_text(organisation->granted))};
}

// Not OpenRouter's either, where everybody pays before: whether what was granted is all that there
// is, or only a sum that is shown.
ManagementAnswer ManagementKeys::set_prepaid() {
  if (!call_.request.actor.is_operator) {
    return refusal(403, "Whether an organisation pays before is the operator's to say.");
  }
  auto organisation = store_.organisation(call_.request.actor.organisation);
  if (!organisation) return refusal(organisation.error());
  ManagementBody body(call_.request.body);
  if (!body.has("prepaid")) body.complain("`prepaid` must be given.");
  body.flag("prepaid", organisation->is_prepaid);
  if (auto fault = body.fault()) return *fault;
  const auto updated = store_.update(*organisation, call_.unix_now());
  if (!updated) return refusal(updated.error());
  return {200, fmt::format(R"({{"data":{{"prepaid":{},"total_credits":{}}}}})",
                           organisation->is_prepaid, dollars_text(organisation->granted))};
}

}  // namespace leat::control
