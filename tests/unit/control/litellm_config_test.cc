// SPDX-License-Identifier: Apache-2.0
// Goal: who comes from LiteLLM gets a configuration that Leat takes, serves the same models from
// the same places, learns what was left behind, and finds no secret copied anywhere. Method: files
// as people write them; what comes out is loaded like any other configuration.
#include "control/litellm_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "control/config.h"
#include "fake_surroundings.h"
#include "policy/terms.h"

namespace leat::control {
namespace {

constexpr std::string_view kUsual = R"(
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
      rpm: 600
    model_info:
      input_cost_per_token: 0.0000025
      output_cost_per_token: 1.0e-05
      max_input_tokens: 128000
      max_output_tokens: 16384
      base_model: gpt-4o
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_base: https://eu.example.test/v1/
      api_key: os.environ/EU_KEY
      timeout: 30
      weight: 2
    model_info: {input_cost_per_token: 0.000003, output_cost_per_token: 0.000012}
  - model_name: claude
    litellm_params:
      model: anthropic/claude-sonnet-4
      api_key: sk-ant-CANARY-literal-key
  - model_name: local
    litellm_params:
      model: hosted_vllm/qwen
      api_base: http://10.0.0.5:8000/v1
      stream_timeout: 2.5
  - model_name: embed
    litellm_params: {model: text-embedding-3-small, api_key: os.environ/OPENAI_API_KEY}
    model_info: {mode: embedding}
  - model_name: azure-gpt
    litellm_params:
      model: azure/deployment
      api_base: https://x.openai.azure.test
      api_key: CANARY-azure
router_settings:
  routing_strategy: latency-based-routing
  num_retries: 2
  redis_password: CANARY-redis
  model_group_alias: {gpt-4: gpt-4o, lost: nowhere}
  fallbacks: [{claude: [local]}, {gpt-4o: [claude]}]
litellm_settings:
  request_timeout: 600
  callbacks: [CANARY-callback]
general_settings:
  master_key: sk-CANARY-master
  database_url: postgresql://user:CANARY-db@host/db
environment_variables:
  SOME_TOKEN: CANARY-token
)";

class LitellmConfigTest : public testing::Test {
 protected:
  LitellmConfigTest() {
    for (const char* name : {"OPENAI_API_KEY", "EU_KEY", "LEAT_ANTHROPIC_KEY", "ANTHROPIC_API_KEY",
                             "LITELLM_MASTER_KEY", "LEAT_CLIENT_KEY", "MASTER"}) {
      surroundings_.variables[name] = "sk-value-of-a-variable-0123456789";
    }
    surroundings_.files[kSystemRootsFile] = "authorities";
  }
  CatalogueOutcome import(std::string_view yaml) {
    return litellm_config_as_toml(yaml, surroundings_);
  }
  // Imported, and loaded as `leat check` does.
  Config load(std::string_view yaml) {
    const CatalogueOutcome outcome = import(yaml);
    EXPECT_EQ(outcome.status, 0) << outcome.messages;
    messages_ = outcome.messages;
    output_ = outcome.output;
    surroundings_.files["leat.toml"] = outcome.output;
    Config config = load_config("leat.toml", surroundings_);
    EXPECT_TRUE(config.ok()) << outcome.output;
    for (const Fault& fault : config.faults) ADD_FAILURE() << fault.to_string();
    return config;
  }
  bool tells(std::string_view what) const { return messages_.find(what) != std::string::npos; }

