// SPDX-License-Identifier: Apache-2.0
// What differs between what two catalogues know, by the rows that catalogues are read by.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "control/catalogue_reader.h"
#include "control/catalogue_text.h"
#include "control/change_list.h"

namespace leat::control {
namespace {

using gateway::RoutedCatalogue;

std::string text_or_none(std::string_view text) {
  return text.empty() ? "none" : toml_quoted(text);
}

// 0 was not stated.
std::string number_or_none(std::int64_t number) {
  return number == 0 ? "none" : fmt::to_string(number);
}

std::string flag(bool value) {
  return value ? "true" : "false";
}

std::string reasoning_text(const policy::ReasoningFacts& reasoning) {
  return fmt::format(
      "{{ efforts = {}, default_effort = {}, default_enabled = {}, supports_max_tokens = {}, "
      "mandatory = {} }}",
      toml_list(reasoning.efforts, toml_quoted), toml_quoted(reasoning.default_effort),
      reasoning.default_enabled, reasoning.supports_max_tokens, reasoning.mandatory);
}

constexpr std::array<TextOf<policy::Provider>, 11> kProviderTexts{{
    {"display_name", [](const policy::Provider& p) { return text_or_none(p.name); }},
    {"privacy_policy_url",
     [](const policy::Provider& p) { return text_or_none(p.privacy_policy_url); }},
    {"terms_of_service_url",
     [](const policy::Provider& p) { return text_or_none(p.terms_of_service_url); }},
    {"status_page_url", [](const policy::Provider& p) { return text_or_none(p.status_page_url); }},
    {"headquarters", [](const policy::Provider& p) { return text_or_none(p.headquarters); }},
    {"datacenters",
     [](const policy::Provider& p) { return toml_list(p.datacenters, toml_quoted); }},
    {"data", [](const policy::Provider& p) { return data_table(p.data); }},
    {"quirks", [](const policy::Provider& p) { return toml_list(p.quirks); }},
    {"rejects", [](const policy::Provider& p) { return toml_list(p.rejects); }},
    {"reasoning_in", [](const policy::Provider& p) { return text_or_none(p.reasoning_in); }},
    {"reasoning_out", [](const policy::Provider& p) { return text_or_none(p.reasoning_out); }},
}};

// Without `id`, by which models are matched, and with `parameters` and `endpoints` in code of their
// own.
constexpr std::array<TextOf<policy::Model>, 20> kModelTexts{{
    {"name", [](const policy::Model& m) { return text_or_none(m.name); }},
    {"created_unix_s", [](const policy::Model& m) { return number_or_none(m.created); }},
    {"context_tokens", [](const policy::Model& m) { return number_or_none(m.context); }},
    {"canonical_slug", [](const policy::Model& m) { return text_or_none(m.canonical_slug); }},
    {"family", [](const policy::Model& m) { return text_or_none(m.family); }},
    {"description", [](const policy::Model& m) { return text_or_none(m.description); }},
    {"hugging_face_id", [](const policy::Model& m) { return text_or_none(m.hugging_face_id); }},
    {"tokenizer", [](const policy::Model& m) { return text_or_none(m.tokenizer); }},
    {"instruct_type", [](const policy::Model& m) { return text_or_none(m.instruct_type); }},
    {"knowledge_cutoff", [](const policy::Model& m) { return text_or_none(m.knowledge_cutoff); }},
    {"default_parameters_json",
     [](const policy::Model& m) { return text_or_none(m.default_parameters_json); }},
    {"expires_unix_s", [](const policy::Model& m) { return number_or_none(m.expires); }},
    {"output_default_max",
     [](const policy::Model& m) { return number_or_none(m.output_default_max); }},
    {"input", [](const policy::Model& m) { return toml_list(m.input); }},
    {"output", [](const policy::Model& m) { return toml_list(m.output); }},
    {"reasoning", [](const policy::Model& m) { return reasoning_text(m.reasoning); }},
    {"distillable", [](const policy::Model& m) { return flag(m.distillable); }},
    {"moderated", [](const policy::Model& m) { return flag(m.moderated); }},
    {"hidden", [](const policy::Model& m) { return flag(m.hidden); }},
    {"open_weights", [](const policy::Model& m) { return flag(m.open_weights); }},
}};

// An endpoint, and what it takes from others where it says nothing itself.
struct EndpointView {
  const policy::Endpoint& facts;
  const policy::Model& model;
  const policy::Provider& provider;
  std::span<const policy::PriceOverride> overrides;
  policy::ParameterSet parameters;  // less what its provider rejects on either side
  bool is_reached;                  // its provider is configured
};

// Without `tag` and `variant`, by which endpoints are matched; `price` in code of its own; `free`
// only says that prices may be missing.
constexpr std::array<TextOf<EndpointView>, 14> kEndpointTexts{{
    {"provider", [](const EndpointView& e) { return toml_quoted(e.provider.slug); }},
    {"model", [](const EndpointView& e) { return toml_quoted(e.facts.upstream_model); }},
    {"region", [](const EndpointView& e) { return text_or_none(e.facts.region); }},
    {"overrides", [](const EndpointView& e) { return toml_list(e.overrides, override_table); }},
    {"context_tokens", [](const EndpointView& e) { return number_or_none(e.facts.context); }},
    {"prompt_tokens_max", [](const EndpointView& e) { return number_or_none(e.facts.prompt_max); }},
    {"completion_tokens_max",
     [](const EndpointView& e) { return number_or_none(e.facts.completion_max); }},
    {"parameters", [](const EndpointView& e) { return toml_list(e.parameters); }},
    {"tool_choices", [](const EndpointView& e) { return toml_list(e.facts.tool_choices); }},
    {"data", [](const EndpointView& e) { return data_table(e.facts.data); }},
    {"tier", [](const EndpointView& e) { return toml_quoted(policy::name_of(e.facts.tier)); }},
    {"quantization",
     [](const EndpointView& e) { return toml_quoted(policy::name_of(e.facts.quantization)); }},
    {"implicit_caching", [](const EndpointView& e) { return flag(e.facts.implicit_caching); }},
    {"disabled", [](const EndpointView& e) { return flag(e.facts.disabled); }},
}};

bool same(const policy::DataPolicy& a, const policy::DataPolicy& b) {
  return data_table(a) == data_table(b);
}

// Nobody stated them, as far as can be seen: all of them, or none.
bool is_derived(policy::ToolChoiceSet choices) {
  return choices.empty() || choices.count() == static_cast<int>(policy::kToolChoices);
}

// Whether a difference of that row is told where it was written: at the model or the provider, or
// as another row.
bool is_told_elsewhere(std::string_view key, const EndpointView& a, const EndpointView& b,
                       policy::ParameterSet model_a, policy::ParameterSet model_b) {
  if (key == "context_tokens") {
    return a.facts.context == a.model.context && b.facts.context == b.model.context;
  }
  if (key == "data") {
    return same(a.facts.data, a.provider.data) && same(b.facts.data, b.provider.data);
  }
  if (key == "parameters") return a.parameters == model_a && b.parameters == model_b;
  if (key == "tool_choices") {
    return a.parameters != b.parameters && is_derived(a.facts.tool_choices) &&
           is_derived(b.facts.tool_choices);
  }
  return key == "disabled" && a.is_reached != b.is_reached;
}

// The rows of the catalogue that have a text, in their order.
template <class S, class T, class Skip>
void compare_facts(std::string_view path, std::span<const Setting<S>> rows,
                   std::span<const TextOf<T>> texts, const T& a, const T& b, Skip skip,
                   ChangeList& changes) {
  for (const Setting<S>& row : rows) {
    for (const TextOf<T>& each : texts) {
      if (each.key != row.key || skip(row.key)) continue;
      changes.setting(path, row.key, each.text(a), each.text(b), row.reload);
    }
  }
}

std::string name_of(const policy::Endpoint& endpoint) {
  std::string name(endpoint.tag);
  if (endpoint.variant) name += fmt::format(":{}", policy::name_of(*endpoint.variant));
  return name;
}

bool is_reached(const RoutedCatalogue& routed, policy::ProviderId provider) {
  return routed.connections[provider] != RoutedCatalogue::kNoConnection;
}

// Compares one model of two catalogues.
class ModelComparison {
 public:
  ModelComparison(const RoutedCatalogue& a, const policy::Model& model_a, const RoutedCatalogue& b,
                  const policy::Model& model_b, ChangeList& changes)
      : a_(a), b_(b), model_a_(model_a), model_b_(model_b), changes_(changes) {}

