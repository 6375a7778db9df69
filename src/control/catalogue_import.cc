// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "control/import_parts.h"
#include "control/json_tree.h"

namespace leat::control {
namespace {

using policy::PriceClass;

// Which author a slug without one belongs to, where exactly one is known for it.
class Authors {
 public:
  void add(std::string_view id) {
    const std::size_t slash = id.find('/');
    if (slash == std::string_view::npos) return;
    const auto [at, is_new] = by_slug_.emplace(id.substr(slash + 1), id.substr(0, slash));
    if (!is_new && at->second != id.substr(0, slash)) at->second.clear();
  }
  std::string_view of(std::string_view slug) const {
    const auto found = by_slug_.find(std::string(slug));
    return found == by_slug_.end() ? std::string_view() : std::string_view(found->second);
  }

 private:
  std::unordered_map<std::string, std::string> by_slug_;
};

// Splits ":free" and the like off an id.
std::optional<policy::Variant> take_variant(std::string& id) {
  const std::size_t colon = id.rfind(':');
  if (colon == std::string::npos) return {};
  const auto variant = policy::value_of<policy::Variant>(std::string_view(id).substr(colon + 1));
  if (variant) id.resize(colon);
  return variant;
}

// What the first file said stands; later ones fill what it left out.
void merge_facts(DraftModel& to, const DraftModel& from) {
  const auto fill = [](auto& target, const auto& source) {
    if (target.empty()) target = source;
  };
  fill(to.canonical_slug, from.canonical_slug);
  fill(to.name, from.name);
  fill(to.description, from.description);
  fill(to.hugging_face_id, from.hugging_face_id);
  fill(to.family, from.family);
  fill(to.tokenizer, from.tokenizer);
  fill(to.instruct_type, from.instruct_type);
  fill(to.knowledge_cutoff, from.knowledge_cutoff);
  if (to.created_unix_s == 0) to.created_unix_s = from.created_unix_s;
  if (to.expires_unix_s == 0) to.expires_unix_s = from.expires_unix_s;
  to.input = to.input | from.input;
  to.output = to.output | from.output;
  if (to.reasoning == DraftReasoning()) to.reasoning = from.reasoning;
  to.moderated = to.moderated || from.moderated;
  to.open_weights = to.open_weights || from.open_weights;
}

bool same_way(const DraftEndpoint& a, const DraftEndpoint& b) {
  return a.provider == b.provider && a.tag == b.tag && a.tier == b.tier && a.variant == b.variant;
}

}  // namespace

std::string CatalogueImport::add(std::string_view file, std::string_view text) {
  std::string why;
  const std::optional<JsonValue> root = parse_json(text, why);
  if (!root) return fmt::format("is no JSON: {}", why);
  if (!root->is(JsonValue::Kind::kObject)) return "is no object; none of the known catalogues";
  const std::size_t before = entries_.size();
  std::string kind;
  const JsonValue* data = root->find("data");
  const auto first_has = [](const JsonValue& parent, std::string_view key) {
    // The first object of LiteLLM's file is a specimen; it has the keys of the others.
    const bool is_array = parent.is(JsonValue::Kind::kArray);
    if (is_array ? parent.items.empty() : parent.members.empty()) return false;
    const JsonValue& first = is_array ? parent.items.front() : parent.members.front().value;
    return first.find(key) != nullptr;
  };
  if (data != nullptr && data->find("endpoints") != nullptr) {
    kind = "OpenRouter, endpoints of a model";
    read_openrouter_endpoints(*data);
  } else if (data != nullptr && first_has(*data, "pricing")) {
    kind = "OpenRouter, models";
    read_openrouter_models(*data);
  } else if (data != nullptr && first_has(*data, "privacy_policy_url")) {
    kind = "OpenRouter, providers";
    read_openrouter_providers(*data);
  } else if (first_has(*root, "models")) {
    kind = "models.dev";
    read_models_dev(*root);
  } else if (first_has(*root, "litellm_provider")) {
    kind = "LiteLLM, prices";
    read_litellm(*root);
  } else {
    return "is none of the catalogues that are known: models.dev, OpenRouter (models, endpoints, "
           "providers), LiteLLM";
  }
  counts_.push_back({std::string(file), std::move(kind), entries_.size() - before});
  return {};
}

DraftProvider& CatalogueImport::provider(std::string_view slug) {
  const auto found = std::find_if(draft_.providers.begin(), draft_.providers.end(),
                                  [slug](const DraftProvider& one) { return one.slug == slug; });
  if (found != draft_.providers.end()) return *found;
  DraftProvider& made = draft_.providers.emplace_back();
  made.slug = slug;
  return made;
}

// Zero and silence are what a catalogue refuses, so each is either explained here or left out.
bool CatalogueImport::settle_prices(const ImportEntry& entry, DraftEndpoint& endpoint) {
  policy::Prices& prices = endpoint.prices;
  const bool writes_text =
      entry.model.output.empty() || entry.model.output.has(policy::Modality::kText);
  if (writes_text && (prices[PriceClass::kPrompt] == policy::Prices::kUnstated ||
                      prices[PriceClass::kCompletion] == policy::Prices::kUnstated)) {
    unplaced_.push_back({entry.name, "no price of prompt or completion tokens"});
    return false;
  }
  if (prices == policy::Prices()) {
    unplaced_.push_back({entry.name, "no price at all"});
    return false;
  }
  const bool is_free = std::all_of(prices.values.begin(), prices.values.end(),
                                   [](policy::Picodollars price) { return price <= 0; });
  if (is_free) {
    endpoint.free = policy::PriceClassSet::of_bits((1u << policy::kPriceClasses) - 1);
    prices = {};
    endpoint.overrides.clear();
    changed_.push_back({entry.name, "costs nothing there; taken as free = true"});
    return true;
  }
  for (std::size_t i = 0; i < policy::kPriceClasses; ++i) {
    const auto price_class = static_cast<PriceClass>(i);
    if (prices[price_class] != 0) continue;
    if (price_class == PriceClass::kPrompt || price_class == PriceClass::kCompletion) {
      endpoint.free.add(price_class);
      changed_.push_back({entry.name, fmt::format("`{}` costs nothing there; taken as free",
                                                  policy::name_of(price_class))});
      continue;
    }
    // A part of a class that costs nothing may as well be a price that nobody filled in. Left out
    // it is charged as its class is, which never gives anything away.
    prices[price_class] = policy::Prices::kUnstated;
    if (price_class == PriceClass::kInputCacheRead || price_class == PriceClass::kAudio) {
      changed_.push_back({entry.name, fmt::format("a price of 0 for `{}` is left out: charged "
                                                  "as what it is a part of",
                                                  policy::name_of(price_class))});
    }
  }
  for (DraftOverride& override : endpoint.overrides) {
    for (policy::Picodollars& price : override.terms.prices.values) {
      if (price == 0) price = policy::Prices::kUnstated;
    }
  }
  std::erase_if(endpoint.overrides, [](const DraftOverride& override) {
    return override.terms.prices == policy::Prices();
  });
  return true;
}

void CatalogueImport::settle_limits(const ImportEntry& entry, DraftEndpoint& endpoint) {
  if (endpoint.context_tokens == 0) return;
  const auto settle = [&](std::uint32_t& limit, std::string_view name) {
    if (limit <= endpoint.context_tokens) return;
    changed_.push_back({entry.name, fmt::format("{} of {} is more than the context of {}; cut to "
                                                "that",
                                                name, limit, endpoint.context_tokens)});
    limit = endpoint.context_tokens;
  };
  settle(endpoint.completion_tokens_max, "an output limit");
  settle(endpoint.prompt_tokens_max, "a prompt limit");
}

// Providers offer one model in several ways: regions, speeds, or merely names. Each keeps a tag of
// its own.
bool CatalogueImport::settle_tag(const DraftModel& model, const ImportEntry& entry,
                                 DraftEndpoint& endpoint) {
  const auto is_taken = [&] {
    return std::any_of(model.endpoints.begin(), model.endpoints.end(),
                       [&](const DraftEndpoint& other) { return same_way(other, endpoint); });
  };
  if (is_taken()) {
    const auto same = std::find_if(
        model.endpoints.begin(), model.endpoints.end(), [&](const DraftEndpoint& other) {
          return same_way(other, endpoint) && other.model == endpoint.model;
        });
    if (same != model.endpoints.end()) {
      unplaced_.push_back({entry.name, "the same way to the same model came before"});
      return false;
    }
    endpoint.tag = fmt::format("{}/{}", endpoint.provider, slug_of(endpoint.model));
    if (endpoint.tier != policy::ServiceTier::kDefault) {
      endpoint.tag += fmt::format("/{}", policy::name_of(endpoint.tier));
    }
    if (is_taken()) {
      unplaced_.push_back({entry.name, "another name of a way that came before"});
      return false;
    }
    changed_.push_back(
        {entry.name, fmt::format("a second way there; its tag is {}", endpoint.tag)});
  }
  if (model.endpoints.size() < policy::kModelEndpointsMax) return true;
  unplaced_.push_back(
      {entry.name, fmt::format("more than {} ways to one model", policy::kModelEndpointsMax)});
  return false;
}

// What most endpoints say is said once, at the model.
void CatalogueImport::settle_model(DraftModel& model) {
  std::map<std::uint64_t, std::size_t> counts;
  for (const DraftEndpoint& endpoint : model.endpoints) {
    model.context_tokens = std::max(model.context_tokens, endpoint.context_tokens);
    ++counts[endpoint.parameters->bits()];
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  model.parameters = policy::ParameterSet::of_bits(most->first);
  for (DraftEndpoint& endpoint : model.endpoints) {
    if (endpoint.context_tokens == model.context_tokens) endpoint.context_tokens = 0;
    if (*endpoint.parameters == model.parameters) endpoint.parameters.reset();
  }
  const policy::ModalitySet text{policy::Modality::kText};
  if (model.input.empty()) model.input = text;
  if (model.output.empty()) model.output = text;
  if (model.name.empty()) model.name = model.id;
}

CatalogueDraft CatalogueImport::finish() {
  Authors authors;
  for (const ImportEntry& entry : entries_) {
    std::string id = entry.id;
    take_variant(id);
    authors.add(id);
  }
  std::unordered_map<std::string, std::size_t> models;
  for (ImportEntry& entry : entries_) {
    DraftEndpoint& endpoint = entry.endpoint;
    endpoint.variant = take_variant(entry.id);
    if (entry.id.find('/') == std::string::npos) {
      const std::string_view author = authors.of(entry.id);
      entry.id = fmt::format("{}/{}", author.empty() ? endpoint.provider : author, entry.id);
    }
    const auto found = models.find(entry.id);
    const DraftModel nothing;
    const DraftModel& so_far = found == models.end() ? nothing : draft_.models[found->second];
    settle_limits(entry, endpoint);
    if (!settle_prices(entry, endpoint) || !settle_tag(so_far, entry, endpoint)) continue;
    if (found == models.end()) {
      models.emplace(entry.id, draft_.models.size());
      draft_.models.emplace_back().id = entry.id;
    }
    DraftModel& model = draft_.models[models.at(entry.id)];
    merge_facts(model, entry.model);
    model.endpoints.push_back(std::move(endpoint));
  }
  entries_.clear();
  for (DraftModel& model : draft_.models) settle_model(model);
  std::sort(draft_.models.begin(), draft_.models.end(),
            [](const DraftModel& a, const DraftModel& b) { return a.id < b.id; });
  std::sort(draft_.providers.begin(), draft_.providers.end(),
            [](const DraftProvider& a, const DraftProvider& b) { return a.slug < b.slug; });
  return draft_;
}

std::string CatalogueImport::account() const {
  std::string text;
  for (const Counts& count : counts_) {
    text += fmt::format("{}: {}: {} entries read\n", count.file, count.kind, count.entries);
  }
  std::size_t endpoints = 0;
  for (const DraftModel& model : draft_.models) endpoints += model.endpoints.size();
  text += fmt::format("taken: {} providers, {} models, {} endpoints\n", draft_.providers.size(),
                      draft_.models.size(), endpoints);
  text += fmt::format("changed: {}\n", changed_.size());
  for (const ImportNote& note : changed_) {
    text += fmt::format("  {}: {}\n", note.subject, note.reason);
  }
  text += fmt::format("not placed: {}\n", unplaced_.size());
  for (const ImportNote& note : unplaced_) {
    text += fmt::format("  {}: {}\n", note.subject, note.reason);
  }
  return text +
         "not stated by any of these: what becomes of prompts. Requests that ask for `zdr` or "
         "`data_collection = \"deny\"` find nothing until providers say `data = { ... }`.\n";
}

}  // namespace leat::control
