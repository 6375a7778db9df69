// SPDX-License-Identifier: Apache-2.0
// OpenRouter's answers: /models, /models/{author}/{slug}/endpoints and /providers. Prices in
// dollars per unit, as text (openrouter-api.md 1.2).
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "control/import_parts.h"

namespace leat::control {
namespace {

using policy::PriceClass;

constexpr PriceSource kPrices[] = {
    {"prompt", PriceClass::kPrompt},
    {"completion", PriceClass::kCompletion},
    {"request", PriceClass::kRequest},
    {"image", PriceClass::kImage},
    {"image_token", PriceClass::kImageToken},
    {"image_output", PriceClass::kImageOutput},
    {"audio", PriceClass::kAudio},
    {"audio_output", PriceClass::kAudioOutput},
    {"input_audio_cache", PriceClass::kInputAudioCache},
    {"internal_reasoning", PriceClass::kInternalReasoning},
    {"input_cache_read", PriceClass::kInputCacheRead},
    {"input_cache_write", PriceClass::kInputCacheWrite},
    {"input_cache_write_1h", PriceClass::kInputCacheWrite1h},
    {"web_search", PriceClass::kWebSearch},
};

std::uint16_t minute_of(std::string_view hhmm) {
  int value = -1;
  std::from_chars(hhmm.data(), hhmm.data() + hhmm.size(), value);
  if (value < 0 || value / 100 > 24 || value % 100 > 59) return policy::PriceOverride::kAnyMinute;
  return static_cast<std::uint16_t>(value / 100 % 24 * 60 + value % 100);
}

std::uint8_t days_of(const JsonValue& days) {
  constexpr std::array<std::string_view, 7> kNames = {"sun", "mon", "tue", "wed",
                                                      "thu", "fri", "sat"};
  unsigned bits = 0;
  for (const JsonValue& day : days.items) {
    const std::string name = slug_of(day.text).substr(0, 3);
    for (unsigned i = 0; i < kNames.size(); ++i) {
      if (name == kNames[i] || name == std::to_string(i)) bits |= 1u << i;
    }
  }
  return static_cast<std::uint8_t>(bits);
}

bool take_overrides(const JsonValue& pricing, const ImportEntry& entry, DraftEndpoint& endpoint,
                    std::vector<ImportNote>& changed, std::vector<ImportNote>& unplaced) {
  const JsonValue* overrides = pricing.find("overrides");
  if (overrides == nullptr) return true;
  for (const JsonValue& from : overrides->items) {
    policy::PriceOverride terms;
    if (const JsonValue* tokens = from.find("min_prompt_tokens")) {
      terms.has_prompt_condition = tokens->is(JsonValue::Kind::kNumber);
      terms.prompt_tokens_over = from.count_of("min_prompt_tokens");
    }
    if (const JsonValue* start = from.find("utc_start")) terms.utc_start = minute_of(start->text);
    if (const JsonValue* end = from.find("utc_end")) terms.utc_end = minute_of(end->text);
    if (const JsonValue* days = from.find("utc_days")) {
      if (days->is(JsonValue::Kind::kArray)) terms.utc_days = days_of(*days);
    }
    if (!take_prices(from, kPrices, PriceUnit::kPerUnit, entry.name, terms.prices, changed,
                     unplaced)) {
      return false;
    }
    endpoint.overrides.push_back({terms, {}});
  }
  return true;
}

policy::ToolChoiceSet tool_choices(const JsonValue* supported) {
  policy::ToolChoiceSet set;
  if (supported == nullptr) return set;
  for (const JsonMember& member : supported->members) {
    const auto choice = policy::value_of<policy::ToolChoice>(member.key);
    if (choice && member.value.boolean) set.add(*choice);
  }
  return set;
}

DraftReasoning reasoning(const JsonValue* from) {
  DraftReasoning reasoning;
  if (from == nullptr) return reasoning;
  if (const JsonValue* efforts = from->find("supported_efforts")) {
    for (const JsonValue& effort : efforts->items) {
      if (!effort.text.empty()) reasoning.efforts.push_back(effort.text);
    }
  }
  reasoning.default_effort = from->text_of("default_effort");
  reasoning.default_enabled = from->is_true("default_enabled");
  reasoning.supports_max_tokens = from->is_true("supports_max_tokens");
  reasoning.mandatory = from->is_true("mandatory");
  return reasoning;
}

// "author/model:free" is an endpoint of "author/model"; what its listing calls "(free)" is so too.
std::string without_free(std::string name) {
  if (name.ends_with(" (free)")) name.resize(name.size() - 7);
  return name;
}

DraftModel facts(const JsonValue& from) {
  DraftModel model;
  model.name = without_free(plain_text(from.text_of("name"), 256));
  const std::string slug(from.text_of("canonical_slug"));
  model.canonical_slug = slug == from.text_of("id") ? "" : slug;
  model.description = plain_text(from.text_of("description"), 16 * 1024);
  model.hugging_face_id = plain_text(from.text_of("hugging_face_id"), 256);
  model.knowledge_cutoff = plain_text(from.text_of("knowledge_cutoff"), 32);
  model.created_unix_s = from.count_of("created");
  model.expires_unix_s = unix_seconds(from.text_of("expiration_date").substr(0, 10));
  if (const JsonValue* architecture = from.find("architecture")) {
    model.input = take_set<policy::Modality>(architecture->find("input_modalities"));
    model.output = take_set<policy::Modality>(architecture->find("output_modalities"));
    model.tokenizer = plain_text(architecture->text_of("tokenizer"), 256);
    model.instruct_type = plain_text(architecture->text_of("instruct_type"), 256);
  }
  if (const JsonValue* top = from.find("top_provider")) {
    model.moderated = top->is_true("is_moderated");
  }
  model.reasoning = reasoning(from.find("reasoning"));
  return model;
}

}  // namespace

void CatalogueImport::read_openrouter_models(const JsonValue& data) {
  constexpr std::string_view kProvider = "openrouter";
  for (const JsonValue& from : data.items) {
    ImportEntry entry;
    entry.name = from.text_of("id");
    if (entry.name.starts_with('~') || from.find("alias_target") != nullptr) {
      unplaced_.push_back({entry.name, "another name of a model; families and aliases make these"});
      continue;
    }
    entry.id = model_id_of(entry.name);
    entry.model = facts(from);
    DraftEndpoint& endpoint = entry.endpoint;
    endpoint.provider = kProvider;
    endpoint.model = entry.name;
    endpoint.context_tokens = from.count_of("context_length");
    endpoint.parameters = take_set<policy::Parameter>(from.find("supported_parameters"));
    if (const JsonValue* top = from.find("top_provider")) {
      endpoint.completion_tokens_max = top->count_of("max_completion_tokens");
    }
    const JsonValue* pricing = from.find("pricing");
    if (pricing != nullptr && (!take_prices(*pricing, kPrices, PriceUnit::kPerUnit, entry.name,
                                            endpoint.prices, changed_, unplaced_) ||
                               !take_overrides(*pricing, entry, endpoint, changed_, unplaced_))) {
      continue;
    }
    provider(kProvider).display_name = "OpenRouter";
    entries_.push_back(std::move(entry));
  }
}

void CatalogueImport::read_openrouter_endpoints(const JsonValue& data) {
  const std::string model_name(data.text_of("id"));
  const JsonValue* endpoints = data.find("endpoints");
  for (const JsonValue& from : endpoints->items) {
    const std::string tag(from.text_of("tag"));
    const std::string slug = slug_of(tag.empty() ? from.text_of("provider_name")
                                                 : std::string_view(tag).substr(0, tag.find('/')));
    ImportEntry entry;
    entry.name = fmt::format("{} at {}", model_name, tag.empty() ? slug : tag);
    if (slug.empty()) {
      unplaced_.push_back({entry.name, "names no provider"});
      continue;
    }
    entry.id = model_id_of(model_name);
    entry.model = facts(data);
    DraftEndpoint& endpoint = entry.endpoint;
    endpoint.provider = slug;
    // The provider's own name is not published; most take the author's name or the model's.
    endpoint.model = model_name.substr(0, model_name.find(':'));
    changed_.push_back(
        {entry.name, fmt::format("the provider's own name for it is not published; \"{}\" "
                                 "stands in for it",
                                 endpoint.model)});
    const bool has_tier = tag.ends_with("/priority") || tag.ends_with("/flex");
    if (has_tier) {
      endpoint.tier =
          tag.ends_with("/flex") ? policy::ServiceTier::kFlex : policy::ServiceTier::kPriority;
    }
    if (tag != slug) endpoint.tag = tag;
    endpoint.context_tokens = from.count_of("context_length");
    endpoint.prompt_tokens_max = from.count_of("max_prompt_tokens");
    endpoint.completion_tokens_max = from.count_of("max_completion_tokens");
    endpoint.quantization = policy::value_of<policy::Quantization>(from.text_of("quantization"))
                                .value_or(policy::Quantization::kUnknown);
    endpoint.parameters = take_set<policy::Parameter>(from.find("supported_parameters"));
    endpoint.tool_choices = tool_choices(from.find("supports_tool_choice"));
    endpoint.implicit_caching = from.is_true("supports_implicit_caching");
    const JsonValue* pricing = from.find("pricing");
    if (pricing != nullptr && (!take_prices(*pricing, kPrices, PriceUnit::kPerUnit, entry.name,
                                            endpoint.prices, changed_, unplaced_) ||
                               !take_overrides(*pricing, entry, endpoint, changed_, unplaced_))) {
      continue;
    }
    provider(slug).display_name = plain_text(from.text_of("provider_name"), 128);
    entries_.push_back(std::move(entry));
  }
}

void CatalogueImport::read_openrouter_providers(const JsonValue& data) {
  for (const JsonValue& from : data.items) {
    const std::string slug = slug_of(from.text_of("slug"));
    if (slug.empty()) continue;
    DraftProvider& to = provider(slug);
    to.display_name = plain_text(from.text_of("name"), 128);
    to.privacy_policy_url = plain_text(from.text_of("privacy_policy_url"), 1'024);
    to.terms_of_service_url = plain_text(from.text_of("terms_of_service_url"), 1'024);
    to.status_page_url = plain_text(from.text_of("status_page_url"), 1'024);
    to.headquarters = plain_text(from.text_of("headquarters"), 16);
    to.datacenters.clear();
    if (const JsonValue* datacenters = from.find("datacenters")) {
      for (const JsonValue& one : datacenters->items) {
        if (!one.text.empty()) to.datacenters.push_back(plain_text(one.text, 16));
      }
    }
  }
}

}  // namespace leat::control