  void run();

 private:
  EndpointView view(const RoutedCatalogue& side, const RoutedCatalogue& other,
                    const policy::Model& model, const policy::Endpoint& endpoint) const;
  policy::ParameterSet parameters(const RoutedCatalogue& side, const RoutedCatalogue& other,
                                  const policy::Model& model) const;
  void endpoint(const policy::Endpoint& a, const policy::Endpoint& b);
  void order();

  const RoutedCatalogue& a_;
  const RoutedCatalogue& b_;
  const policy::Model& model_a_;
  const policy::Model& model_b_;
  policy::ParameterSet parameters_a_;
  policy::ParameterSet parameters_b_;
  ChangeList& changes_;
};

EndpointView ModelComparison::view(const RoutedCatalogue& side, const RoutedCatalogue& other,
                                   const policy::Model& model,
                                   const policy::Endpoint& endpoint) const {
  const policy::Provider& provider = side.catalogue.provider(endpoint.provider);
  const policy::ProviderId there = other.catalogue.find_provider(provider.slug);
  policy::ParameterSet parameters = endpoint.parameters;
  if (there != policy::kNoId) parameters = parameters - other.catalogue.provider(there).rejects;
  return {.facts = endpoint,
          .model = model,
          .provider = provider,
          .overrides = side.catalogue.overrides_of(endpoint),
          .parameters = parameters,
          .is_reached = is_reached(side, endpoint.provider)};
}

policy::ParameterSet ModelComparison::parameters(const RoutedCatalogue& side,
                                                 const RoutedCatalogue& other,
                                                 const policy::Model& model) const {
  policy::ParameterSet all;
  for (const policy::Endpoint& endpoint : side.catalogue.endpoints_of(model)) {
    all = all | view(side, other, model, endpoint).parameters;
  }
  return all;
}

void ModelComparison::endpoint(const policy::Endpoint& from, const policy::Endpoint& to) {
  const std::string path =
      path_of(path_of(path_of("models", model_a_.id), "endpoints"), name_of(from));
  const EndpointView a = view(a_, b_, model_a_, from);
  const EndpointView b = view(b_, a_, model_b_, to);
  for (std::size_t i = 0; i < policy::kPriceClasses; ++i) {
    const auto price_class = static_cast<policy::PriceClass>(i);
    if (from.prices[price_class] == to.prices[price_class]) continue;
    changes_.setting(path_of(path, "price"), policy::name_of(price_class),
                     price_value(from.prices, price_class), price_value(to.prices, price_class));
  }
  compare_facts(
      path, catalogue_endpoint_settings(), std::span<const TextOf<EndpointView>>(kEndpointTexts), a,
      b,
      [&](std::string_view key) {
        return is_told_elsewhere(key, a, b, parameters_a_, parameters_b_);
      },
      changes_);
}

// Endpoints without prices are asked in the order in which they are written.
void ModelComparison::order() {
  if (!model_a_.keeps_order || !model_b_.keeps_order) return;
  const auto common = [](const RoutedCatalogue& side, const policy::Model& model,
                         const RoutedCatalogue& other) {
    std::vector<std::string> names;
    for (const policy::Endpoint& endpoint : side.catalogue.endpoints_of(model)) {
      if (other.catalogue.find_endpoint(endpoint.identity) == policy::kNoId) continue;
      names.push_back(name_of(endpoint));
    }
    return toml_list(names, toml_quoted);
  };
  changes_.setting(path_of("models", model_a_.id), "endpoints", common(a_, model_a_, b_),
                   common(b_, model_b_, a_));
}

void ModelComparison::run() {
  const std::string path = path_of("models", model_a_.id);
  parameters_a_ = parameters(a_, b_, model_a_);
  parameters_b_ = parameters(b_, a_, model_b_);
  compare_facts(
      path, catalogue_model_settings(), std::span<const TextOf<policy::Model>>(kModelTexts),
      model_a_, model_b_, [](std::string_view) { return false; }, changes_);
  changes_.setting(path, "parameters", toml_list(parameters_a_), toml_list(parameters_b_));
  order();
  const std::string endpoints = path_of(path, "endpoints");
  for (const policy::Endpoint& gone : a_.catalogue.endpoints_of(model_a_)) {
    if (b_.catalogue.find_endpoint(gone.identity) != policy::kNoId) continue;
    changes_.removed(path_of(endpoints, name_of(gone)));
  }
  for (const policy::Endpoint& one : b_.catalogue.endpoints_of(model_b_)) {
    const policy::EndpointId before = a_.catalogue.find_endpoint(one.identity);
    if (before == policy::kNoId) {
      changes_.added(path_of(endpoints, name_of(one)));
    } else {
      endpoint(a_.catalogue.endpoint(before), one);
    }
  }
}

// As the configuration calls it, if it does.
std::string provider_name(const RoutedCatalogue& routed, const Options& options,
                          const policy::Provider& provider) {
  const auto id = static_cast<std::size_t>(&provider - routed.catalogue.providers().data());
  const std::uint32_t connection = routed.connections[id];
  return connection == RoutedCatalogue::kNoConnection ? std::string(provider.slug)
                                                      : options.providers[connection].name;
}

}  // namespace

void add_provider_facts(const RoutedCatalogue& before, const RoutedCatalogue& after,
                        const Options& options_before, const Options& options_after,
                        ChangeList& changes) {
  const auto reached = [](const RoutedCatalogue& routed, const policy::Provider& provider) {
    const auto id = &provider - routed.catalogue.providers().data();
    return is_reached(routed, static_cast<policy::ProviderId>(id));
  };
  match_by_name(
      before.catalogue.providers(), after.catalogue.providers(),
      [](const policy::Provider& provider) { return provider.slug; },
      // Those that are configured have been told.
      [&](const policy::Provider& gone) {
        if (!reached(before, gone)) changes.removed(path_of("providers", gone.slug));
      },
      [&](const policy::Provider& come) {
        if (!reached(after, come)) changes.added(path_of("providers", come.slug));
      },
      [&](const policy::Provider& a, const policy::Provider& b) {
        const std::string name = provider_name(after, options_after, b);
        if (name != provider_name(before, options_before, a)) return;
        compare_facts(
            path_of("providers", name), catalogue_provider_settings(),
            std::span<const TextOf<policy::Provider>>(kProviderTexts), a, b,
            [](std::string_view) { return false; }, changes);
      });
}

void add_model_facts(const RoutedCatalogue& before, const policy::Model& model_before,
                     const RoutedCatalogue& after, const policy::Model& model_after,
                     ChangeList& changes) {
  ModelComparison(before, model_before, after, model_after, changes).run();
}

void add_aliases(const policy::Catalogue& before, const policy::Catalogue& after,
                 ChangeList& changes) {
  const auto written = [](const policy::Catalogue& catalogue) {
    std::vector<policy::Alias> aliases;
    std::copy_if(catalogue.aliases().begin(), catalogue.aliases().end(),
                 std::back_inserter(aliases),
                 [](const policy::Alias& alias) { return !alias.is_latest; });
    return aliases;
  };
  const auto target = [](const policy::Catalogue& catalogue, const policy::Alias& alias) {
    return toml_quoted(catalogue.model(alias.target).id);
  };
  match_by_name(
      written(before), written(after), [](const policy::Alias& alias) { return alias.name; },
      [&](const policy::Alias& gone) {
        changes.removed(path_of("aliases", gone.name), target(before, gone));
      },
      [&](const policy::Alias& come) {
        changes.added(path_of("aliases", come.name), target(after, come));
      },
      [&](const policy::Alias& a, const policy::Alias& b) {
        changes.setting("aliases", a.name, target(before, a), target(after, b));
      });
}

}  // namespace leat::control
