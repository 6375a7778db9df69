// SPDX-License-Identifier: Apache-2.0
// Goal: who asks for a generation or for activity gets what the ledger says, in the shape that
// OpenRouter's SDK demands, and never what somebody else did. Method: records in a folder or a
// table, answers read as JSON; the API with a store in memory.
#include "control/management_usage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "../ledger/sample_record.h"
#include "control/json_tree.h"
#include "control/ledger_usage.h"
#include "gateway/configured_keys.h"
#include "ledger_files.h"

namespace leat::control {
namespace {

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kToday = 1'789'948'800'000'000'000;  // 2026-09-21T00:00:00Z
constexpr WallTime kNow{kToday + kDay / 3};

JsonValue parsed(const std::string& text) {
  std::string why;
  auto value = parse_json(text, why);
  EXPECT_TRUE(value) << why << text;
  return value ? std::move(*value) : JsonValue();
}

const UsageViewer kOperator{.is_operator = true, .organisation = "", .key = ""};

ledger::UsageRecord record(std::string_view id) {
  ledger::UsageRecord record = ledger::sample_record();
  record.generation_id = id;
  record.organisation_id = "#2";
  record.key_id = "#17";
  record.workspace_id = "#3";
  return record;
}

TEST(GenerationAnswer, HasEveryMemberThatTheSdkDemands) {
  const JsonValue data = parsed(generation_json(record("gen-a")));
  for (const char* member : {"api_type",
                             "app_id",
                             "cache_discount",
                             "cancelled",
                             "created_at",
                             "data_region",
                             "external_user",
                             "finish_reason",
                             "generation_time",
                             "http_referer",
                             "id",
                             "is_byok",
                             "latency",
                             "model",
                             "moderation_latency",
                             "native_finish_reason",
                             "native_tokens_cached",
                             "native_tokens_completion",
                             "native_tokens_completion_images",
                             "native_tokens_prompt",
                             "native_tokens_reasoning",
                             "num_fetches",
                             "num_input_audio_prompt",
                             "num_media_completion",
                             "num_media_prompt",
                             "num_search_results",
                             "origin",
                             "preset_id",
                             "provider_name",
                             "provider_responses",
                             "request_id",
                             "response_cache_source_id",
                             "router",
                             "service_tier",
                             "session_id",
                             "streamed",
                             "tokens_completion",
                             "tokens_prompt",
                             "total_cost",
                             "upstream_id",
                             "upstream_inference_cost",
                             "usage",
                             "user_agent",
                             "web_search_engine",
                             "workspace_id"}) {
    EXPECT_NE(data.find(member), nullptr) << member;
  }
}

TEST(GenerationAnswer, SaysWhatTheRecordSays) {
  const JsonValue data = parsed(generation_json(record("gen-a")));
  const auto text = [&](const char* member) { return data.find(member)->text; };
  EXPECT_EQ(text("id"), "gen-a");
  EXPECT_EQ(text("api_type"), "completions");
  EXPECT_EQ(text("created_at"), "2026-09-21T14:13:20.123Z");
  EXPECT_EQ(text("model"), "some/model");
  EXPECT_EQ(text("provider_name"), "one");
  EXPECT_EQ(text("usage"), "0.001700031");
  EXPECT_EQ(text("total_cost"), "0.001700031");
  EXPECT_EQ(text("upstream_inference_cost"), "0.0016") << "on an own provider key";
  EXPECT_EQ(text("latency"), "37000");
  EXPECT_EQ(text("generation_time"), "36999");
  EXPECT_EQ(text("tokens_prompt"), "1000017");
  EXPECT_EQ(text("native_tokens_completion"), "2400");
  EXPECT_EQ(text("native_tokens_reasoning"), "25");
  EXPECT_EQ(text("native_tokens_cached"), "18");
  EXPECT_EQ(text("native_tokens_completion_images"), "26");
  EXPECT_EQ(text("num_media_prompt"), "28");
  EXPECT_EQ(text("num_media_completion"), "29");
  EXPECT_EQ(text("num_search_results"), "30");
  EXPECT_EQ(text("external_user"), "user-6");
  EXPECT_EQ(text("finish_reason"), "length");
  EXPECT_EQ(text("native_finish_reason"), "max_tokens");
  EXPECT_TRUE(data.find("streamed")->boolean);
  EXPECT_FALSE(data.find("cancelled")->boolean);
  const JsonValue* responses = data.find("provider_responses");
  ASSERT_EQ(responses->items.size(), 2u);
  EXPECT_TRUE(responses->items[0].find("status")->is(JsonValue::Kind::kNull));
  EXPECT_EQ(responses->items[0].find("latency")->text, "12000");
  EXPECT_EQ(responses->items[1].find("status")->text, "200");
  EXPECT_EQ(responses->items[1].find("id")->text, "chatcmpl-10");
}

TEST(GenerationAnswer, WhatANodeNeverHadIsNull) {
  ledger::UsageRecord bare;
  bare.generation_id = "gen-a";
  bare.model_asked = "some/model";
  bare.cost = 5;
  const JsonValue data = parsed(generation_json(bare));
  for (const char* member : {"provider_name", "finish_reason", "upstream_id", "latency",
                             "upstream_inference_cost", "http_referer", "api_type"}) {
    EXPECT_TRUE(data.find(member)->is(JsonValue::Kind::kNull)) << member;
  }
  EXPECT_EQ(data.find("model")->text, "some/model") << "nobody served it";
  EXPECT_EQ(data.find("origin")->text, "");
}

TEST(GenerationAnswer, IsGivenToItsOrganisationOnly) {
  LedgerFiles files;
  ledger::UsageRecord nobodys = record("gen-b");
  nobodys.organisation_id = "";
  files.append_one(record("gen-a"));
  files.append_one(nobodys);
  const auto view = LedgerView::open(files.path);
  ASSERT_TRUE(view && (*view)->poll(kNow));
  const auto status = [&](std::string_view id, const UsageViewer& viewer) {
    return generation_answer((*view)->lookup(), id, viewer).status;
  };
  const UsageViewer owner{.is_operator = false, .organisation = "#2", .key = "#99"};
  const UsageViewer other{.is_operator = false, .organisation = "#5", .key = "#17"};
  EXPECT_EQ(status("gen-a", kOperator), 200);
  EXPECT_EQ(status("gen-a", owner), 200);
  EXPECT_EQ(status("gen-a", other), 404) << "another organisation's, though the key's is the name";
  EXPECT_EQ(status("gen-b", owner), 404);
  EXPECT_EQ(status("gen-b", other), 200) << "of no organisation: its key's";
  EXPECT_EQ(status("gen-b", {}), 404);
  EXPECT_EQ(status("gen-c", kOperator), 404);
  EXPECT_EQ(generation_answer((*view)->lookup(), "gen-a", other).body,
            generation_answer((*view)->lookup(), "gen-c", other).body);
  EXPECT_EQ(status("", kOperator), 400);
  EXPECT_EQ(status(std::string(65, 'x'), kOperator), 400);
  const JsonValue answer = parsed(generation_answer((*view)->lookup(), "gen-a", kOperator).body);
  EXPECT_EQ(answer.find("data")->find("id")->text, "gen-a");
}

class ActivityAnswer : public testing::Test {
 protected:
  void add(std::int64_t days_ago, std::string_view key, std::string_view organisation,
           std::int64_t charge, std::string_view model = "some/model") {
    ledger::UsageRecord each = record("gen-a");
    each.began = {kToday - days_ago * kDay};
    each.key_id = key;
    each.organisation_id = organisation;
    each.charge = charge;
    each.model_served = model;
    each.flags = {};
    table.add(each);
  }
  std::vector<JsonValue> ask(const ActivityQuery& query, const UsageViewer& viewer = kOperator) {
    const ManagementAnswer answer = activity_answer(table, query, viewer, kNow);
    EXPECT_EQ(answer.status, 200);
    return parsed(answer.body).find("data")->items;
  }
  int status(const char* date) {
    return activity_answer(table, {.date = date, .key = {}, .keys = {}}, kOperator, kNow).status;
  }
  UsageTable table;
};

TEST_F(ActivityAnswer, TellsOfThirtyWholeDays) {
  for (const std::int64_t days_ago : {0, 1, 30, 31}) add(days_ago, "#17", "#2", 1 + days_ago);
  add(1, "#18", "#2", 100);
  const auto lines = ask({});
  ASSERT_EQ(lines.size(), 2u) << "not today's, and none before";
  EXPECT_EQ(lines[0].find("date")->text, "2026-09-20");
  EXPECT_EQ(lines[0].find("usage")->text, "0.000000102");
  EXPECT_EQ(lines[0].find("requests")->text, "2");
  EXPECT_EQ(lines[1].find("date")->text, "2026-08-22");
  for (const char* member : {"byok_usage_inference", "completion_tokens", "date", "endpoint_id",
                             "model", "model_permaslug", "prompt_tokens", "provider_name",
                             "reasoning_tokens", "requests", "usage"}) {
    EXPECT_NE(lines[0].find(member), nullptr) << member;
  }
}

TEST_F(ActivityAnswer, ALineForEachModelAndEndpoint) {
  add(1, "#17", "#2", 1);
  add(1, "#17", "#2", 1, "another/model");
  EXPECT_EQ(ask({}).size(), 2u);
}

TEST_F(ActivityAnswer, OneDayOrOneKey) {
  add(1, "#17", "#2", 1);
  add(2, "#18", "#2", 2);
  EXPECT_EQ(ask({.date = "2026-09-19", .key = {}, .keys = {}}).size(), 1u);
  EXPECT_EQ(ask({.date = {}, .key = "#17", .keys = {}}).size(), 1u);
  EXPECT_TRUE(ask({.date = "2026-09-19", .key = "#17", .keys = {}}).empty());
  for (const char* wrong : {"2026-09-21", "2026-08-21", "yesterday", "2026-09-31", ""}) {
    EXPECT_EQ(status(wrong), 400) << wrong;
  }
  EXPECT_EQ(status("2026-08-22"), 200);
}

TEST_F(ActivityAnswer, NobodySeesWhatOthersDid) {
  add(1, "#17", "#2", 1);
  add(1, "#18", "#5", 2);
  const auto lines = ask({}, {.is_operator = false, .organisation = "#5", .key = ""});
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].find("usage")->text, "0.000000002");
  EXPECT_TRUE(ask({}, {}).empty());
}

