// SPDX-License-Identifier: Apache-2.0
// Goal: what others publish arrives with exact prices and without a silent loss: what was changed
// or found no place is told, and what comes out is a sound catalogue.
// Method: a small hand-written sample of each format; the real data is tests/clients' part.
#include "control/catalogue_import.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "control/catalogue_build.h"
#include "control/import_parts.h"

namespace leat::control {
namespace {

using policy::PriceClass;

constexpr std::string_view kModelsDev = R"({
 "acme": {"id": "acme", "name": "Acme", "npm": "x", "models": {
  "big-1": {"id": "big-1", "name": "Big 1", "tool_call": true, "reasoning": true,
    "temperature": true,
   "release_date": "2025-01-02", "knowledge": "2024-10", "modalities": {"input": ["text", "pdf"],
    "output": ["text"]},
   "cost": {"input": 0.1, "output": 3e-1, "cache_read": 0.07, "context_over_200k": {"input": 0.2,
    "output": 0.6}},
   "limit": {"context": 1000, "output": 2000}},
  "no-price": {"id": "no-price", "name": "No"},
  "gratis": {"id": "gratis", "name": "Gratis", "cost": {"input": 0, "output": 0},
    "limit": {"context": 10, "output": 5}}
 }},
 "shop": {"id": "shop", "name": "Shop", "models": {
  "maker/big-1": {"id": "maker/big-1", "cost": {"input": 0.11, "output": 0.31, "cache_read": 0},
    "limit": {"context": 900, "output": 100}},
  "Maker/Big-1": {"id": "Maker/Big-1", "cost": {"input": 0.12, "output": 0.32},
    "limit": {"context": 900, "output": 100}},
  "maker/big-1:free": {"id": "f", "cost": {"input": 0, "output": 0}, "limit": {"context": 900,
    "output": 100}}
 }}})";

constexpr std::string_view kRouterModels = R"({"data": [
 {"id": "maker/big-1", "canonical_slug": "maker/big-1-20250102", "name": "Maker: Big 1",
    "created": 1735776000,
  "description": "Two\nlines", "context_length": 1000,
  "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"],
    "tokenizer": "GPT", "instruct_type": null},
  "pricing": {"prompt": "0.00000015", "completion": "0.0000006", "request": "0", "image": "0.002",
   "overrides": [{"min_prompt_tokens": 200000, "prompt": "0.0000003"}]},
  "top_provider": {"context_length": 1000, "max_completion_tokens": 100, "is_moderated": true},
  "supported_parameters": ["temperature", "tools", "unheard_of"],
  "reasoning": {"supported_efforts": ["high"], "mandatory": true}},
 {"id": "openrouter/auto", "name": "Auto", "pricing": {"prompt": "-1", "completion": "-1"}},
 {"id": "~maker/big-latest", "name": "L", "pricing": {"prompt": "1", "completion": "1"},
    "alias_target": {}}
]})";

constexpr std::string_view kRouterEndpoints =
    R"({"data": {"id": "maker/big-1", "name": "Big 1", "created": 5,
 "description": "D", "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
 "endpoints": [
  {"name": "A | big-1", "tag": "acme/turbo", "provider_name": "Acme Inc", "context_length": 500,
   "pricing": {"prompt": "0.000001", "completion": "0.000002"}, "quantization": "fp8",
   "max_completion_tokens": 50, "max_prompt_tokens": null, "supported_parameters": ["seed"],
   "supports_implicit_caching": true, "supports_tool_choice": {"auto": true, "none": false}},
  {"name": "O | big-1", "tag": "other/flex", "provider_name": "Other", "context_length": 500,
   "pricing": {"prompt": "0.000003", "completion": "0.000004"}, "quantization": null,
   "supported_parameters": []}]}})";

constexpr std::string_view kRouterProviders = R"({"data": [{"name": "Acme Inc", "slug": "acme",
 "privacy_policy_url": "https://a.example/p", "headquarters": "DE", "datacenters": ["DE"]}]})";

constexpr std::string_view kLiteLlm = R"({
 "sample_spec": {"litellm_provider": "one of", "mode": "one of"},
 "gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-07,
  "output_cost_per_token": 1e-06, "cache_read_input_token_cost": 2.5e-08,
    "input_cost_per_token_priority": 5e-07,
  "output_cost_per_token_priority": 2e-06, "input_cost_per_token_above_200k_tokens": 5e-07,
  "max_input_tokens": 1000, "max_output_tokens": 100, "supports_function_calling": true,
    "supports_vision": true},
 "openrouter/openai/gpt-x": {"litellm_provider": "openrouter", "mode": "chat",
    "input_cost_per_token": 2.6e-07,
  "output_cost_per_token": 1e-06},
 "embed-x": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 1e-08,
    "output_cost_per_token": 0.0},
 "draw-x": {"litellm_provider": "openai", "mode": "image_generation",
    "input_cost_per_pixel": 1e-08}})";

