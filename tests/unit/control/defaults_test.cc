// SPDX-License-Identifier: Apache-2.0
// Goal: without a file Leat serves on loopback only, needs a key, answers without a network, and
// takes in exactly those providers whose keys are there. Method: made-up environments.
#include "control/defaults.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "control/addresses.h"
#include "control/client_key.h"
#include "control/config.h"
#include "fake_surroundings.h"

namespace leat::control {
namespace {

// A machine with the system's authorities and no variables.
FakeSurroundings bare_machine() {
  FakeSurroundings surroundings;
  surroundings.files[kSystemRootsFile] = "-----BEGIN CERTIFICATE-----";
  return surroundings;
}

const Model* find_model(const Options& options, std::string_view id) {
  const auto found = std::find_if(options.models.begin(), options.models.end(),
                                  [&](const Model& model) { return model.id == id; });
  return found == options.models.end() ? nullptr : &*found;
}

TEST(Defaults, ServeTheSimulatedProviderOnLoopbackWithAKey) {
  const Defaults defaults = default_options(FakeSurroundings(), {});
  const Options& options = defaults.options;
  ASSERT_EQ(options.server.listen.size(), 1u);
  EXPECT_EQ(to_string(options.server.listen[0]), "127.0.0.1:8080");
  EXPECT_EQ(to_string(options.admin.listen), "127.0.0.1:8081");
  EXPECT_EQ(options.auth_mode, AuthMode::kKeys);
  ASSERT_EQ(options.keys.size(), 1u);
  EXPECT_EQ(options.keys[0].name, "dev");
  EXPECT_EQ(defaults.made_up_key, make_client_key({}));
  EXPECT_EQ(options.keys[0].sha256, digest_of(defaults.made_up_key));
  for (const Provider& provider : options.providers) {
    EXPECT_EQ(provider.format, ProviderFormat::kSimulated) << provider.name;
    EXPECT_TRUE(provider.api_keys.empty());
  }
  ASSERT_NE(find_model(options, "leat/simulated"), nullptr);
  const Model* failover = find_model(options, "leat/simulated-failover");
  ASSERT_NE(failover, nullptr);
  ASSERT_EQ(failover->endpoints.size(), 2u);
  EXPECT_EQ(options.providers[failover->endpoints[0].provider].simulated.error_percent, 100u);
  EXPECT_EQ(options.providers[failover->endpoints[1].provider].simulated.error_percent, 0u);
  const Model* cut = find_model(options, "leat/simulated-cut");
  ASSERT_NE(cut, nullptr);
  EXPECT_EQ(options.providers[cut->endpoints[0].provider].simulated.cut_percent, 100u);
  const Model* stall = find_model(options, "leat/simulated-stall");
  ASSERT_NE(stall, nullptr);
  EXPECT_EQ(options.providers[stall->endpoints[0].provider].simulated.stall_percent, 100u);
  EXPECT_EQ(stall->first_byte_ms_max, 5'000u);
}

TEST(Defaults, EveryModelCanBeServed) {
  FakeSurroundings surroundings = bare_machine();
  for (const KnownProvider& known : known_providers()) {
    surroundings.variables[std::string(known.variable)] = "sk-x";
  }
  const Options options = default_options(surroundings, {}).options;
  std::vector<std::string> ids;
  for (const Model& model : options.models) {
    ids.push_back(model.id);
    EXPECT_FALSE(model.endpoints.empty()) << model.id;
    EXPECT_GT(model.first_byte_ms_max, 0u);
    EXPECT_GT(model.chunk_gap_ms_max, 0u);
    EXPECT_GT(model.request_ms_max, 0u);
    for (const Endpoint& endpoint : model.endpoints) {
      ASSERT_LT(endpoint.provider, options.providers.size());
      EXPECT_EQ(endpoint.model == "*", model.is_pattern()) << model.id;
    }
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
}

TEST(Defaults, AddTheProvidersWhoseKeysAreThere) {
  const struct {
    const char* variable;
    const char* model;
    const char* host;
    const char* prefix;
  } cases[] = {
      {"OPENAI_API_KEY", "openai/*", "api.openai.com", "/v1"},
      {"ANTHROPIC_API_KEY", "anthropic/*", "api.anthropic.com", "/v1"},
      {"GEMINI_API_KEY", "google/*", "generativelanguage.googleapis.com", "/v1beta/openai"},
      {"OPENROUTER_API_KEY", "openrouter/*", "openrouter.ai", "/api/v1"},
      {"XAI_API_KEY", "x-ai/*", "api.x.ai", "/v1"},
      {"DEEPSEEK_API_KEY", "deepseek/*", "api.deepseek.com", ""},
      {"GROQ_API_KEY", "groq/*", "api.groq.com", "/openai/v1"},
      {"MISTRAL_API_KEY", "mistralai/*", "api.mistral.ai", "/v1"},
      {"TOGETHER_API_KEY", "together/*", "api.together.xyz", "/v1"},
  };
  const std::size_t built_in = default_options(FakeSurroundings(), {}).options.providers.size();
  for (const auto& c : cases) {
    SCOPED_TRACE(c.variable);
    FakeSurroundings surroundings = bare_machine();
    surroundings.variables[c.variable] = "sk-x";
    const Defaults defaults = default_options(surroundings, {});
    ASSERT_EQ(defaults.options.providers.size(), built_in + 1);
    const Model* model = find_model(defaults.options, c.model);
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->endpoints[0].provider, built_in);
    const Provider& provider = defaults.options.providers.back();
    EXPECT_EQ(provider.format, ProviderFormat::kOpenAi);
    EXPECT_TRUE(provider.base_url.tls);
    EXPECT_FALSE(provider.allow_private);
    EXPECT_EQ(provider.base_url.host, c.host);
    EXPECT_EQ(provider.base_url.path_prefix, c.prefix);
    EXPECT_EQ(provider.api_keys.at(0).name, c.variable);
    EXPECT_EQ(defaults.notes.size(), 1u);
  }
}

TEST(Defaults, AnEmptyOrBrokenKeyLeavesTheProviderOut) {
  FakeSurroundings surroundings;
  surroundings.variables = {{"OPENAI_API_KEY", ""}, {"XAI_API_KEY", "TOP SECRET"}};
  const Defaults defaults = default_options(surroundings, {});
  EXPECT_EQ(find_model(defaults.options, "openai/*"), nullptr);
  EXPECT_EQ(find_model(defaults.options, "xai/*"), nullptr);
  ASSERT_EQ(defaults.notes.size(), 1u);
  EXPECT_NE(defaults.notes[0].find("XAI_API_KEY"), std::string::npos);
  EXPECT_EQ(defaults.notes[0].find("TOP SECRET"), std::string::npos);
}

TEST(Defaults, WithoutAuthoritiesNobodyIsTrusted) {
  FakeSurroundings surroundings;
  surroundings.variables = {{"OPENAI_API_KEY", "sk-x"}};
  const Defaults defaults = default_options(surroundings, {});
  EXPECT_EQ(find_model(defaults.options, "openai/*"), nullptr);
  ASSERT_EQ(defaults.notes.size(), 1u);
  EXPECT_NE(defaults.notes[0].find("ca-certificates"), std::string::npos);
}

TEST(Defaults, ADevelopmentKeyOfTheEnvironmentIsTaken) {
  FakeSurroundings surroundings;
  surroundings.variables["LEAT_DEV_KEY"] = "sk-mine-0123456789";
  const Defaults defaults = default_options(surroundings, {});
  EXPECT_TRUE(defaults.made_up_key.empty());
  EXPECT_EQ(defaults.options.keys[0].sha256, digest_of("sk-mine-0123456789"));
}

TEST(Defaults, AKeyThatCanBeGuessedIsNotTaken) {
  for (const std::string weak : {"", "0123456789abcde"}) {
    FakeSurroundings surroundings;
    surroundings.variables["LEAT_DEV_KEY"] = weak;
    const Defaults defaults = default_options(surroundings, {});
    EXPECT_FALSE(defaults.made_up_key.empty()) << weak;
    EXPECT_EQ(defaults.options.keys[0].sha256, digest_of(defaults.made_up_key)) << weak;
    EXPECT_EQ(defaults.notes.size(), 1u) << weak;
  }
}

}  // namespace
}  // namespace leat::control
