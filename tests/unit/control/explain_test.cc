// SPDX-License-Identifier: Apache-2.0
// Goal: an explanation tells what the gateway would do: candidates in order with what put them
// there, every other endpoint with the rule that shut it out, or the refusal in the gateway's
// words; text and JSON tell the same, and neither repeats a prompt or a secret.
// Method: one catalogue with prices; a request that provokes each of the rules; the JSON parsed by
// the strict parser. That the running gateway does the same is tests/system/test_explain.py's part.
#include "control/explain.h"

#include <gtest/gtest.h>

#include <set>

#include "control/config.h"
#include "control/explain_command.h"
#include "control/json_tree.h"
#include "fake_surroundings.h"

namespace leat::control {
namespace {

constexpr std::string_view kConfig = R"(catalogue = ["c.toml"]
[[keys]]
name = "dev"
secret = { env = "DEV" }
[[keys]]
name = "strict"
secret = { env = "STRICT" }
[providers.cheap]
format = "simulated"
[providers.dear]
format = "simulated"
[providers.third]
format = "simulated"
)";

constexpr std::string_view kCatalogue = R"([providers.cheap]
display_name = "Cheap Inc"
data = { trains = false, publishes = false, retention_days = 0 }
[providers.dear]
[providers.third]
data = { trains = false, publishes = false, retention_days = 30 }
[providers.absent]
[[models]]
id = "a/one"
context_tokens = 1000
parameters = ["max_tokens", "temperature"]
[[models.endpoints]]
provider = "cheap"
model = "x"
region = "eu"
quantization = "fp8"
completion_tokens_max = 100
price = { prompt = "1", completion = "2" }
[[models.endpoints]]
provider = "dear"
model = "x"
parameters = ["tools", "tool_choice", "max_tokens", "temperature"]
tool_choices = ["auto"]
price = { prompt = "2", completion = "4" }
[[models.endpoints]]
provider = "third"
model = "x"
parameters = ["tools", "tool_choice", "max_tokens"]
tool_choices = ["auto", "required"]
price = { prompt = "40", completion = "80" }
overrides = [{ prompt_tokens_over = 100, price = { prompt = "50" } }]
[[models.endpoints]]
provider = "cheap"
model = "x-flex"
tier = "flex"
price = { prompt = "0.5", completion = "1" }
[[models.endpoints]]
provider = "absent"
model = "x"
price = { prompt = "1", completion = "1" }
[[models.endpoints]]
provider = "dear"
model = "x-long"
tag = "dear/long"
variant = "extended"
price = { prompt = "3", completion = "3" }
)";

// A request for the model above, `rest` being more members.
std::string asking(std::string_view rest = "", std::string_view model = "a/one") {
  std::string body = R"({"model":")" + std::string(model) +
                     R"(","messages":[{"role":"user","content":"tell nobody of the heron"}])";
  if (!rest.empty()) body += "," + std::string(rest);
  return body + "}";
}

struct ExplainTest : testing::Test {
  ExplainTest() {
    surroundings.variables = {{"DEV", "sk-dev-0123456789abcdef"},
                              {"STRICT", "sk-strict-0123456789abc"}};
    surroundings.files = {{"leat.toml", std::string(kConfig)}, {"c.toml", std::string(kCatalogue)}};
    config = load_config("leat.toml", surroundings);
    for (const Fault& fault : config.faults) ADD_FAILURE() << fault.to_string();
  }

  Explanation explained(std::string_view body, int key = 0) {
    const std::vector<std::vector<std::string_view>> bearers(config.options.providers.size(),
                                                             {"provider-secret"});
    snapshot = std::make_unique<gateway::Snapshot>(config.options, config.catalogue, bearers);
    health.resize(config.catalogue->catalogue.endpoints().size());
    return explain(body, {.snapshot = *snapshot, .key = key, .health = health, .now = now}, rng);
  }

  static JsonValue json_of(const Explanation& explanation) {
    std::string why;
    const auto value = parse_json(explanation_json(explanation), why);
    EXPECT_TRUE(value) << why << explanation_json(explanation);
    return value.value_or(JsonValue());
  }

