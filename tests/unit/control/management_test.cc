// SPDX-License-Identifier: Apache-2.0
// Goal: an administrator can do what the API says and nothing more: what is wrong in a request is
// told and changes nothing, a misspelt limit included; nobody sees or touches what is another
// organisation's; keys are shown once, provider keys never.
// Method: requests to a store in memory, answers read as JSON; the keys that @openrouter/sdk
// demands of each object are listed here (openrouter-api.md 1.4 and its schemas, 1.3.19).
#include "control/management.h"

#include <gtest/gtest.h>

#include "control/json_tree.h"

namespace leat::control {
namespace {

constexpr WallTime kNow{1'795'000'000'000'000'000};
constexpr std::array<std::uint8_t, 32> kMaster = {7};
constexpr std::string_view kSecret = "sk-proj-0123456789abcdef";

// Each key has spent $2.5 of ours today and $1 of its own; before this month $10.
class SomeUsage final : public UsageSource {
 public:
  AccountUsage of_key(policy::AccountId, WallTime) const override {
    return {.charged = {12'500'000'000, 2'500'000'000, 2'500'000'000, 2'500'000'000},
            .byok = {1'000'000'000, 1'000'000'000, 1'000'000'000, 1'000'000'000}};
  }
  AccountUsage of_organisation(policy::AccountId, WallTime) const override {
    return {.charged = {.total = 25'000'000'000}};
  }
};

class ManagementTest : public ::testing::Test {
 protected:
  ManagementTest()
      : store_(std::move(*AccountStore::open(":memory:", kNow.unix_seconds()))),
        management_(*store_, usage_, tls::AeadKey(kMaster)) {}

  ManagementAnswer ask(std::string_view method, std::string_view target,
                       std::string_view body = {}) {
    const std::size_t mark = std::min(target.find('?'), target.size());
    return management_.handle({.method = method,
                               .path = target.substr(0, mark),
                               .query = target.substr(std::min(mark + 1, target.size())),
                               .body = body,
                               .actor = actor_},
                              kNow);
  }
  // The answer's JSON, if it has that status.
  JsonValue json(int status, std::string_view method, std::string_view target,
                 std::string_view body = {}) {
    const ManagementAnswer answer = ask(method, target, body);
    EXPECT_EQ(answer.status, status) << method << " " << target << " " << answer.body;
    std::string why;
    const auto value = parse_json(answer.body, why);
    EXPECT_TRUE(value.has_value()) << answer.body;
    return value.value_or(JsonValue());
  }
  JsonValue data(int status, std::string_view method, std::string_view target,
                 std::string_view body = {}) {
    const JsonValue value = json(status, method, target, body);
    const JsonValue* found = value.find("data");
    EXPECT_NE(found, nullptr) << target;
    return found == nullptr ? JsonValue() : *found;
  }
  void expect_refused(int status, std::string_view phrase, std::string_view method,
                      std::string_view target, std::string_view body = {}) {
    const JsonValue value = json(status, method, target, body);
    const JsonValue* error = value.find("error");
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->number_of("code"), std::to_string(status));
    EXPECT_NE(error->text_of("message").find(phrase), std::string_view::npos)
        << error->text_of("message");
  }
  std::string hash_of_new_key(std::string_view body = R"({"name":"k"})") {
    return std::string(data(201, "POST", "/keys", body).text_of("hash"));
  }
  static void expect_members(const JsonValue& value, std::initializer_list<const char*> keys) {
    for (const char* key : keys) EXPECT_NE(value.find(key), nullptr) << key;
  }

  SomeUsage usage_;
  std::unique_ptr<AccountStore> store_;
  Management management_;
  ManagementActor actor_{.is_operator = true};
};

bool is_null(const JsonValue& value, std::string_view key) {
  const JsonValue* found = value.find(key);
  return found != nullptr && found->is(JsonValue::Kind::kNull);
}

TEST_F(ManagementTest, AKeyIsMadeAndShownOnce) {
  const JsonValue answer = json(201, "POST", "/keys",
                                R"({"name":"ci","limit":5.25,)"
                                R"("limit_reset":"monthly"})");
  const std::string text(answer.text_of("key"));
  EXPECT_EQ(form_of(text), KeyForm::kOurs);
  const JsonValue key = *answer.find("data");
  expect_members(key, {"byok_usage",
                       "byok_usage_daily",
                       "byok_usage_monthly",
                       "byok_usage_weekly",
                       "created_at",
                       "creator_user_id",
                       "disabled",
                       "expires_at",
                       "external_user",
                       "hash",
                       "include_byok_in_limit",
                       "label",
                       "limit",
                       "limit_remaining",
                       "limit_reset",
                       "name",
                       "updated_at",
                       "usage",
                       "usage_daily",
                       "usage_monthly",
                       "usage_weekly",
                       "workspace_id"});
  EXPECT_EQ(key.number_of("limit"), "5.25");
  EXPECT_EQ(key.number_of("limit_remaining"), "2.75");
  EXPECT_EQ(key.text_of("limit_reset"), "monthly");
  EXPECT_EQ(key.number_of("usage"), "12.5");
  EXPECT_EQ(key.number_of("usage_daily"), "2.5");
  EXPECT_EQ(key.number_of("byok_usage"), "1");
  EXPECT_EQ(key.text_of("label"), label_of(text));
  EXPECT_EQ(key.text_of("created_at"), "2026-11-18T11:06:40.000Z");
  EXPECT_EQ(key.text_of("scope"), "inference");
  KeyDigest digest{};
  ASSERT_TRUE(parse_digest(key.text_of("hash"), digest));
  EXPECT_EQ(digest, digest_of(text));
  EXPECT_EQ(ask("GET", "/keys").body.find(text), std::string::npos);
  EXPECT_EQ(data(200, "GET", "/keys/" + std::string(key.text_of("hash"))).text_of("name"), "ci");
}

TEST_F(ManagementTest, WhatRemainsIsNeverBelowZeroAndMayCountOwnKeys) {
  std::string hash = hash_of_new_key(R"({"name":"k","limit":3,"limit_reset":"daily"})");
  EXPECT_EQ(data(200, "GET", "/keys/" + hash).number_of("limit_remaining"), "0.5");
  const JsonValue key = data(200, "PATCH", "/keys/" + hash, R"({"include_byok_in_limit":true})");
  EXPECT_EQ(key.number_of("limit_remaining"), "0");
  EXPECT_EQ(key.number_of("limit"), "3");
}

TEST_F(ManagementTest, LeatsOwnLimitsAreKept) {
  const std::string hash = hash_of_new_key(
      R"({"name":"k","requests_per_minute":3,"tokens_per_minute":1000,"tokens_per_day":0,)"
      R"("concurrency":2,"output_default_max":77,"allowed_models":["a/*"],"allowed_providers":["p"],)"
      R"("ignored_providers":["q"],"allowed_regions":["eu"],"enforce_zdr":true,)"
      R"("deny_data_collection":true,"markup_ppm":-50000,"expires_at":"2027-01-01T00:00:00Z"})");
  KeyDigest digest{};
  ASSERT_TRUE(parse_digest(hash, digest));
  const policy::Key key = store_->key(digest)->key;
  EXPECT_EQ(key.quota.rates, (policy::RateLimits{3, 1000, 0, 2}));
  EXPECT_EQ(key.access.models, std::vector<std::string>{"a/*"});
  EXPECT_EQ(key.access.routing.only, std::vector<std::string>{"p"});
  EXPECT_EQ(key.access.routing.ignore, std::vector<std::string>{"q"});
  EXPECT_EQ(key.access.routing.regions, std::vector<std::string>{"eu"});
  EXPECT_TRUE(key.access.routing.zdr && key.access.routing.deny_data_collection);
  EXPECT_EQ(key.markup_ppm, -50'000);
  EXPECT_EQ(key.output_default_max, 77u);
  EXPECT_FALSE(key.logs_content);
  EXPECT_EQ(key.expires_at, 1'798'761'600);
  // A change of one thing leaves the others.
  const JsonValue changed =
      data(200, "PATCH", "/keys/" + hash, R"({"tokens_per_day":null,"allowed_regions":null})");
  EXPECT_TRUE(is_null(changed, "tokens_per_day"));
  EXPECT_TRUE(is_null(changed, "allowed_regions"));
  EXPECT_EQ(changed.number_of("requests_per_minute"), "3");
  EXPECT_EQ(changed.number_of("output_default_max"), "77");
  EXPECT_EQ(changed.find("allowed_models")->items.size(), 1u);
  EXPECT_EQ(store_->key(digest)->key.quota.rates.tokens_per_day, policy::RateLimits::kUnlimited);
  EXPECT_TRUE(store_->key(digest)->key.access.routing.has_only);
  for (const char* none : {"null", "0"}) {
    const std::string body = R"({"output_default_max":)" + std::string(none) + "}";
    EXPECT_TRUE(is_null(data(200, "PATCH", "/keys/" + hash, body), "output_default_max"));
    data(200, "PATCH", "/keys/" + hash, R"({"output_default_max":1000000})");
    EXPECT_EQ(store_->key(digest)->key.output_default_max, 1'000'000u);
  }
}

TEST_F(ManagementTest, HowLongEventsOfAKeyMayWaitIsItsOwn) {
  const std::string hash = hash_of_new_key(R"({"name":"k","hold_ms_max":0})");
  const std::string path = "/keys/" + hash;
  KeyDigest digest{};
  ASSERT_TRUE(parse_digest(hash, digest));
  EXPECT_EQ(store_->key(digest)->key.hold_ms_max, 0u);
  EXPECT_EQ(data(200, "GET", path).number_of("hold_ms_max"), "0");
  // A change of something else leaves it.
  EXPECT_EQ(data(200, "PATCH", path, R"({"name":"z"})").number_of("hold_ms_max"), "0");
  EXPECT_EQ(data(200, "PATCH", path, R"({"hold_ms_max":99})").number_of("hold_ms_max"), "99");
  EXPECT_EQ(store_->key(digest)->key.hold_ms_max, 99u);
  // The most that anybody's may is none of its own.
  for (const char* none : {"null", "100"}) {
    const std::string body = R"({"hold_ms_max":)" + std::string(none) + "}";
    EXPECT_TRUE(is_null(data(200, "PATCH", path, body), "hold_ms_max")) << none;
    EXPECT_EQ(store_->key(digest)->key.hold_ms_max, policy::kHoldMsMax);
    data(200, "PATCH", path, R"({"hold_ms_max":5})");
  }
  EXPECT_TRUE(is_null(data(200, "GET", "/keys/" + hash_of_new_key()), "hold_ms_max"));
}

TEST_F(ManagementTest, ContentIsLoggedWhereThereIsALog) {
  const std::string path = "/keys/" + hash_of_new_key(R"({"name":"k"})");
  Options options;
  management_.set_configured(&options);
  expect_refused(400, "[content_log]", "PATCH", path, R"({"log_content":true})");
  EXPECT_FALSE(data(200, "GET", path).is_true("log_content"));
  options.content_log.folder = "/content";
  EXPECT_TRUE(data(200, "PATCH", path, R"({"log_content":true})").is_true("log_content"));
  EXPECT_TRUE(data(200, "PATCH", path, R"({"name":"other"})").is_true("log_content"));
  actor_.is_operator = false;
  expect_refused(400, "operator", "PATCH", path, R"({"log_content":false})");
  EXPECT_TRUE(data(200, "GET", path).is_true("log_content"));
}

TEST_F(ManagementTest, AKeyIsChangedAndDeleted) {
  const std::string path = "/keys/" + hash_of_new_key(R"({"name":"k","limit":1})");
  JsonValue key = data(200, "PATCH", path, R"({"disabled":true,"name":"z"})");
  EXPECT_TRUE(key.is_true("disabled"));
  EXPECT_EQ(key.text_of("name"), "z");
  EXPECT_EQ(key.number_of("limit"), "1");
  EXPECT_FALSE(is_null(key, "updated_at"));
  key = data(200, "PATCH", path, R"({"limit":null})");
  EXPECT_TRUE(is_null(key, "limit"));
  EXPECT_TRUE(is_null(key, "limit_remaining"));
  EXPECT_TRUE(json(200, "DELETE", path).is_true("deleted"));
  expect_refused(404, "no such key", "GET", path);
  expect_refused(404, "no such key", "DELETE", path);
  expect_refused(404, "no such key", "PATCH", path, "{}");
}

TEST_F(ManagementTest, DisabledKeysAreListedWhenAsked) {
  const std::string hash = hash_of_new_key();
  hash_of_new_key(R"({"name":"other"})");
  data(200, "PATCH", "/keys/" + hash, R"({"disabled":true})");
  EXPECT_EQ(data(200, "GET", "/keys").items.size(), 1u);
  EXPECT_EQ(data(200, "GET", "/keys?include_disabled=true").items.size(), 2u);
  EXPECT_EQ(data(200, "GET", "/keys?include_disabled=true&offset=1").items.size(), 1u);
  EXPECT_EQ(data(200, "GET", "/keys?workspace_id=default").items.size(), 1u);
  expect_refused(404, "workspace", "GET", "/keys?workspace_id=none");
  expect_refused(400, "offset", "GET", "/keys?offset=-1");
  expect_refused(400, "offset", "GET", "/keys?offset=x");
}

// Nothing is taken in part, and nothing is taken for what it is not.
TEST_F(ManagementTest, WhatIsWrongInABodyIsToldAndChangesNothing) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"", "JSON object"},
      {"[]", "JSON object"},
      {"{", "JSON object"},
      {R"({})", "`name`"},
      {R"({"name":""})", "`name`"},
      {R"({"name":7})", "`name`"},
      {R"({"name":"k","limti":5})", "does not know"},
      {R"({"name":"k","limit":5,"limit":500})", "twice"},
      {R"({"name":"k","limit":-1})", "`limit`"},
      {R"({"name":"k","limit":"5"})", "`limit`"},
      {R"({"name":"k","limit":1e300})", "`limit`"},
      {R"({"name":"k","limit":0.0000000001})", "`limit`"},
      {R"({"name":"k","limit_reset":"hourly"})", "`limit_reset`"},
      {R"({"name":"k","limit_reset":"lifetime"})", "`limit_reset`"},
      {R"({"name":"k","limit_reset":5})", "`limit_reset`"},
      {R"({"name":"k","expires_at":"tomorrow"})", "`expires_at`"},
      {R"({"name":"k","expires_at":"2020-01-01T00:00:00Z"})", "future"},
      {R"({"name":"k","requests_per_minute":-1})", "`requests_per_minute`"},
      {R"({"name":"k","requests_per_minute":1.5})", "`requests_per_minute`"},
      {R"({"name":"k","tokens_per_day":99999999999999999999})", "`tokens_per_day`"},
      {R"({"name":"k","concurrency":true})", "`concurrency`"},
      {R"({"name":"k","output_default_max":1000001})", "`output_default_max`"},
      {R"({"name":"k","output_default_max":-1})", "`output_default_max`"},
      {R"({"name":"k","hold_ms_max":101})", "`hold_ms_max`"},
      {R"({"name":"k","hold_ms_max":4294967301})", "`hold_ms_max`"},
      {R"({"name":"k","hold_ms_max":-1})", "`hold_ms_max`"},
      {R"({"name":"k","allowed_models":[]})", "`allowed_models`"},
      {R"({"name":"k","allowed_models":["a",1]})", "`allowed_models`"},
      {R"({"name":"k","allowed_models":[""]})", "`allowed_models`"},
      {R"({"name":"k","enforce_zdr":"yes"})", "`enforce_zdr`"},
      {R"({"name":"k","markup_ppm":-1000001})", "`markup_ppm`"},
      {R"({"name":"k","markup_ppm":9000001})", "`markup_ppm`"},
      {R"({"name":"k","scope":"both"})", "`scope`"},
      {R"({"name":"k","external":{"user":"x"}})", "`external`"},
  };
  for (const auto& [body, phrase] : kWrong) {
    SCOPED_TRACE(body);
    expect_refused(400, phrase, "POST", "/keys", body);
  }
  EXPECT_TRUE(store_->keys({.with_disabled = true})->empty());
  const std::string path = "/keys/" + hash_of_new_key();
  expect_refused(400, "does not know", "PATCH", path, R"({"disabled":true,"key":"x"})");
  EXPECT_FALSE(data(200, "GET", path).is_true("disabled"));
}

TEST_F(ManagementTest, GetKeyHasAllThatTheSdkDemands) {
  const JsonValue made =
      json(201, "POST", "/keys", R"({"name":"k","limit":100,"scope":"management"})");
  actor_ = {.key = digest_of(made.text_of("key"))};
  const JsonValue key = data(200, "GET", "/key");
  expect_members(key, {"label",
                       "limit",
                       "limit_remaining",
                       "limit_reset",
                       "include_byok_in_limit",
                       "usage",
                       "usage_daily",
                       "usage_weekly",
                       "usage_monthly",
                       "byok_usage",
                       "byok_usage_daily",
                       "byok_usage_weekly",
                       "byok_usage_monthly",
                       "is_free_tier",
                       "is_management_key",
                       "is_provisioning_key",
                       "creator_user_id",
                       "organization_id",
                       "workspace_id",
                       "expires_at",
                       "allowed_data_regions"});
  expect_members(*key.find("free_model_daily_requests"), {"limit", "used", "remaining"});
  expect_members(*key.find("rate_limit"), {"interval", "note", "requests"});
  EXPECT_TRUE(key.is_true("is_management_key"));
  EXPECT_EQ(key.number_of("limit_remaining"), "87.5");
  actor_.key.reset();
  expect_refused(401, "No key", "GET", "/key");
}

TEST_F(ManagementTest, OnlyTheOperatorSetsPricesAndGrantsAndMakesManagementKeys) {
  actor_.is_operator = false;
  expect_refused(400, "operator", "POST", "/keys", R"({"name":"k","markup_ppm":-1000000})");
  expect_refused(400, "operator", "POST", "/keys", R"({"name":"k","log_content":true})");
  expect_refused(403, "operator", "POST", "/keys", R"({"name":"k","scope":"management"})");
  expect_refused(403, "operator", "POST", "/credits", R"({"amount":5})");
  expect_refused(403, "operator", "PATCH", "/credits", R"({"prepaid":true})");
  EXPECT_FALSE(store_->organisation(1)->is_prepaid);
  EXPECT_TRUE(store_->keys({})->empty());
  EXPECT_EQ(store_->organisation(1)->granted, 0);
}

TEST_F(ManagementTest, CreditsAreGrantedAndTakenBack) {
  EXPECT_EQ(
      data(201, "POST", "/credits", R"({"amount":100.5,"note":"May"})").number_of("total_credits"),
      "100.5");
  EXPECT_EQ(data(201, "POST", "/credits", R"({"amount":0.5,"take_back":true})")
                .number_of("total_credits"),
            "100");
  const JsonValue credits = data(200, "GET", "/credits");
  EXPECT_EQ(credits.number_of("total_credits"), "100");
  EXPECT_EQ(credits.number_of("total_usage"), "25");
  for (const char* body : {R"({"amount":0})", R"({"amount":-5})", R"({"amount":null})", "{}"}) {
    expect_refused(400, "`amount`", "POST", "/credits", body);
  }
}

TEST_F(ManagementTest, AnOrganisationPaysBeforeOrDoesNot) {
  EXPECT_TRUE(data(200, "PATCH", "/credits", R"({"prepaid":true})").is_true("prepaid"));
  EXPECT_TRUE(store_->organisation(1)->is_prepaid);
  EXPECT_FALSE(data(200, "PATCH", "/credits", R"({"prepaid":false})").is_true("prepaid"));
  EXPECT_FALSE(store_->organisation(1)->is_prepaid);
  for (const char* body : {"{}", R"({"prepaid":null})", R"({"prepaid":true,"amount":5})"}) {
    EXPECT_EQ(ask("PATCH", "/credits", body).status, 400) << body;
  }
  EXPECT_FALSE(store_->organisation(1)->is_prepaid);
}

TEST_F(ManagementTest, AnotherOrganisationsIsNotThere) {
  const std::string hash = hash_of_new_key();
  const JsonValue byok =
      data(201, "POST", "/byok", R"({"provider":"openai","key":"sk-proj-0123456789abcdef"})");
  const std::string byok_path = "/byok/" + std::string(byok.text_of("id"));
  policy::Organisation other;
  other.name = "other";
  actor_.organisation = store_->create(other, 1)->id;
  for (const char* method : {"GET", "DELETE", "PATCH"}) {
    expect_refused(404, "no such key", method, "/keys/" + hash, R"({"disabled":true})");
    expect_refused(404, "no such key", method, byok_path, R"({"disabled":true})");
    expect_refused(404, "no such workspace", method, "/workspaces/default", R"({"name":"x"})");
  }
  EXPECT_TRUE(data(200, "GET", "/keys?include_disabled=true").items.empty());
  EXPECT_TRUE(data(200, "GET", "/byok").items.empty());
  EXPECT_TRUE(data(200, "GET", "/workspaces").items.empty());
  actor_.organisation = AccountStore::kFirst;
  EXPECT_FALSE(data(200, "GET", "/keys/" + hash).is_true("disabled"));
}

TEST_F(ManagementTest, WorkspacesAreMadeChangedAndDeleted) {
  const JsonValue made =
      data(201, "POST", "/workspaces", R"({"name":"Team","slug":"team","description":"d"})");
  expect_members(made, {"created_at", "created_by", "default_guardrail_id", "default_image_model",
                        "default_provider_sort", "default_text_model", "description", "id",
                        "io_logging_api_key_ids", "io_logging_sampling_rate",
                        "is_data_discount_logging_enabled", "is_observability_broadcast_enabled",
                        "is_observability_io_logging_enabled", "name", "slug", "updated_at"});
  const std::string path = "/workspaces/" + std::string(made.text_of("id"));
  EXPECT_EQ(data(200, "GET", path).text_of("slug"), "team");
  EXPECT_EQ(data(200, "GET", "/workspaces/team").text_of("name"), "Team");
  EXPECT_EQ(data(200, "PATCH", path, R"({"name":"Crew"})").text_of("name"), "Crew");
  EXPECT_EQ(data(200, "GET", path).text_of("description"), "d");
  const JsonValue listed = json(200, "GET", "/workspaces?limit=1&offset=1");
  EXPECT_EQ(listed.number_of("total_count"), "2");
  ASSERT_EQ(listed.find("data")->items.size(), 1u);
  EXPECT_EQ(listed.find("data")->items[0].text_of("slug"), "team");
  expect_refused(409, "there already", "POST", "/workspaces", R"({"name":"x","slug":"team"})");
  expect_refused(400, "`slug`", "POST", "/workspaces", R"({"name":"x","slug":"A b"})");
  expect_refused(400, "`slug`", "POST", "/workspaces", R"({"name":"x"})");
  expect_refused(400, "not offered", "PATCH", path, R"({"default_text_model":"a/b"})");
  expect_refused(400, "`offset`", "GET", "/workspaces?limit=0");
  hash_of_new_key(R"({"name":"k","workspace_id":"team"})");
  expect_refused(409, "has keys", "DELETE", path);
  expect_refused(409, "stays", "DELETE", "/workspaces/default");
}

TEST_F(ManagementTest, WorkspacesHaveBudgets) {
  const std::string path = "/workspaces/default/budgets";
  EXPECT_TRUE(data(200, "GET", path).items.empty());
  const JsonValue budget =
      data(200, "PUT", path + "/monthly", R"({"limit_usd":500,"include_byok_in_budgets":true})");
  expect_members(budget,
                 {"created_at", "id", "limit_usd", "reset_interval", "updated_at", "workspace_id"});
  EXPECT_EQ(budget.number_of("limit_usd"), "500");
  EXPECT_EQ(budget.text_of("reset_interval"), "monthly");
  data(200, "PUT", path + "/lifetime", R"({"limit_usd":1000.5})");
  EXPECT_TRUE(is_null(data(200, "GET", path + "/lifetime"), "reset_interval"));
  const JsonValue all = json(200, "GET", path);
  EXPECT_EQ(all.find("data")->items.size(), 2u);
  EXPECT_TRUE(all.is_true("include_byok_in_budgets"));
  const policy::Quota quota = store_->workspace(AccountStore::kFirst)->workspace.quota;
  EXPECT_EQ(quota.budgets[policy::BudgetPeriod::kMonthly], 500'000'000'000);
  EXPECT_EQ(quota.budgets[policy::BudgetPeriod::kNone], 1'000'500'000'000);
  EXPECT_TRUE(quota.counts_byok);
  expect_refused(400, "longer interval", "PUT", path + "/daily", R"({"limit_usd":500})");
  expect_refused(400, "longer interval", "PUT", path + "/lifetime", R"({"limit_usd":5})");
  expect_refused(400, "`limit_usd`", "PUT", path + "/daily", "{}");
  expect_refused(404, "interval", "PUT", path + "/hourly", R"({"limit_usd":5})");
  expect_refused(404, "no such budget", "GET", path + "/daily");
  EXPECT_TRUE(json(200, "DELETE", path + "/monthly").is_true("deleted"));
  expect_refused(404, "no such budget", "DELETE", path + "/monthly");
}

TEST_F(ManagementTest, ProviderKeysComeInAndNeverGoOut) {
  const JsonValue made =
      data(201, "POST", "/byok",
           R"({"provider":"openai","key":"sk-proj-0123456789abcdef","name":"mine",)"
           R"("allowed_models":["a/b"],"is_fallback":true})");
  expect_members(made,
                 {"allowed_api_key_hashes", "allowed_models", "allowed_user_ids", "created_at",
                  "declared_zdr", "disabled", "id", "is_byok_only", "is_fallback", "is_required",
                  "label", "provider", "sort_order", "workspace_id"});
  EXPECT_EQ(made.text_of("label"), "...cdef");
  const std::string path = "/byok/" + std::string(made.text_of("id"));
  const JsonValue changed = data(200, "PATCH", path, R"({"disabled":true,"sort_order":3})");
  EXPECT_TRUE(changed.is_true("disabled"));
  EXPECT_TRUE(changed.is_true("is_fallback"));
  EXPECT_EQ(changed.number_of("sort_order"), "3");
  EXPECT_EQ(changed.find("allowed_models")->items.size(), 1u);
  for (const char* target : {"/byok", "/byok?provider=openai&workspace_id=default"}) {
    const ManagementAnswer listed = ask("GET", target);
    EXPECT_NE(listed.body.find("\"total_count\":1"), std::string::npos) << listed.body;
    EXPECT_EQ(listed.body.find(kSecret), std::string::npos);
  }
  EXPECT_TRUE(data(200, "GET", "/byok?provider=other").items.empty());
  std::array<char, 64> out;
  const auto size = store_->unseal_provider_key(1, tls::AeadKey(kMaster), out);
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(std::string_view(out.data(), *size), kSecret);
  EXPECT_EQ(data(200, "PATCH", path, R"({"key":"sk-proj-another-key-9999"})").text_of("label"),
            "...9999");
  EXPECT_TRUE(json(200, "DELETE", path).is_true("deleted"));
  expect_refused(404, "no such key", "GET", path);
}

TEST_F(ManagementTest, AProviderKeyThatCannotBeOneIsRefused) {
  const std::pair<const char*, const char*> kWrong[] = {
      {R"({"key":"sk-proj-0123456789abcdef"})", "`provider`"},
      {R"({"provider":"openai"})", "`key`"},
      {R"({"provider":"openai","key":""})", "`key`"},
      {R"({"provider":"openai","key":"short"})", "`key`"},
      {R"({"provider":"openai","key":"sk-proj-0123\r\nHost: x"})", "`key`"},
      {R"({"provider":"openai","key":"sk-proj-01234567","allowed_models":[]})", "`allowed_models`"},
      {R"({"provider":"openai","key":"sk-proj-01234567","is_fallback":true,"is_required":true})",
       "contradict"},
  };
  for (const auto& [body, phrase] : kWrong) {
    SCOPED_TRACE(body);
    expect_refused(400, phrase, "POST", "/byok", body);
    EXPECT_EQ(ask("POST", "/byok", body).body.find("0123"), std::string::npos);
  }
  EXPECT_TRUE(store_->provider_keys(0)->empty());
  Management without(*store_, usage_);
  EXPECT_EQ(without
                .handle({.method = "POST",
                         .path = "/byok",
                         .body = R"({"provider":"openai","key":"sk-proj-0123456789abcdef"})",
                         .actor = actor_},
                        kNow)
                .status,
            400);
}

TEST_F(ManagementTest, WhatIsNotThereIsNotThere) {
  for (const char* path : {"", "/", "/nothing", "/key/x", "/keys/a/b", "/credits/1", "/byok/a/b",
                           "/workspaces/default/x", "/workspaces/default/budgets/daily/x"}) {
    EXPECT_EQ(ask("GET", path).status, 404) << path;
  }
  EXPECT_EQ(ask("POST", "/key").status, 405);
  EXPECT_EQ(ask("PUT", "/keys").status, 405);
  EXPECT_EQ(ask("PUT", "/keys/" + hash_of_new_key(), "{}").status, 405);
  EXPECT_EQ(ask("DELETE", "/credits").status, 405);
  EXPECT_EQ(ask("DELETE", "/workspaces/default/budgets").status, 405);
  EXPECT_TRUE(is_management_path("/keys/abc"));
  EXPECT_TRUE(is_management_path("/workspaces"));
  EXPECT_FALSE(is_management_path("/models"));
  EXPECT_FALSE(is_management_path("/"));
}

}  // namespace
}  // namespace leat::control