class UsageApi : public testing::Test {
 protected:
  UsageApi() {
    options.keys = {{.name = "first", .sha256 = {1}}, {.name = "second", .sha256 = {2}}};
    auto opened = AccountStore::open(":memory:", 1);
    EXPECT_TRUE(opened);
    store = std::move(*opened);
    KeyRecord wanted;
    wanted.key.name = "one";
    wanted.creator = "anna";
    wanted.key.workspace = wanted.key.organisation = AccountStore::kFirst;
    const auto created = store->create(wanted, 1);
    EXPECT_TRUE(created);
    key = created->record;
    const std::string name = "#" + std::to_string(key.key.id);
    ledger::UsageRecord own = record("gen-own");
    own.key_id = name;
    own.organisation_id = "#1";
    own.began = {kToday - kDay / 2};
    ledger::UsageRecord others = record("gen-first");
    others.key_id = "first";
    const std::string configured = "#" + std::to_string(gateway::kConfiguredOrganisation);
    others.organisation_id = configured;
    others.began = own.began;
    files.append_one(own);
    files.append_one(others);
    auto view = LedgerView::open(files.path);
    EXPECT_TRUE(view);
    ledger.emplace(std::move(*view));
  }
  ManagementAnswer get(std::string_view path, std::string_view query,
                       const ManagementActor& actor) {
    Management management(*store, *ledger, std::nullopt, &options, &*ledger);
    return management.handle(
        {.method = "GET", .path = path, .query = query, .body = "", .actor = actor}, kNow);
  }
  static std::size_t lines(const ManagementAnswer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parsed(answer.body).find("data")->items.size();
  }
  static std::string hash_of(const KeyDigest& digest) {
    std::string hash;
    for (const std::uint8_t byte : digest) hash += fmt::format("{:02x}", byte);
    return hash;
  }

