// SPDX-License-Identifier: Apache-2.0
// models.dev: an object of providers, each with an object of models. Prices in dollars per million
// tokens, as numbers.
#include <fmt/format.h>

#include "control/import_parts.h"

namespace leat::control {
namespace {

using policy::Parameter;
using policy::PriceClass;

constexpr PriceSource kPrices[] = {
    {"input", PriceClass::kPrompt},
    {"output", PriceClass::kCompletion},
    {"cache_read", PriceClass::kInputCacheRead},
    {"cache_write", PriceClass::kInputCacheWrite},
    {"reasoning", PriceClass::kInternalReasoning},
    {"input_audio", PriceClass::kAudio},
    {"output_audio", PriceClass::kAudioOutput},
};

policy::ModalitySet modalities(const JsonValue* parent, std::string_view key) {
  policy::ModalitySet set = take_set<policy::Modality>(parent ? parent->find(key) : nullptr);
  if (parent == nullptr || parent->find(key) == nullptr) return {policy::Modality::kText};
  for (const JsonValue& item : parent->find(key)->items) {
    if (item.text == "pdf") set.add(policy::Modality::kFile);
  }
  return set;
}

// What it says of parameters is little. The rest is what every chat endpoint takes.
policy::ParameterSet parameters(const JsonValue& model) {
  policy::ParameterSet set{Parameter::kMaxTokens, Parameter::kStop};
  if (model.is_true("temperature")) {
    set = set | policy::ParameterSet{Parameter::kTemperature, Parameter::kTopP, Parameter::kSeed,
                                     Parameter::kFrequencyPenalty, Parameter::kPresencePenalty};
  }
  if (model.is_true("tool_call")) {
    set = set | policy::ParameterSet{Parameter::kTools, Parameter::kToolChoice};
  }
  if (model.is_true("structured_output")) {
    set = set | policy::ParameterSet{Parameter::kResponseFormat, Parameter::kStructuredOutputs};
  }
  if (model.is_true("reasoning")) {
    set = set | policy::ParameterSet{Parameter::kReasoning, Parameter::kIncludeReasoning};
  }
  return set;
}

DraftModel facts(const JsonValue& from) {
  DraftModel model;
  model.name = plain_text(from.text_of("name"), 256);
  model.family = slug_of(from.text_of("family"));
  model.knowledge_cutoff = plain_text(from.text_of("knowledge"), 32);
  model.created_unix_s = unix_seconds(from.text_of("release_date"));
  model.input = modalities(from.find("modalities"), "input");
  model.output = modalities(from.find("modalities"), "output");
  model.open_weights = from.is_true("open_weights");
  return model;
}

// Prices of long prompts: the older form names one bound, the newer one has a list.
bool take_tiers(const JsonValue& cost, std::string_view subject, DraftEndpoint& endpoint,
                std::vector<ImportNote>& changed, std::vector<ImportNote>& unplaced) {
  const auto add = [&](const JsonValue& from, std::uint64_t over) {
    DraftOverride& override = endpoint.overrides.emplace_back();
    override.terms.has_prompt_condition = true;
    override.terms.prompt_tokens_over = over;
    return take_prices(from, kPrices, PriceUnit::kPerMillion, subject, override.terms.prices,
                       changed, unplaced);
  };
  const JsonValue* tiers = cost.find("tiers");
  if (tiers != nullptr) {
    for (const JsonValue& tier : tiers->items) {
      const JsonValue* condition = tier.find("tier");
      const std::uint32_t size = condition != nullptr ? condition->count_of("size") : 0;
      if (size == 0) {
        unplaced.push_back({std::string(subject), "a price tier whose condition is not known"});
        return false;
      }
      if (!add(tier, size)) return false;
    }
    return true;
  }
  const JsonValue* long_prompts = cost.find("context_over_200k");
  constexpr std::uint64_t kLongPrompt = 200'000;
  return long_prompts == nullptr || add(*long_prompts, kLongPrompt);
}

}  // namespace

void CatalogueImport::read_models_dev(const JsonValue& root) {
  for (const JsonMember& member : root.members) {
    const JsonValue* models = member.value.find("models");
    if (models == nullptr) continue;
    const std::string slug = slug_of(member.key);
    provider(slug).display_name = plain_text(member.value.text_of("name"), 128);
    for (const JsonMember& one : models->members) {
      const JsonValue& from = one.value;
      ImportEntry entry;
      entry.name = fmt::format("{} at {}", one.key, slug);
      entry.id = model_id_of(one.key);
      entry.model = facts(from);
      DraftEndpoint& endpoint = entry.endpoint;
      endpoint.provider = slug;
      endpoint.model = one.key;
      endpoint.parameters = parameters(from);
      if (const JsonValue* limit = from.find("limit")) {
        endpoint.context_tokens = limit->count_of("context");
        endpoint.prompt_tokens_max = limit->count_of("input");
        endpoint.completion_tokens_max = limit->count_of("output");
      }
      if (const JsonValue* cost = from.find("cost")) {
        if (!take_prices(*cost, kPrices, PriceUnit::kPerMillion, entry.name, endpoint.prices,
                         changed_, unplaced_) ||
            !take_tiers(*cost, entry.name, endpoint, changed_, unplaced_)) {
          continue;
        }
      }
      endpoint.disabled = from.text_of("status") == "deprecated";
      entries_.push_back(std::move(entry));
    }
  }
}

}  // namespace leat::control