  // The tags of the candidates, in order.
  static std::string order(const Explanation& explanation) {
    std::string all;
    for (const auto& candidate : explanation.candidates) {
      all += (all.empty() ? "" : " ") + std::string(candidate.endpoint.tag);
    }
    return all;
  }
  static std::string reason(const Explanation& explanation, std::string_view tag) {
    for (const auto& excluded : explanation.excluded) {
      if (excluded.endpoint.tag == tag) return std::string(policy::name_of(excluded.reason));
    }
    return "";
  }
  static bool has(const Explanation::Candidate& candidate, PlaceReason reason) {
    return std::ranges::find(candidate.reasons, reason) != candidate.reasons.end();
  }
  policy::EndpointHealth& health_of(std::string_view tag) {
    const auto endpoints = config.catalogue->catalogue.endpoints();
    health.resize(endpoints.size());
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      if (endpoints[i].tag == tag) return health[i];
    }
    ADD_FAILURE() << tag;
    return health[0];
  }

  FakeSurroundings surroundings;
  Config config;
  std::unique_ptr<gateway::Snapshot> snapshot;
  std::vector<policy::EndpointHealth> health;
  Instant now = Instant{} + seconds(1'000);
  Rng rng{1};
};

TEST_F(ExplainTest, TellsCandidatesWithPricesAndChances) {
  const Explanation told = explained(asking());
  EXPECT_FALSE(told.refusal);
  EXPECT_EQ(told.key, "dev");
  ASSERT_EQ(told.candidates.size(), 3u);
  // Blended 1.25 and 2.5: four to one. The third is beyond ten times the lowest.
  double chances = 0;
  for (const auto& candidate : told.candidates) {
    chances += candidate.first_chance;
    if (candidate.endpoint.tag == "cheap") {
      EXPECT_NEAR(candidate.first_chance, 0.8, 1e-9);
    }
    EXPECT_EQ(has(candidate, PlaceReason::kDrawn), candidate.endpoint.tag != "third");
  }
  EXPECT_NEAR(chances, 1, 1e-9);
  EXPECT_EQ(told.candidates[2].endpoint.tag, "third");
  EXPECT_TRUE(has(told.candidates[2], PlaceReason::kPrice));
  EXPECT_EQ(told.candidates[2].endpoint.prompt, 40'000'000);
  EXPECT_EQ(reason(told, "cheap/flex"), "tier_not_asked");
  EXPECT_EQ(reason(told, "absent"), "disabled");
  EXPECT_EQ(reason(told, "dear/long"), "variant");
}