  FakeSurroundings surroundings_;
  std::string messages_;
  std::string output_;
};

const Model* model_of(const Options& options, std::string_view id) {
  const auto found = std::ranges::find(options.models, id, &Model::id);
  return found == options.models.end() ? nullptr : &*found;
}

TEST_F(LitellmConfigTest, MakesAConfigurationThatServesTheSameModelsFromTheSamePlaces) {
  const Config config = load(kUsual);
  const Options& options = config.options;
  const Model* gpt = model_of(options, "gpt-4o");
  ASSERT_NE(gpt, nullptr);
  ASSERT_EQ(gpt->endpoints.size(), 2u);
  EXPECT_EQ(options.providers[gpt->endpoints[0].provider].base_url.host, "api.openai.com");
  EXPECT_EQ(options.providers[gpt->endpoints[1].provider].base_url.host, "eu.example.test");
  EXPECT_EQ(gpt->request_ms_max, 30'000u);
  const Model* local = model_of(options, "local");
  ASSERT_NE(local, nullptr);
  EXPECT_EQ(local->endpoints[0].model, "qwen");
  EXPECT_EQ(local->first_byte_ms_max, 2'500u);
  const Provider& vllm = options.providers[local->endpoints[0].provider];
  EXPECT_TRUE(vllm.allow_private);
  EXPECT_FALSE(vllm.base_url.tls);
  EXPECT_EQ(vllm.base_url.path_prefix, "/v1");
  EXPECT_EQ(options.routing.sort, RoutingSort::kLatency);
  EXPECT_EQ(options.limits.attempts_per_request_max, 3u);
  EXPECT_EQ(options.limits.request_ms_max, 600'000u);
  ASSERT_EQ(options.keys.size(), 1u);
  EXPECT_EQ(options.keys[0].secret.name, "LITELLM_MASTER_KEY");
}

TEST_F(LitellmConfigTest, PricesAreThoseOfTheFileToTheLastDigit) {
  load(kUsual);
  EXPECT_NE(output_.find(R"(price = { prompt = "2.5", completion = "10" })"), std::string::npos)
      << output_;
  EXPECT_NE(output_.find("context_tokens = 128000, completion_tokens_max = 16384"),
            std::string::npos);
}

TEST_F(LitellmConfigTest, LeavesPricesOutThatNotAllDeploymentsHave) {
  load(R"(
model_list:
  - model_name: a
    litellm_params: {model: openai/a}
    model_info: {input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}
  - {model_name: a, litellm_params: {model: groq/a, api_key: os.environ/EU_KEY}}
)");
  EXPECT_EQ(output_.find("price = {"), std::string::npos);
  EXPECT_TRUE(tells("prices of \"a\""));
}

TEST_F(LitellmConfigTest, CopiesNoSecret) {
  load(kUsual);
  EXPECT_EQ(output_.find("CANARY"), std::string::npos) << output_;
  EXPECT_EQ(messages_.find("CANARY"), std::string::npos) << messages_;
  EXPECT_NE(output_.find(R"({ env = "LEAT_ANTHROPIC_KEY" })"), std::string::npos);
  EXPECT_TRUE(tells("LEAT_ANTHROPIC_KEY"));
}

TEST_F(LitellmConfigTest, TellsEverythingThatItLeavesBehind) {
  load(kUsual);
  for (const char* place :
       {"model_list[0]: rpm", "model_list[0].model_info.base_model",
        "model_list[1].litellm_params.weight", "model_list[5].litellm_params.model",
        "router_settings.redis_password", "router_settings.model_group_alias.lost",
        "litellm_settings.callbacks", "general_settings.master_key",
        "general_settings.database_url", "environment_variables.SOME_TOKEN"}) {
    EXPECT_TRUE(tells(place)) << place << "\n" << messages_;
    EXPECT_NE(output_.find(place), std::string::npos) << place;
  }
}

TEST_F(LitellmConfigTest, FallsBackByOrderWhereNothingHasAPriceAndSaysSoWhereItDoes) {
  const Config config = load(kUsual);
  EXPECT_EQ(model_of(config.options, "claude")->endpoints.size(), 2u);
  EXPECT_EQ(model_of(config.options, "gpt-4o")->endpoints.size(), 2u);
  EXPECT_TRUE(tells("from \"gpt-4o\" to \"claude\" is for the request to ask"));
  EXPECT_NE(output_.find("\"gpt-4\" = \"gpt-4o\""), std::string::npos);
}

TEST_F(LitellmConfigTest, TakesPatternsAndDeploymentsOfOneProviderApart) {
  const Config config = load(R"(
model_list:
  - {model_name: anthropic/*, litellm_params: {model: anthropic/*}}
  - {model_name: two, litellm_params: {model: openai/a}}
  - {model_name: two, litellm_params: {model: openai/b}}
  - {model_name: "*", litellm_params: {model: openai/*}}
general_settings: {master_key: os.environ/MASTER}
)");
  EXPECT_EQ(model_of(config.options, "anthropic/*")->endpoints[0].model, "*");
  const Model* two = model_of(config.options, "two");
  ASSERT_EQ(two->endpoints.size(), 2u);
  EXPECT_EQ(two->endpoints[0].provider, two->endpoints[1].provider);
  EXPECT_EQ(config.options.keys[0].secret.name, "MASTER");
  EXPECT_TRUE(tells("model_list[3]"));
}

TEST_F(LitellmConfigTest, AnAddressFromTheEnvironmentIsLookedUp) {
  constexpr std::string_view kYaml = R"(
model_list:
  - model_name: a
    litellm_params: {model: openai/a, api_base: os.environ/WHERE, api_key: os.environ/EU_KEY}
  - {model_name: b, litellm_params: {model: openai/b}}
)";
  EXPECT_EQ(model_of(load(kYaml).options, "a"), nullptr);
  EXPECT_TRUE(tells("WHERE"));
  surroundings_.variables["WHERE"] = "https://where.example.test/v1";
  const Config config = load(kYaml);
  const Model* a = model_of(config.options, "a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(config.options.providers[a->endpoints[0].provider].base_url.host, "where.example.test");
}

TEST_F(LitellmConfigTest, OddTextBecomesNoOtherToml) {
  const Config config = load(R"(
model_list:
  - {model_name: "a\"]\nid = \"b", litellm_params: {model: openai/x}}
  - {model_name: good, litellm_params: {model: openai/x}}
"odd\nkey = 1": 2
)");
  ASSERT_EQ(config.options.models.size(), 1u);
  EXPECT_EQ(config.options.models[0].id, "good");
  EXPECT_TRUE(tells("model_list[0].model_name"));
  EXPECT_EQ(output_.find("\nkey = 1"), std::string::npos);
}

TEST_F(LitellmConfigTest, SaysWhenNothingCanBeServed) {
  EXPECT_EQ(import("model_list: []").status, 78);
  EXPECT_EQ(import("a: [").status, 78);
  EXPECT_EQ(import("model_list:\n- {model_name: x, litellm_params: {model: bedrock/y}}").status,
            78);
  EXPECT_EQ(import_litellm_config("not-there.yaml", surroundings_).status, 66);
}

}  // namespace
}  // namespace leat::control