struct Imported {
  CatalogueDraft draft;
  std::vector<ImportNote> changed;
  std::vector<ImportNote> unplaced;
  std::string account;

  const DraftModel& model(std::string_view id) const {
    static const DraftModel none;
    for (const DraftModel& one : draft.models) {
      if (one.id == id) return one;
    }
    ADD_FAILURE() << "no model " << id;
    return none;
  }
};

Imported imported(std::vector<std::string_view> texts) {
  CatalogueImport import;
  for (const std::string_view text : texts) EXPECT_EQ(import.add("f.json", text), "");
  Imported out{import.finish(), import.changed(), import.unplaced(), import.account()};
  CatalogueDraft copy = out.draft;
  copy.files = {"made"};
  std::vector<FaultList> faults{FaultList("made")};
  EXPECT_TRUE(build_catalogue(copy, BuildFor::kAlone, faults));
  for (const Fault& fault : faults.front().take()) ADD_FAILURE() << fault.to_string();
  return out;
}

bool tells(const std::vector<ImportNote>& notes, std::string_view subject, std::string_view words) {
  return std::any_of(notes.begin(), notes.end(), [&](const ImportNote& note) {
    return note.subject == subject && note.reason.find(words) != std::string::npos;
  });
}

TEST(CatalogueImport, TakesModelsDev) {
  const Imported out = imported({kModelsDev});
  // The same model at both: the shop knows its author.
  const DraftModel& big = out.model("maker/big-1");
  ASSERT_EQ(big.endpoints.size(), 4u);
  const DraftEndpoint& acme = big.endpoints[0];
  EXPECT_EQ(acme.provider, "acme");
  EXPECT_EQ(acme.model, "big-1");
  EXPECT_EQ(acme.prices[PriceClass::kPrompt], 100'000);
  EXPECT_EQ(acme.prices[PriceClass::kCompletion], 300'000);
  EXPECT_EQ(acme.prices[PriceClass::kInputCacheRead], 70'000);
  ASSERT_EQ(acme.overrides.size(), 1u);
  EXPECT_EQ(acme.overrides[0].terms.prompt_tokens_over, 200'000u);
  EXPECT_EQ(acme.overrides[0].terms.prices[PriceClass::kCompletion], 600'000);
  EXPECT_EQ(acme.completion_tokens_max, 1000u);
  EXPECT_TRUE(tells(out.changed, "big-1 at acme", "an output limit of 2000"));
  EXPECT_EQ(big.context_tokens, 1000u);
  EXPECT_EQ(big.endpoints[1].context_tokens, 900u);
  EXPECT_EQ(big.created_unix_s, 1735776000);
  EXPECT_TRUE(big.input.has(policy::Modality::kFile));
  EXPECT_TRUE(tells(out.changed, "maker/big-1 at shop", "`input_cache_read`"));
  EXPECT_EQ(big.endpoints[1].prices[PriceClass::kInputCacheRead], policy::Prices::kUnstated);
  // Two spellings of one way: both kept, told apart.
  EXPECT_EQ(big.endpoints[2].tag, "shop/maker-big-1");
  EXPECT_EQ(big.endpoints[3].variant, policy::Variant::kFree);
  EXPECT_EQ(out.model("acme/gratis").endpoints[0].free.count(), 14);
  EXPECT_TRUE(tells(out.changed, "gratis at acme", "costs nothing"));
  EXPECT_TRUE(tells(out.unplaced, "no-price at acme", "no price"));
  EXPECT_EQ(out.unplaced.size(), 1u);
}

TEST(CatalogueImport, TakesARoutersModelsAndEndpoints) {
  const Imported out = imported({kRouterModels, kRouterEndpoints, kRouterProviders});
  const DraftModel& big = out.model("maker/big-1");
  EXPECT_EQ(big.canonical_slug, "maker/big-1-20250102");
  EXPECT_EQ(big.description, "Two lines");
  EXPECT_TRUE(big.moderated);
  EXPECT_TRUE(big.reasoning.mandatory);
  EXPECT_EQ(big.tokenizer, "GPT");
  ASSERT_EQ(big.endpoints.size(), 3u);
  EXPECT_EQ(big.endpoints[0].prices[PriceClass::kPrompt], 150'000);
  EXPECT_EQ(big.endpoints[0].prices[PriceClass::kImage], 2'000'000'000);
  EXPECT_EQ(big.endpoints[0].prices[PriceClass::kRequest], policy::Prices::kUnstated);
  EXPECT_EQ(big.endpoints[0].overrides[0].terms.prices[PriceClass::kPrompt], 300'000);
  const DraftEndpoint& turbo = big.endpoints[1];
  EXPECT_EQ(turbo.tag, "acme/turbo");
  EXPECT_EQ(turbo.provider, "acme");
  EXPECT_EQ(turbo.quantization, policy::Quantization::kFp8);
  EXPECT_TRUE(turbo.implicit_caching);
  EXPECT_EQ(turbo.tool_choices, policy::ToolChoiceSet{policy::ToolChoice::kAuto});
  EXPECT_EQ(big.endpoints[2].tier, policy::ServiceTier::kFlex);
  EXPECT_EQ(out.draft.find_provider("acme")->headquarters, "DE");
  EXPECT_TRUE(tells(out.unplaced, "openrouter/auto", "-1"));
  EXPECT_TRUE(tells(out.unplaced, "~maker/big-latest", "another name"));
}

TEST(CatalogueImport, TakesLiteLlm) {
  const Imported out = imported({kLiteLlm});
  const DraftModel& model = out.model("openai/gpt-x");
  ASSERT_EQ(model.endpoints.size(), 3u);
  const auto of_tier = [&](policy::ServiceTier tier) {
    return *std::find_if(model.endpoints.begin(), model.endpoints.end(),
                         [&](const DraftEndpoint& one) { return one.tier == tier; });
  };
  const DraftEndpoint normal = of_tier(policy::ServiceTier::kDefault);
  EXPECT_EQ(normal.provider, "openai");
  EXPECT_EQ(normal.prices[PriceClass::kPrompt], 250'000);
  EXPECT_EQ(normal.prices[PriceClass::kInputCacheRead], 25'000);
  EXPECT_EQ(normal.overrides[0].terms.prices[PriceClass::kPrompt], 500'000);
  EXPECT_EQ(of_tier(policy::ServiceTier::kPriority).prices[PriceClass::kCompletion], 2'000'000);
  EXPECT_TRUE(model.input.has(policy::Modality::kImage));
  EXPECT_TRUE(out.model("openai/embed-x").output.has(policy::Modality::kEmbeddings));
  EXPECT_TRUE(tells(out.unplaced, "draw-x", "image_generation"));
}

TEST(CatalogueImport, CountsWhatItTook) {
  const std::string account = imported({kModelsDev, kLiteLlm}).account;
  EXPECT_NE(account.find("f.json: models.dev: 6 entries read"), std::string::npos) << account;
  EXPECT_NE(account.find("f.json: LiteLLM, prices: 4 entries read"), std::string::npos) << account;
  EXPECT_NE(account.find("taken: 4 providers, 4 models, 9 endpoints"), std::string::npos)
      << account;
}

TEST(CatalogueImport, RefusesWhatItDoesNotKnow) {
  CatalogueImport import;
  EXPECT_NE(import.add("f", "{"), "");
  EXPECT_NE(import.add("f", "[1]"), "");
  EXPECT_NE(import.add("f", "{}"), "");
  EXPECT_NE(import.add("f", R"({"data": []})"), "");
  EXPECT_NE(import.add("f", R"({"a": {"b": 1}} x)"), "");
  EXPECT_NE(import.add("f", R"({"a": {"models": {"m": {"cost": {"input": 01}}}}})"), "");
}

TEST(CatalogueImport, NamesAreBroughtIntoOurForm) {
  EXPECT_EQ(model_id_of("meta-llama/Llama-3.3-70B-Instruct"), "meta-llama/llama-3.3-70b-instruct");
  EXPECT_EQ(model_id_of("accounts/fireworks/models/kimi-k2"), "kimi-k2");
  EXPECT_EQ(model_id_of("@cf/meta/llama"), "meta/llama");
  EXPECT_EQ(model_id_of("anthropic.claude-v2:1"), "anthropic.claude-v2-1");
  EXPECT_EQ(model_id_of("a/b:free"), "a/b:free");
  EXPECT_EQ(slug_of("Google_Vertex AI"), "google-vertex-ai");
  EXPECT_EQ(unix_seconds("1970-01-02"), 86'400);
  EXPECT_EQ(unix_seconds("2025-03"), 1740787200);
  EXPECT_EQ(unix_seconds("2025-02-30"), 0);
  EXPECT_EQ(unix_seconds("soon"), 0);
  EXPECT_EQ(plain_text("a\r\n\tb\x7f", 10), "a b ");
  EXPECT_EQ(plain_text("a\xc3\xa4", 2), "a");
}

}  // namespace
}  // namespace leat::control
