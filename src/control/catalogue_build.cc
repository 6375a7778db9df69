// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue_build.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "control/json_tree.h"
#include "policy/catalogue_builder.h"
#include "policy/provider_facts.h"

namespace leat::control {
namespace {

using policy::CatalogueError;
using policy::CatalogueFault;
using policy::PriceClass;

std::string lower(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

// What the configuration says goes before what the catalogue's file says.
DraftProvider merged(DraftProvider first, DraftProvider second) {
  if (second.connection) std::swap(first, second);
  const auto fill = [](auto& to, auto& from) {
    if (to.empty()) to = std::move(from);
  };
  fill(first.privacy_policy_url, second.privacy_policy_url);
  fill(first.terms_of_service_url, second.terms_of_service_url);
  fill(first.status_page_url, second.status_page_url);
  fill(first.headquarters, second.headquarters);
  fill(first.datacenters, second.datacenters);
  fill(first.reasoning_in, second.reasoning_in);
  fill(first.reasoning_out, second.reasoning_out);
  fill(first.display_name, second.display_name);
  if (!first.data) first.data = second.data;
  const auto add = [](auto& to, const auto& from) {
    if (from) to = to ? *to | *from : *from;
  };
  add(first.quirks, second.quirks);
  add(first.rejects, second.rejects);
  return first;
}

class Build {
 public:
  Build(const CatalogueDraft& draft, BuildFor purpose, std::vector<FaultList>& faults)
      : draft_(draft), purpose_(purpose), faults_(faults) {}

  std::optional<gateway::RoutedCatalogue> run();

 private:
  void fault(Place place, std::string_view key, std::string what) {
    is_good_ = false;
    faults_[place.file].add(place.line, key, std::move(what));
  }
  // "line 7" or, of another file, "cat.toml:7".
  std::string where(Place first, Place second) const {
    if (first.file == second.file) return fmt::format("line {}", first.line);
    return fmt::format("{}:{}", draft_.files[first.file], first.line);
  }
  std::string providers_hint(std::string_view slug) const;
  void merge_providers();
  void add_providers();
  void add_model(const DraftModel& model);
  // `ordinal` counts the endpoints of one provider, from 1: the short form has no tags, and may
  // name a provider twice.
  void add_endpoint(const DraftModel& model, const DraftEndpoint& endpoint, bool needs_prices,
                    std::size_t ordinal);
  bool judge_prices(const DraftModel& model, const DraftEndpoint& endpoint,
                    policy::PriceClassSet free);
  bool judge_limits(const DraftModel& model, const DraftEndpoint& endpoint);
  void add_aliases();

  const CatalogueDraft& draft_;
  const BuildFor purpose_;
  std::vector<FaultList>& faults_;
  policy::CatalogueBuilder builder_;
  std::vector<DraftProvider> providers_;
  std::unordered_map<std::string, std::size_t> provider_by_slug_;
  std::unordered_map<std::string_view, Place> models_;
  std::vector<std::uint32_t> connections_;
  bool is_good_ = true;
};

std::string Build::providers_hint(std::string_view slug) const {
  std::vector<std::string_view> known;
  for (const DraftProvider& provider : providers_) known.push_back(provider.slug);
  const std::string_view near = nearest(slug, known);
  return near.empty() ? "write one of those that there are, or describe it"
                      : fmt::format("did you mean \"{}\"?", near);
}

void Build::merge_providers() {
  for (const DraftProvider& provider : draft_.providers) {
    DraftProvider folded = provider;
    folded.slug = lower(provider.slug);
    const auto [at, is_new] = provider_by_slug_.emplace(folded.slug, providers_.size());
    if (is_new) {
      providers_.push_back(std::move(folded));
      continue;
    }
    DraftProvider& first = providers_[at->second];
    if (first.connection.has_value() == folded.connection.has_value()) {
      fault(provider.place, fmt::format("providers.{}", printable(provider.slug)),
            fmt::format("stands in {} too; describe each provider once",
                        where(first.place, provider.place)));
      continue;
    }
    first = merged(std::move(first), std::move(folded));
  }
}

void Build::add_providers() {
  for (const DraftProvider& from : providers_) {
    const std::vector<std::string_view> datacenters = views(from.datacenters);
    policy::Provider provider;
    provider.slug = from.slug;
    provider.name = from.display_name.empty() ? from.slug : from.display_name;
    provider.privacy_policy_url = from.privacy_policy_url;
    provider.terms_of_service_url = from.terms_of_service_url;
    provider.status_page_url = from.status_page_url;
    provider.headquarters = from.headquarters;
    provider.datacenters = datacenters;
    provider.data = from.data.value_or(policy::DataPolicy{});
    const policy::ProviderFacts& known = policy::facts_at(from.host);
    provider.quirks = from.quirks.value_or(known.quirks);
    provider.rejects = from.rejects.value_or(known.rejects);
    provider.reasoning_in = from.reasoning_in.empty() ? known.reasoning_in : from.reasoning_in;
    provider.reasoning_out = from.reasoning_out.empty() ? known.reasoning_out : from.reasoning_out;
    if (const auto added = builder_.add_provider(provider); !added) {
      fault(from.place, fmt::format("providers.{}", printable(from.slug)),
            std::string(text_of(added.error().fault)));
      continue;
    }
    connections_.push_back(from.connection.value_or(gateway::RoutedCatalogue::kNoConnection));
  }
}

// Why a price that is not there is a fault: what nobody wrote down would be given away.
bool Build::judge_prices(const DraftModel& model, const DraftEndpoint& endpoint,
                         policy::PriceClassSet free) {
  bool is_good = true;
  const bool writes_text = model.output.empty() || model.output.has(policy::Modality::kText);
  const auto complain = [&](PriceClass price_class, std::string_view what) {
    fault(endpoint.place, fmt::format("models[\"{}\"].endpoints.price", printable(model.id)),
          fmt::format("the price of `{}` at {} {}; write it, or free = true, or free = [\"{}\"]",
                      name_of(price_class), printable(endpoint.provider), what,
                      name_of(price_class)));
    is_good = false;
  };
  for (std::size_t i = 0; i < policy::kPriceClasses; ++i) {
    const auto price_class = static_cast<PriceClass>(i);
    if ((free | endpoint.unreadable).has(price_class)) continue;
    const bool is_needed = writes_text && (price_class == PriceClass::kPrompt ||
                                           price_class == PriceClass::kCompletion);
    const policy::Picodollars price = endpoint.prices[price_class];
    if (price == 0) complain(price_class, "is 0");
    if (price == policy::Prices::kUnstated && is_needed) complain(price_class, "is missing");
  }
  return is_good;
}

bool Build::judge_limits(const DraftModel& model, const DraftEndpoint& endpoint) {
  const std::uint32_t context =
      endpoint.context_tokens != 0 ? endpoint.context_tokens : model.context_tokens;
  if (context == 0) return true;
  bool is_good = true;
  const auto judge = [&](std::uint32_t limit, std::string_view name) {
    if (limit <= context) return;
    fault(endpoint.place, fmt::format("models[\"{}\"].endpoints.{}", printable(model.id), name),
          fmt::format("{} is more than the context of {}; write no more than that, or a longer "
                      "context_tokens",
                      limit, context));
    is_good = false;
  };
  judge(endpoint.prompt_tokens_max, "prompt_tokens_max");
  judge(endpoint.completion_tokens_max, "completion_tokens_max");
  return is_good;
}

void Build::add_endpoint(const DraftModel& model, const DraftEndpoint& from, bool needs_prices,
                         std::size_t ordinal) {
  const std::string slug = lower(from.provider);
  const std::string key = fmt::format("models[\"{}\"].endpoints", printable(model.id));
  std::string tag = from.tag;
  if (model.may_lack_prices && tag.empty() && ordinal > 1)
    tag = fmt::format("{}/{}", slug, ordinal);
  policy::EndpointSpec spec;
  spec.declared_free = needs_prices ? from.free : policy::kFreeOfAll;
  bool is_good = judge_prices(model, from, spec.declared_free) && from.unreadable.empty();
  is_good = judge_limits(model, from) && is_good;
  const auto provider = provider_by_slug_.find(slug);
  if (provider == provider_by_slug_.end()) {
    fault(from.place, key + ".provider",
          fmt::format("there is no [providers.{}]; {}", printable(from.provider),
                      providers_hint(slug)));
    is_good = false;
  }
  if (!is_good) return;
  std::vector<policy::PriceOverride> overrides;
  for (const DraftOverride& override : from.overrides) overrides.push_back(override.terms);
  spec.model = model.id;
  spec.provider = slug;
  spec.tag = tag;
  spec.upstream_model = from.model;
  spec.region = from.region;
  spec.overrides = overrides;
  spec.has_data_policy = from.data.has_value();
  policy::Endpoint& facts = spec.facts;
  facts.prices = from.prices;
  facts.is_unpriced = !needs_prices;
  facts.context = from.context_tokens != 0 ? from.context_tokens : model.context_tokens;
  facts.prompt_max = from.prompt_tokens_max;
  facts.completion_max = from.completion_tokens_max;
  facts.parameters = from.parameters.value_or(model.parameters);
  facts.tool_choices = from.tool_choices;
  if (facts.tool_choices.empty() && facts.parameters.has(policy::Parameter::kToolChoice)) {
    facts.tool_choices = {policy::ToolChoice::kAuto, policy::ToolChoice::kNone,
                          policy::ToolChoice::kRequired, policy::ToolChoice::kFunction};
  }
  facts.data = from.data.value_or(policy::DataPolicy{});
  facts.tier = from.tier;
  facts.quantization = from.quantization;
  facts.variant = from.variant;
  facts.implicit_caching = from.implicit_caching;
  facts.disabled = from.disabled ||
                   (purpose_ == BuildFor::kConfigured && !providers_[provider->second].connection);
  if (const auto added = builder_.add_endpoint(spec); !added) {
    fault(from.place, key,
          fmt::format("\"{}\" of {}: {}", printable(from.model), printable(from.provider),
                      text_of(added.error().fault)));
  }
}

void Build::add_model(const DraftModel& from) {
  const std::string key = fmt::format("models[\"{}\"]", printable(from.id));
  const auto [first, is_new] = models_.emplace(from.id, from.place);
  if (!is_new) {
    fault(from.place, key,
          fmt::format("stands in {} too; write each model once", where(first->second, from.place)));
    return;
  }
  std::string why;
  if (!from.default_parameters_json.empty()) {
    const auto parsed = parse_json(from.default_parameters_json, why);
    if (!parsed || !parsed->is(JsonValue::Kind::kObject)) {
      fault(from.place, key + ".default_parameters_json", "is no JSON object");
    }
  }
  const std::vector<std::string_view> efforts = views(from.reasoning.efforts);
  policy::Model model;
  model.id = from.id;
  model.canonical_slug = from.canonical_slug.empty() ? from.id : from.canonical_slug;
  model.name = from.name.empty() ? from.id : from.name;
  model.description = from.description;
  model.hugging_face_id = from.hugging_face_id;
  model.family = from.family;
  model.tokenizer = from.tokenizer;
  model.instruct_type = from.instruct_type;
  model.knowledge_cutoff = from.knowledge_cutoff;
  model.default_parameters_json = from.default_parameters_json;
  model.created = from.created_unix_s;
  model.expires = from.expires_unix_s;
  model.context = from.context_tokens;
  model.output_default_max = from.output_default_max;
  model.input = from.input;
  model.output = from.output;
  model.reasoning = {.efforts = efforts,
                     .default_effort = from.reasoning.default_effort,
                     .default_enabled = from.reasoning.default_enabled,
                     .supports_max_tokens = from.reasoning.supports_max_tokens,
                     .mandatory = from.reasoning.mandatory};
  model.distillable = from.distillable;
  model.moderated = from.moderated;
  model.hidden = from.hidden;
  model.open_weights = from.open_weights;
  // In the short form no endpoint says what it costs. One that does makes silence a mistake.
  const bool needs_prices =
      !from.may_lack_prices ||
      std::any_of(from.endpoints.begin(), from.endpoints.end(), [](const DraftEndpoint& endpoint) {
        return endpoint.prices != policy::Prices() || !endpoint.free.empty();
      });
  model.keeps_order = !needs_prices;
  if (const auto added = builder_.add_model(model); !added) {
    fault(from.place, key, std::string(text_of(added.error().fault)));
    return;
  }
  std::unordered_map<std::string_view, std::size_t> ordinals;
  for (const DraftEndpoint& endpoint : from.endpoints) {
    add_endpoint(from, endpoint, needs_prices, ++ordinals[endpoint.provider]);
  }
}

void Build::add_aliases() {
  std::unordered_map<std::string_view, const DraftAlias*> by_name;
  for (const DraftAlias& alias : draft_.aliases) by_name.emplace(alias.name, &alias);
  for (const DraftAlias& alias : draft_.aliases) {
    const std::string key = fmt::format("aliases.{}", printable(alias.name));
    std::string_view target = alias.target;
    std::size_t steps = 0;
    while (!models_.contains(target) && by_name.contains(target) && steps <= by_name.size()) {
      target = by_name.at(target)->target;
      ++steps;
    }
    if (steps > by_name.size()) {
      fault(alias.place, key, "leads round in a circle of aliases; let one of them name a model");
    } else if (!models_.contains(target)) {
      fault(alias.place, key, fmt::format("there is no model \"{}\"", printable(target)));
    } else if (const auto added = builder_.add_alias(alias.name, alias.target); !added) {
      fault(alias.place, key, std::string(text_of(added.error().fault)));
    }
  }
}

std::optional<gateway::RoutedCatalogue> Build::run() {
  std::size_t endpoints = 0;
  for (const DraftModel& model : draft_.models) endpoints += model.endpoints.size();
  builder_.reserve(draft_.models.size(), draft_.providers.size(), endpoints);
  merge_providers();
  add_providers();
  for (const DraftModel& model : draft_.models) add_model(model);
  add_aliases();
  if (!is_good_) return {};
  auto made = builder_.finish();
  if (!made) {
    fault({}, "aliases",
          fmt::format("\"{}\": {}", printable(made.error().name), text_of(made.error().fault)));
    return {};
  }
  return gateway::RoutedCatalogue{std::move(*made), std::move(connections_)};
}

}  // namespace

std::optional<gateway::RoutedCatalogue> build_catalogue(const CatalogueDraft& draft,
                                                        BuildFor purpose,
                                                        std::vector<FaultList>& faults) {
  return Build(draft, purpose, faults).run();
}

}  // namespace leat::control