  Options options;
  LedgerFiles files;
  std::unique_ptr<AccountStore> store;
  KeyRecord key;
  std::optional<LedgerUsage> ledger;
};

TEST_F(UsageApi, EachSeesItsOwn) {
  const ManagementActor owner{.key = key.digest};
  const ManagementActor first{.organisation = gateway::kConfiguredOrganisation,
                              .key = options.keys[0].sha256};
  const ManagementActor second{.organisation = gateway::kConfiguredOrganisation,
                               .key = options.keys[1].sha256};
  const ManagementActor all{.is_operator = true};
  EXPECT_EQ(get("/generation", "id=gen-own", owner).status, 200);
  EXPECT_EQ(get("/generation", "id=gen-first", owner).status, 404);
  EXPECT_EQ(get("/generation", "id=gen-first", first).status, 200);
  EXPECT_EQ(get("/generation", "id=gen-first", second).status, 404)
      << "keys of the configuration are not one customer's";
  EXPECT_EQ(get("/generation", "id=gen-own", all).status, 200);
  EXPECT_EQ(get("/generation", "", all).status, 400);
  EXPECT_EQ(lines(get("/activity", "", all)), 1u) << "one line for both";
  EXPECT_EQ(lines(get("/activity", "", owner)), 1u);
  EXPECT_EQ(lines(get("/activity", "", second)), 0u);
  EXPECT_TRUE(is_management_path("/generation"));
  EXPECT_TRUE(is_management_path("/activity"));
}

