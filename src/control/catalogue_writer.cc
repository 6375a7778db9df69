// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue_writer.h"

#include <fmt/format.h>

#include <string_view>

#include "control/catalogue_text.h"
#include "control/toml_quote.h"

namespace leat::control {
namespace {

std::string quoted(std::string_view text) {
  return toml_quoted(text);
}

class Writer {
 public:
  std::string text;

  void line(std::string_view key, std::string_view value) {
    text += fmt::format("{} = {}\n", key, value);
  }
  void text_line(std::string_view key, std::string_view value) {
    if (!value.empty()) line(key, quoted(value));
  }
  void number_line(std::string_view key, std::int64_t value) {
    if (value != 0) line(key, fmt::to_string(value));
  }
  void true_line(std::string_view key, bool value) {
    if (value) line(key, "true");
  }
  template <class E>
  void set_line(std::string_view key, policy::EnumSet<E> set) {
    if (!set.empty()) line(key, toml_list(set));
  }

  void provider(const DraftProvider& provider);
  void model(const DraftModel& model);

 private:
  void data_line(const std::optional<policy::DataPolicy>& data);
  void endpoint(const DraftEndpoint& endpoint);
  void price_lines(const DraftEndpoint& endpoint);
};

void Writer::data_line(const std::optional<policy::DataPolicy>& data) {
  if (data) line("data", data_table(*data));
}

void Writer::provider(const DraftProvider& provider) {
  text += fmt::format("[providers.{}]\n", quoted(provider.slug));
  text_line("display_name", provider.display_name);
  text_line("privacy_policy_url", provider.privacy_policy_url);
  text_line("terms_of_service_url", provider.terms_of_service_url);
  text_line("status_page_url", provider.status_page_url);
  text_line("headquarters", provider.headquarters);
  if (!provider.datacenters.empty()) line("datacenters", toml_list(provider.datacenters, quoted));
  data_line(provider.data);
  if (provider.quirks) line("quirks", toml_list(*provider.quirks));
  if (provider.rejects) line("rejects", toml_list(*provider.rejects));
  text_line("reasoning_in", provider.reasoning_in);
  text_line("reasoning_out", provider.reasoning_out);
  text += '\n';
}

void Writer::price_lines(const DraftEndpoint& endpoint) {
  if (endpoint.prices != policy::Prices()) line("price", price_table(endpoint.prices));
  if (endpoint.free.count() == static_cast<int>(policy::kPriceClasses)) {
    line("free", "true");
  } else {
    set_line("free", endpoint.free);
  }
  if (endpoint.overrides.empty()) return;
  line("overrides", toml_list(endpoint.overrides, [](const DraftOverride& override) {
         return override_table(override.terms);
       }));
}

void Writer::endpoint(const DraftEndpoint& endpoint) {
  text += "[[models.endpoints]]\n";
  text_line("provider", endpoint.provider);
  text_line("model", endpoint.model);
  text_line("tag", endpoint.tag);
  text_line("region", endpoint.region);
  price_lines(endpoint);
  number_line("context_tokens", endpoint.context_tokens);
  number_line("prompt_tokens_max", endpoint.prompt_tokens_max);
  number_line("completion_tokens_max", endpoint.completion_tokens_max);
  if (endpoint.parameters) line("parameters", toml_list(*endpoint.parameters));
  set_line("tool_choices", endpoint.tool_choices);
  data_line(endpoint.data);
  if (endpoint.tier != policy::ServiceTier::kDefault) text_line("tier", name_of(endpoint.tier));
  if (endpoint.quantization != policy::Quantization::kUnknown) {
    text_line("quantization", name_of(endpoint.quantization));
  }
  if (endpoint.variant) text_line("variant", name_of(*endpoint.variant));
  true_line("implicit_caching", endpoint.implicit_caching);
  true_line("disabled", endpoint.disabled);
}

void Writer::model(const DraftModel& model) {
  const policy::ModalitySet text_alone{policy::Modality::kText};
  text += "[[models]]\n";
  text_line("id", model.id);
  text_line("name", model.name);
  text_line("canonical_slug", model.canonical_slug);
  text_line("family", model.family);
  text_line("description", model.description);
  text_line("hugging_face_id", model.hugging_face_id);
  text_line("tokenizer", model.tokenizer);
  text_line("instruct_type", model.instruct_type);
  text_line("knowledge_cutoff", model.knowledge_cutoff);
  text_line("default_parameters_json", model.default_parameters_json);
  number_line("created_unix_s", model.created_unix_s);
  number_line("expires_unix_s", model.expires_unix_s);
  number_line("context_tokens", model.context_tokens);
  number_line("output_default_max", model.output_default_max);
  if (model.input != text_alone) line("input", toml_list(model.input));
  if (model.output != text_alone) line("output", toml_list(model.output));
  set_line("parameters", model.parameters);
  const DraftReasoning& reasoning = model.reasoning;
  if (reasoning != DraftReasoning()) {
    std::string value = fmt::format("efforts = {}", toml_list(reasoning.efforts, quoted));
    if (!reasoning.default_effort.empty()) {
      value += fmt::format(", default_effort = {}", quoted(reasoning.default_effort));
    }
    value +=
        fmt::format(", default_enabled = {}, supports_max_tokens = {}, mandatory = {}",
                    reasoning.default_enabled, reasoning.supports_max_tokens, reasoning.mandatory);
    line("reasoning", fmt::format("{{ {} }}", value));
  }
  true_line("distillable", model.distillable);
  true_line("moderated", model.moderated);
  true_line("hidden", model.hidden);
  true_line("open_weights", model.open_weights);
  for (const DraftEndpoint& one : model.endpoints) endpoint(one);
  text += '\n';
}

}  // namespace

std::string catalogue_toml(const CatalogueDraft& draft) {
  Writer writer;
  for (const DraftProvider& provider : draft.providers) writer.provider(provider);
  for (const DraftModel& model : draft.models) writer.model(model);
  if (!draft.aliases.empty()) writer.text += "[aliases]\n";
  for (const DraftAlias& alias : draft.aliases) {
    writer.line(quoted(alias.name), quoted(alias.target));
  }
  return std::move(writer.text);
}

}  // namespace leat::control
