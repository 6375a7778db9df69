// SPDX-License-Identifier: Apache-2.0
#include "control/defaults.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "control/addresses.h"
#include "control/client_key.h"
#include "control/config.h"
#include "control/secret_text.h"

namespace leat::control {
namespace {

// Base URLs: provider-formats.md, section 1, from the providers' own documentation.
constexpr std::array kKnown{
    KnownProvider{"openai", "OPENAI_API_KEY", "https://api.openai.com/v1", "OpenAI", ""},
    KnownProvider{"anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com/v1", "Anthropic",
                  ""},
    KnownProvider{"gemini", "GEMINI_API_KEY",
                  "https://generativelanguage.googleapis.com/v1beta/openai", "Google AI Studio",
                  "google"},
    KnownProvider{"openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1", "OpenRouter",
                  ""},
    KnownProvider{"xai", "XAI_API_KEY", "https://api.x.ai/v1", "xAI", "x-ai"},
    KnownProvider{"deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com", "DeepSeek", ""},
    KnownProvider{"groq", "GROQ_API_KEY", "https://api.groq.com/openai/v1", "Groq", ""},
    KnownProvider{"mistral", "MISTRAL_API_KEY", "https://api.mistral.ai/v1", "Mistral",
                  "mistralai"},
    KnownProvider{"together", "TOGETHER_API_KEY", "https://api.together.xyz/v1", "Together", ""},
};

// One simulated provider, and a model of the same name that is served by it.
struct SimulatedVariant {
  std::string_view name;
  std::string_view title;
  SimulatedOptions settings;
};

constexpr std::array kVariants{
    SimulatedVariant{"simulated", "Simulated", {}},
    SimulatedVariant{"simulated-instant",
                     "Simulated, as fast as it can",
                     {.tokens_per_second = 0, .first_token_ms = 0}},
    SimulatedVariant{
        "simulated-slow", "Simulated, slow", {.tokens_per_second = 5, .first_token_ms = 2'000}},
    SimulatedVariant{"simulated-error", "Simulated, answers 503", {.error_percent = 100}},
    SimulatedVariant{
        "simulated-limited", "Simulated, answers 429", {.error_percent = 100, .error_status = 429}},
    SimulatedVariant{"simulated-cut", "Simulated, stops in the middle", {.cut_percent = 100}},
    SimulatedVariant{"simulated-stall", "Simulated, never answers", {.stall_percent = 100}},
};

Model model_of(const Options& options, std::string id, std::string name) {
  Model model;
  model.id = std::move(id);
  model.name = std::move(name);
  model.first_byte_ms_min = options.limits.first_byte_ms_min;
  model.first_byte_ms_max = options.limits.first_byte_ms_max;
  model.chunk_gap_ms_max = options.limits.chunk_gap_ms_max;
  model.request_ms_max = options.limits.request_ms_max;
  model.hold_ms_max = options.hold.ms_max;
  return model;
}

void add_simulated(Options& options) {
  std::uint32_t error_index = 0;
  for (const SimulatedVariant& variant : kVariants) {
    const auto index = static_cast<std::uint32_t>(options.providers.size());
    if (variant.name == "simulated-error") error_index = index;
    Provider provider;
    provider.name = std::string(variant.name);
    provider.display_name = "Leat";
    provider.format = ProviderFormat::kSimulated;
    provider.simulated = variant.settings;
    options.providers.push_back(std::move(provider));
    Model model =
        model_of(options, fmt::format("leat/{}", variant.name), std::string(variant.title));
    model.endpoints.push_back({index, std::string(variant.name)});
    // Nobody trying this out wants to wait two minutes for the 504.
    if (variant.settings.stall_percent > 0) {
      model.first_byte_ms_min = model.first_byte_ms_max = 5'000;
    }
    options.models.push_back(std::move(model));
  }
  Model failover = model_of(options, "leat/simulated-failover",
                            "Simulated, first endpoint answers 503, second serves");
  failover.endpoints.push_back({error_index, "simulated-error"});
  failover.endpoints.push_back({0, "simulated"});
  options.models.push_back(std::move(failover));
}

void add_pass_through(Options& options, std::string_view prefix, std::uint32_t provider) {
  const std::string id = fmt::format("{}/*", prefix);
  Model model = model_of(options, id, id);
  model.endpoints.push_back({provider, "*"});
  options.models.push_back(std::move(model));
}

void add_known(Defaults& defaults, const KnownProvider& known, const Surroundings& surroundings) {
  Options& options = defaults.options;
  const std::string variable(known.variable);
  // Set but empty is how people switch a key off.
  if (surroundings.variable(variable).value_or("").empty()) return;
  Provider provider;
  provider.api_keys = {{SecretSource::Kind::kEnvironment, variable}};
  SecretText secret;
  if (const auto found = secret.read(provider.api_keys.front(), surroundings); !found) {
    defaults.notes.push_back(fmt::format("provider {} left out: {}", known.name, found.error()));
    return;
  }
  if (!has_system_roots(surroundings)) {
    defaults.notes.push_back(fmt::format(
        "provider {} left out: there is no {} to check its certificate by; install the system's "
        "authorities (Debian: ca-certificates)",
        known.name, kSystemRootsFile));
    return;
  }
  provider.name = std::string(known.name);
  provider.display_name = std::string(known.display_name);
  Parsed<BaseUrl> url = parse_base_url(known.base_url);
  LEAT_CHECK(url.has_value());
  provider.base_url = std::move(*url);
  const auto index = static_cast<std::uint32_t>(options.providers.size());
  options.providers.push_back(std::move(provider));
  add_pass_through(options, known.name, index);
  if (!known.author.empty()) add_pass_through(options, known.author, index);
  if (known.name == "openrouter") {
    // Its own router is called by a name that begins with the prefix.
    Model router = model_of(options, "openrouter/auto", "OpenRouter Auto");
    router.endpoints.push_back({index, "openrouter/auto"});
    options.models.push_back(std::move(router));
  }
  defaults.notes.push_back(
      fmt::format("provider {} by {}: ask for {}/MODEL", known.name, known.variable, known.name));
}

}  // namespace

std::span<const KnownProvider> known_providers() {
  return kKnown;
}

Defaults default_options(const Surroundings& surroundings,
                         const std::array<std::uint8_t, 32>& random) {
  Defaults defaults;
  Options& options = defaults.options;
  options.server.listen = {{.host = "127.0.0.1", .port = 8080}};
  ClientKey key;
  key.name = "dev";
  SecretText secret;
  const SecretSource source{SecretSource::Kind::kEnvironment, "LEAT_DEV_KEY"};
  if (secret.read(source, surroundings) && secret.view().size() >= kChosenKeyMin) {
    key.secret = source;
    key.sha256 = digest_of(secret.view());
  } else {
    defaults.made_up_key = make_client_key(random);
    key.sha256 = digest_of(defaults.made_up_key);
    if (surroundings.variable(source.name)) {
      defaults.notes.push_back(
          "LEAT_DEV_KEY is empty, has a blank in it or is shorter than 16 bytes: not used");
    }
  }
  options.keys.push_back(std::move(key));
  add_simulated(options);
  for (const KnownProvider& known : kKnown) add_known(defaults, known, surroundings);
  return defaults;
}

}  // namespace leat::control