TEST_F(UsageApi, ActivityOfAKeyIsAskedByItsHash) {
  const ManagementActor all{.is_operator = true};
  const auto of_key = [&](const KeyDigest& digest) {
    return get("/activity", "api_key_hash=" + hash_of(digest), all);
  };
  EXPECT_EQ(lines(of_key(key.digest)), 1u);
  EXPECT_EQ(lines(of_key(options.keys[0].sha256)), 1u);
  EXPECT_EQ(lines(of_key(options.keys[1].sha256)), 0u);
  EXPECT_EQ(lines(of_key({9})), 0u) << "no such key";
  EXPECT_EQ(get("/activity", "api_key_hash=xyz", all).status, 400);
  EXPECT_EQ(get("/activity", "date=2026-09-20", all).status, 200);
  EXPECT_EQ(get("/activity", "date=2026-09-21", all).status, 400);
}

// Also once the key is gone: what somebody used does not become less.
TEST_F(UsageApi, ActivityOfAMemberIsThatOfTheKeysThatItAskedFor) {
  const ManagementActor all{.is_operator = true};
  const ManagementActor stranger{.organisation = AccountStore::kFirst + 1, .key = KeyDigest{7}};
  const auto of_member = [&](std::string_view query, const ManagementActor& actor) {
    return lines(get("/activity", query, actor));
  };
  EXPECT_EQ(of_member("user_id=anna", all), 1u);
  EXPECT_EQ(of_member("user_id=anna&api_key_hash=" + hash_of(key.digest), all), 1u);
  EXPECT_EQ(of_member("user_id=anna&api_key_hash=" + hash_of(options.keys[0].sha256), all), 0u);
  EXPECT_EQ(of_member("user_id=ben", all), 0u) << "never everybody's";
  EXPECT_EQ(of_member("user_id=", all), 0u);
  EXPECT_EQ(of_member("user_id=anna", stranger), 0u);
  ASSERT_TRUE(store->remove_key(key.digest).has_value());
  EXPECT_EQ(of_member("user_id=anna", all), 1u);
}

// Names of people are an organisation's own: another may call somebody the same.
TEST_F(UsageApi, ActivityOfAMemberIsNeverThatOfAnothersOfTheSameName) {
  policy::Organisation second;
  second.name = "other";
  const auto made = store->create(second, 1);
  ASSERT_TRUE(made);
  const policy::AccountId other = made->id;
  KeyRecord wanted;
  wanted.key.name = "theirs";
  wanted.key.scope = policy::KeyScope::kManagement;
  wanted.key.organisation = other;
  wanted.creator = "anna";
  const auto theirs = store->create(wanted, 1);
  ASSERT_TRUE(theirs) << theirs.error().text;
  ledger::UsageRecord used = record("gen-theirs");
  const std::string key_id = "#" + std::to_string(theirs->record.key.id);
  const std::string organisation_id = "#" + std::to_string(other);
  used.key_id = key_id;
  used.organisation_id = organisation_id;
  used.began = {kToday - kDay / 2};
  used.model_served = "their/model";
  files.append_one(used);
  ledger.emplace(std::move(*LedgerView::open(files.path)));
  const auto models = [&](const ManagementActor& actor) {
    std::vector<std::string> found;
    const ManagementAnswer answer = get("/activity", "user_id=anna", actor);
    const auto body = parsed(answer.body);
    for (const JsonValue& line : body.find("data")->items) {
      found.emplace_back(line.text_of("model"));
    }
    return found;
  };
  const ManagementActor ours{.organisation = AccountStore::kFirst, .key = key.digest};
  const ManagementActor them{.organisation = other, .key = theirs->record.digest};
  for (const bool is_gone : {false, true}) {
    if (is_gone) {
      ASSERT_TRUE(store->remove_key(key.digest));
      ASSERT_TRUE(store->remove_key(theirs->record.digest));
    }
    EXPECT_EQ(models(them), std::vector<std::string>{"their/model"}) << is_gone;
    EXPECT_EQ(models(ours).size(), 1u) << is_gone;
    EXPECT_NE(models(ours), models(them)) << is_gone;
    EXPECT_EQ(models({.is_operator = true}).size(), 2u) << is_gone;
  }
}

TEST_F(UsageApi, WithoutALedgerThereIsNothing) {
  const NoUsage none;
  Management management(*store, none);
  const ManagementActor all{.is_operator = true};
  const auto get = [&](std::string_view path, std::string_view query) {
    return management.handle(
        {.method = "GET", .path = path, .query = query, .body = "", .actor = all}, kNow);
  };
  EXPECT_EQ(get("/generation", "id=gen-own").status, 404);
  EXPECT_EQ(lines(get("/activity", "")), 0u);
}

}  // namespace
}  // namespace leat::control