TEST_F(ExplainTest, TellsThePricesOfThisRequest) {
  const Explanation told =
      explained(asking(R"("user":")" + std::string(1'024, 'u') + R"(",)" + R"("metadata":{"m":")" +
                       std::string(1'000, 'm') + R"("},"provider":{"only":["third"]})"));
  ASSERT_EQ(order(told), "third");
  EXPECT_EQ(told.candidates[0].endpoint.prompt, 50'000'000);
}

TEST_F(ExplainTest, TellsWhatPutACandidateInItsPlace) {
  Explanation told = explained(asking(R"("provider":{"order":["third"]})"));
  EXPECT_EQ(order(told), "third cheap dear");
  EXPECT_TRUE(has(told.candidates[0], PlaceReason::kListed));
  EXPECT_FALSE(has(told.candidates[1], PlaceReason::kListed));

  health_of("dear").throughput = {50, 50, 50, 50};
  told = explained(asking("", "a/one:nitro"));
  EXPECT_EQ(order(told), "dear cheap third");
  EXPECT_TRUE(has(told.candidates[0], PlaceReason::kThroughput));
  told = explained(asking(R"("provider":{"sort":"latency"})"));
  EXPECT_TRUE(has(told.candidates[0], PlaceReason::kLatency));
  told = explained(asking("", "a/one:floor"));
  EXPECT_EQ(order(told), "cheap/flex cheap dear third");
  EXPECT_TRUE(has(told.candidates[0], PlaceReason::kPrice));
  told = explained(asking(R"("service_tier":"flex")"));
  EXPECT_EQ(order(told), "cheap/flex");
  EXPECT_TRUE(has(told.candidates[0], PlaceReason::kTier));
  EXPECT_EQ(reason(told, "cheap"), "tier_flex_only");
  EXPECT_EQ(reason(told, "dear"), "tier_flex_only");

  told = explained(asking(R"("provider":{"preferred_min_throughput":60})"));
  EXPECT_EQ(order(told), "cheap third dear");
  EXPECT_TRUE(has(told.candidates[2], PlaceReason::kDemoted));
}

TEST_F(ExplainTest, TellsWhatHealthDid) {
  health_of("cheap").recent_outage = true;
  health_of("cheap").uptime_permille = 700;
  Explanation told = explained(asking());
  EXPECT_EQ(order(told), "dear third cheap");
  EXPECT_TRUE(has(told.candidates[2], PlaceReason::kRecentOutage));
  EXPECT_TRUE(has(told.candidates[2], PlaceReason::kLowUptime));

  health_of("cheap") = {};
  health_of("cheap").breaker = policy::BreakerState::kOpen;
  health_of("dear").limited_until = now + seconds(7);
  told = explained(asking());
  EXPECT_EQ(order(told), "third");
  EXPECT_EQ(reason(told, "cheap"), "breaker_open");
  EXPECT_EQ(reason(told, "dear"), "rate_limited");

  health_of("third").breaker = policy::BreakerState::kProbe;
  told = explained(asking(R"("provider":{"only":["third"]})"));
  EXPECT_TRUE(has(told.candidates[0], PlaceReason::kProbe));
  told = explained(asking(R"("provider":{"only":["cheap"]})"));
  ASSERT_EQ(order(told), "cheap");
  EXPECT_TRUE(has(told.candidates[0], PlaceReason::kLastResort));
}

TEST_F(ExplainTest, TellsTheWrittenOrderWhereNothingHasAPrice) {
  surroundings.files["leat.toml"] = R"(
[[keys]]
name = "dev"
secret = { env = "DEV" }
[providers.cheap]
format = "simulated"
[[models]]
id = "a/one"
endpoints = [{ provider = "cheap", model = "x" }, { provider = "cheap", model = "y" }]
)";
  config = load_config("leat.toml", surroundings);
  ASSERT_TRUE(config.ok());
  const Explanation told = explained(asking());
  ASSERT_EQ(told.candidates.size(), 2u);
  EXPECT_EQ(told.candidates[0].reasons, std::vector{PlaceReason::kAsWritten});
  EXPECT_NE(explanation_text(told).find("no price"), std::string::npos);
  EXPECT_TRUE(json_of(told)
                  .find("candidates")
                  ->items[0]
                  .find("price_per_million")
                  ->find("prompt")
                  ->is(JsonValue::Kind::kNull));
}

// Each rule of a request that can shut an endpoint out, with one that it does shut out.
TEST_F(ExplainTest, TellsEveryRuleThatShutAnEndpointOut) {
  struct Row {
    const char* members;
    const char* tag;
    const char* reason;
  };
  const std::string long_prompt = R"("metadata":{"m":")" + std::string(20'000, 'm') + R"("})";
  const Row rows[] = {
      {R"("provider":{"ignore":["dear"]})", "dear", "ignored"},
      {R"("provider":{"only":["cheap"]})", "dear", "not_in_only"},
      {R"("provider":{"data_collection":"deny"})", "dear", "trains"},
      {R"("provider":{"zdr":true})", "third", "retains"},
      {R"("provider":{"enforce_distillable_text":true})", "cheap", "not_distillable"},
      {R"("provider":{"quantizations":["bf16"]})", "cheap", "quantization"},
      {R"("modalities":["audio"])", "cheap", "output_modality"},
      {R"("max_tokens":101)", "cheap", "output_max"},
      {long_prompt.c_str(), "dear", "context"},
      {R"("top_k":1,"provider":{"require_parameters":true})", "dear", "parameters"},
      {R"("provider":{"max_price":{"prompt":1}})", "dear", "max_price"},
      {R"("tools":[{"type":"function"}])", "cheap", "soft_parameters"},
      {R"("tool_choice":"required","tools":[{"type":"function"}])", "dear", "tool_choice"},
      {R"("provider":{"allow_fallbacks":false})", "dear", "fallbacks_disallowed"},
  };
  for (const Row& row : rows) {
    const Explanation told = explained(asking(row.members));
    EXPECT_EQ(reason(told, row.tag), row.reason) << std::string(row.members).substr(0, 80);
    // Nobody is lost: an endpoint is tried or told.
    EXPECT_EQ(told.candidates.size() + told.excluded.size(), 6u) << row.reason;
    const auto clause = policy::text_of(told.excluded.back().reason);
    EXPECT_NE(explanation_text(told).find(clause), std::string::npos) << row.reason;
  }
  const Explanation image = explained(
      R"({"model":"a/one","messages":[{"role":"user","content":[{"type":"image_url"}]}]})");
  EXPECT_EQ(reason(image, "cheap"), "input_modality");
}

TEST_F(ExplainTest, TellsWhatTheKeyForbids) {
  KeyRouting& routing = config.options.keys[1].routing;
  const auto reason_of = [&](std::string_view tag) {
    const std::string told = reason(explained(asking(), 1), tag);
    routing = {};
    return told;
  };
  routing.ignore = {"dear"};
  EXPECT_EQ(reason_of("dear"), "key_ignores");
  routing.has_only = true;
  routing.only = {"cheap"};
  EXPECT_EQ(reason_of("dear"), "key_not_allowed");
  routing.deny_data_collection = true;
  EXPECT_EQ(reason_of("dear"), "key_trains");
  routing.zdr = true;
  EXPECT_EQ(reason_of("third"), "key_retains");
  routing.regions = {"eu"};
  EXPECT_EQ(reason_of("third"), "key_region");
  routing.zdr = true;
  EXPECT_EQ(explained(asking(), 0).candidates.size(), 3u);  // another key's
}

TEST_F(ExplainTest, TellsWhatIsDroppedAndWhatIsMissing) {
  const Explanation told = explained(asking(R"("temperature":1,"top_k":2)"));
  for (const auto& candidate : told.candidates) {
    EXPECT_TRUE(candidate.dropped.has(policy::Parameter::kTopK));
    EXPECT_EQ(candidate.dropped.has(policy::Parameter::kTemperature),
              candidate.endpoint.tag == "third");
  }
  EXPECT_NE(explanation_text(told).find("temperature, top_k"), std::string::npos);
  const Explanation hard =
      explained(asking(R"("temperature":1,"top_k":2,"provider":{"require_parameters":true})"));
  EXPECT_NE(explanation_text(hard).find("(missing: temperature, top_k)"), std::string::npos);
  EXPECT_NE(explanation_text(hard).find("(missing: top_k)"), std::string::npos);
}

TEST_F(ExplainTest, TellsTheRefusalInTheGatewaysWords) {
  struct Row {
    std::string body;
    int status;
    const char* error_type;
    const char* param;
  };
  const Row rows[] = {
      {"", 400, "invalid_json", ""},
      {"{", 400, "invalid_json", ""},
      {"[1]", 400, "invalid_json", ""},
      {R"({"model":"a/one","model":"a/one"})", 400, "duplicate_key", "model"},
      {"{}", 400, "invalid_request", "model"},
      {asking(R"("stream":"yes")"), 400, "invalid_request", "stream"},
      {asking(R"("provider":{"nobody":1})"), 400, "invalid_request", "provider.nobody"},
      {asking(R"("models":["b/none"])"), 404, "model_not_found", "models"},
      {R"({"models":["b/none"]})", 404, "model_not_found", "models"},
      {asking(R"("provider":{"sort":"exacto"})"), 400, "invalid_request", "provider.sort"},
      {asking("", "b/none"), 404, "model_not_found", "model"},
      {asking("", "a/one:online"), 400, "invalid_request", "model"},
      {asking(R"("preset":"p")"), 501, "not_implemented", "preset"},
      {asking(R"("provider":{"only":["nobody"]})"), 404, "no_endpoints", ""},
  };
  for (const Row& row : rows) {
    const Explanation told = explained(row.body);
    ASSERT_TRUE(told.refusal) << row.body;
    EXPECT_TRUE(told.candidates.empty());
    const dialect::ErrorRow& error = dialect::error_row(told.refusal->kind);
    EXPECT_EQ(error.status, row.status) << row.body;
    EXPECT_STREQ(error.error_type, row.error_type) << row.body;
    EXPECT_EQ(told.refusal->param, row.param) << row.body;
    EXPECT_FALSE(told.refusal->message.empty());

    const JsonValue json = json_of(told);
    EXPECT_EQ(json.text_of("outcome"), "refused");
    const JsonValue* said = json.find("error");
    EXPECT_EQ(said->count_of("code"), static_cast<std::uint32_t>(row.status));
    EXPECT_EQ(said->text_of("error_type"), row.error_type);
    EXPECT_EQ(said->text_of("message"), told.refusal->message);
    EXPECT_EQ(said->text_of("param"), row.param);
    EXPECT_NE(explanation_text(told).find(told.refusal->message), std::string::npos);
  }
  for (const char* tag : {"cheap", "dear", "third"}) {
    health_of(tag).limited_until = now + milliseconds(6'500);
  }
  const Explanation told = explained(asking());
  ASSERT_TRUE(told.refusal);
  EXPECT_EQ(told.refusal->kind, dialect::ErrorKind::kCapacityExhausted);
  EXPECT_EQ(json_of(told).find("error")->count_of("retry_after_s"), 7u);
  EXPECT_EQ(reason(told, "dear"), "rate_limited");
}

TEST_F(ExplainTest, ABodyBeyondTheLimitIsRefused) {
  config.options.limits.body_bytes_max = 50;
  const Explanation told = explained(asking());
  ASSERT_TRUE(told.refusal);
  EXPECT_EQ(told.refusal->kind, dialect::ErrorKind::kPayloadTooLarge);
}

TEST_F(ExplainTest, TextAndJsonTellTheSameAndKeepSecrets) {
  const Explanation told = explained(
      asking(R"("user":"heron-user","top_k":2,"provider":{"ignore":["third"]},"seed":1)"));
  const std::string text = explanation_text(told);
  const JsonValue json = json_of(told);
  EXPECT_EQ(json.text_of("outcome"), "planned");
  EXPECT_EQ(json.text_of("key"), "dev");
  EXPECT_TRUE(json.find("error")->is(JsonValue::Kind::kNull));
  const auto& candidates = json.find("candidates")->items;
  ASSERT_EQ(candidates.size(), told.candidates.size());
  std::size_t at = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const JsonValue& item = candidates[i];
    EXPECT_EQ(item.text_of("endpoint"), told.candidates[i].endpoint.tag);
    EXPECT_EQ(item.text_of("model"), "a/one");
    EXPECT_EQ(item.find("reasons")->items.at(0).text, "drawn");
    EXPECT_EQ(item.find("dropped_parameters")->items.size(), told.candidates[i].dropped.count());
    EXPECT_FALSE(item.is_true("reasoning_on"));
    // In the text too, behind the one before.
    at = text.find("a/one  " + std::string(item.text_of("endpoint")) + " (", at);
    ASSERT_NE(at, std::string::npos) << text;
    const std::string price(item.find("price_per_million")->text_of("prompt"));
    EXPECT_EQ(text.compare(text.find("$", at), price.size() + 1, "$" + price), 0) << text;
  }
  EXPECT_NE(text.find("Cheap Inc"), std::string::npos);
  EXPECT_NE(text.find("first of its peers in 80.0 %"), std::string::npos);
  const auto& excluded = json.find("excluded")->items;
  ASSERT_EQ(excluded.size(), 4u);
  for (const JsonValue& item : excluded) {
    EXPECT_NE(
        text.find(std::string(item.text_of("reason")) + ": " + std::string(item.text_of("text"))),
        std::string::npos);
  }
  for (const char* secret : {"heron", "sk-dev", "provider-secret"}) {
    EXPECT_EQ(text.find(secret), std::string::npos);
    EXPECT_EQ(explanation_json(told).find(secret), std::string::npos);
  }
}

// ---- leat explain ------------------------------------------------------------------------------

struct ExplainCommandTest : ExplainTest {
  ExplainOutcome run(std::string_view body, std::string key = "", bool as_json = false) {
    surroundings.files["r.json"] = std::string(body);
    surroundings.files["/dev/stdin"] = asking("", "b/stdin");
    return explain_request({.kind = Command::Kind::kExplain,
                            .config_file = config_file,
                            .files = {file},
                            .key_name = std::move(key),
                            .as_json = as_json},
                           surroundings, {});
  }
  std::string config_file = "leat.toml";
  std::string file = "r.json";
};

TEST_F(ExplainCommandTest, ReportsAndEndsWithItsStatus) {
  const ExplainOutcome planned = run(asking());
  EXPECT_EQ(planned.status, 0);
  EXPECT_EQ(planned.messages, "");
  EXPECT_NE(planned.report.find("  1. a/one"), std::string::npos) << planned.report;
  EXPECT_NE(planned.report.find("key: dev"), std::string::npos);
  EXPECT_EQ(run(asking()).report, planned.report);  // chance is the same every time
  const ExplainOutcome refused = run("{}", "strict", true);
  EXPECT_EQ(refused.status, kExitRefused);
  EXPECT_EQ(refused.report.find(R"({"outcome":"refused","key":"strict")"), 0u) << refused.report;
}

TEST_F(ExplainCommandTest, ReadsStandardInput) {
  file = "-";
  EXPECT_NE(run("").report.find("b/stdin"), std::string::npos);
}

TEST_F(ExplainCommandTest, SaysWhatItCannotRead) {
  const ExplainOutcome nobody = run(asking(), "nobody");
  EXPECT_EQ(nobody.status, kExitUsage);
  EXPECT_NE(nobody.messages.find("no key named \"nobody\""), std::string::npos);
  file = "missing.json";
  const ExplainOutcome missing = run(asking());
  EXPECT_EQ(missing.status, kExitNoInput);
  EXPECT_NE(missing.messages.find("missing.json: does not exist"), std::string::npos);
  EXPECT_EQ(missing.report, "");
  config_file = "none.toml";
  const ExplainOutcome none = run(asking());
  EXPECT_EQ(none.status, kExitConfig);
  EXPECT_NE(none.messages.find("none.toml"), std::string::npos);
}

}  // namespace
}  // namespace leat::control
