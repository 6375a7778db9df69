// SPDX-License-Identifier: Apache-2.0
#include "policy/catalogue_builder.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

namespace leat::policy {
namespace {

constexpr std::size_t kBlock = 64 * 1024;  // text is kept in blocks of this size

constexpr std::array<std::string_view, kCatalogueFaults> kTexts = {
    "a name is empty",
    "a name is too long, or has upper case, blanks or a '/' where none may be",
    "the name is taken",
    "the provider is unknown",
    "the model is unknown",
    "a price is missing and the endpoint is not declared free",
    "a price is zero and the endpoint is not declared free",
    "a price is negative or above $1,000 a unit",
    "an override needs a condition and a price",
    "an override's time needs both ends, within the day",
    "the alias leads back to itself",
    "the model has too many endpoints",
    "there are too many providers",
    "there are too many regions",
    "an output or prompt limit lies beyond the context",
    "the variant has no endpoints of its own",
};
static_assert(!kTexts.back().empty());

std::unexpected<CatalogueError> fault(CatalogueFault kind, std::string_view name,
                                      std::size_t alias_index = 0) {
  return std::unexpected(CatalogueError{kind, name, alias_index});
}

// Printable, no upper case, no blank; '/' only where told.
bool is_slug(std::string_view text, bool slash) {
  return text.size() <= kSlugBytesMax && std::ranges::all_of(text, [slash](char c) {
           return c > ' ' && c < 0x7f && !(c >= 'A' && c <= 'Z') && (slash || c != '/');
         });
}

// A model's id may have upper case, since operators' upstreams do.
bool is_model_name(std::string_view text) {
  return text.size() <= kSlugBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

// FNV-1a with a separator: a stable name for an endpoint, also across versions of this program.
std::uint64_t hash_parts(std::initializer_list<std::string_view> parts) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  const auto mix = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100'0000'01b3; };
  for (const std::string_view part : parts) {
    for (const char c : part) mix(static_cast<unsigned char>(c));
    mix(0);
  }
  return hash;
}

// The classes that must be stated: what a chat costs, or at least one thing where no text comes out
// (embeddings, images, speech).
std::expected<void, CatalogueFault> check_prices(const Prices& prices, PriceClassSet declared_free,
                                                 bool writes_text) {
  bool any = false;
  for (std::size_t i = 0; i < kPriceClasses; ++i) {
    const auto c = static_cast<PriceClass>(i);
    const Picodollars price = prices[c];
    if (price == Prices::kUnstated) continue;
    if (price < 0 || price > kPriceMax) return std::unexpected(CatalogueFault::kPriceRange);
    any = any || price > 0;
  }
  if (declared_free == kFreeOfAll) return {};
  if (!writes_text) {
    if (any) return {};
    return std::unexpected(CatalogueFault::kPriceMissing);
  }
  for (const PriceClass c : {PriceClass::kPrompt, PriceClass::kCompletion}) {
    if (declared_free.has(c)) continue;
    if (prices[c] == Prices::kUnstated) return std::unexpected(CatalogueFault::kPriceMissing);
    if (prices[c] == 0) return std::unexpected(CatalogueFault::kPriceZero);
  }
  return {};
}

std::expected<void, CatalogueFault> check_override(const PriceOverride& item) {
  constexpr std::uint16_t kDayMinutes = 24 * 60;
  const bool start = item.utc_start != PriceOverride::kAnyMinute;
  const bool end = item.utc_end != PriceOverride::kAnyMinute;
  if (start != end || (start && (item.utc_start >= kDayMinutes || item.utc_end > kDayMinutes))) {
    return std::unexpected(CatalogueFault::kOverrideTime);
  }
  bool any = false;
  for (const Picodollars price : item.prices.values) {
    if (price == Prices::kUnstated) continue;
    if (price < 0 || price > kPriceMax) return std::unexpected(CatalogueFault::kPriceRange);
    any = true;
  }
  const bool conditional = item.has_prompt_condition || start || item.utc_days != 0x7f;
  if (!any || !conditional) return std::unexpected(CatalogueFault::kOverrideEmpty);
  return {};
}

bool costs_nothing(const Prices& prices) {
  return std::ranges::all_of(prices.values, [](Picodollars price) { return price <= 0; });
}

}  // namespace

std::string_view text_of(CatalogueFault fault) {
  return kTexts[static_cast<std::size_t>(fault)];
}

CatalogueBuilder::CatalogueBuilder() {
  made_.regions_.push_back("");
}

void CatalogueBuilder::reserve(std::size_t models, std::size_t providers, std::size_t endpoints) {
  made_.models_.reserve(models);
  made_.model_names_.reserve(models * 2);
  endpoints_of_model_.reserve(models);
  made_.providers_.reserve(providers);
  made_.endpoints_.reserve(endpoints);
  made_.identities_.reserve(endpoints);
}

CatalogueResult<ProviderId> CatalogueBuilder::add_provider(const Provider& provider) {
  if (provider.slug.empty()) return fault(CatalogueFault::kEmptyName, provider.name);
  if (!is_slug(provider.slug, false) || provider.name.size() > kSlugBytesMax) {
    return fault(CatalogueFault::kBadSlug, provider.slug);
  }
  if (has_provider(provider.slug)) return fault(CatalogueFault::kDuplicate, provider.slug);
  if (made_.providers_.size() == kProvidersMax) {
    return fault(CatalogueFault::kTooManyProviders, provider.slug);
  }
  const auto id = static_cast<ProviderId>(made_.providers_.size());
  Provider& kept = made_.providers_.emplace_back(provider);
  kept.slug = keep(provider.slug);
  kept.name = keep(provider.name.empty() ? provider.slug : provider.name);
  kept.privacy_policy_url = keep(provider.privacy_policy_url);
  kept.terms_of_service_url = keep(provider.terms_of_service_url);
  kept.status_page_url = keep(provider.status_page_url);
  kept.headquarters = keep(provider.headquarters);
  kept.datacenters = keep(provider.datacenters);
  kept.reasoning_in = keep(provider.reasoning_in);
  kept.reasoning_out = keep(provider.reasoning_out);
  made_.provider_slugs_.emplace(kept.slug, id);
  made_.provider_names_.emplace(keep_lower(kept.name), id);  // the first of a name keeps it
  return id;
}

CatalogueResult<ModelId> CatalogueBuilder::add_model(const Model& model) {
  if (model.id.empty()) return fault(CatalogueFault::kEmptyName, model.name);
  if (!is_model_name(model.id) || !is_model_name(model.canonical_slug)) {
    return fault(CatalogueFault::kBadSlug, model.id);
  }
  if (made_.model_names_.contains(model.id) || alias_names_.contains(model.id)) {
    return fault(CatalogueFault::kDuplicate, model.id);
  }
  const auto id = static_cast<ModelId>(made_.models_.size());
  Model& kept = made_.models_.emplace_back(model);
  kept.id = keep(model.id);
  kept.canonical_slug = model.canonical_slug.empty() ? kept.id : keep(model.canonical_slug);
  kept.name = model.name.empty() ? kept.id : keep(model.name);
  kept.description = keep(model.description);
  kept.hugging_face_id = keep(model.hugging_face_id);
  kept.family = keep(model.family);
  kept.tokenizer = keep(model.tokenizer);
  kept.instruct_type = keep(model.instruct_type);
  kept.knowledge_cutoff = keep(model.knowledge_cutoff);
  kept.default_parameters_json = keep(model.default_parameters_json);
  kept.reasoning.efforts = keep(model.reasoning.efforts);
  kept.reasoning.default_effort = keep(model.reasoning.default_effort);
  kept.parameters = {};
  kept.variants = {};
  made_.model_names_.emplace(kept.id, id);
  endpoints_of_model_.push_back(0);
  return id;
}

CatalogueResult<std::size_t> CatalogueBuilder::add_endpoint(const EndpointSpec& spec) {
  const auto provider_id = made_.find_provider(spec.provider);
  if (provider_id == kNoId) return fault(CatalogueFault::kUnknownProvider, spec.provider);
  const auto model_id = made_.find_model(spec.model);
  if (model_id == kNoId) return fault(CatalogueFault::kUnknownModel, spec.model);
  if (spec.upstream_model.empty()) return fault(CatalogueFault::kEmptyName, spec.model);
  if (spec.facts.variant && !kStaticVariants.has(*spec.facts.variant)) {
    return fault(CatalogueFault::kNotAStaticVariant, name_of(*spec.facts.variant));
  }
  if (auto checked = check_facts(spec, made_.models_[model_id]); !checked) {
    return fault(checked.error(), spec.model);
  }
  const Provider& provider = made_.providers_[provider_id];
  auto tag_id = intern_tag(spec, provider.slug);
  if (!tag_id) return std::unexpected(tag_id.error());
  auto region_id = intern_region(spec.region);
  if (!region_id) return std::unexpected(region_id.error());

  Endpoint kept = spec.facts;
  kept.model = model_id;
  kept.provider = provider_id;
  kept.tag_id = *tag_id;
  kept.tag = tag_names_[*tag_id];
  kept.region_id = *region_id;
  kept.region = made_.regions_[*region_id];
  kept.identity = hash_parts({spec.model, kept.variant ? name_of(*kept.variant) : "", kept.tag});
  if (made_.identities_.contains(kept.identity)) {
    return fault(CatalogueFault::kDuplicate, kept.tag);
  }
  if (endpoints_of_model_[model_id] == kModelEndpointsMax) {
    return fault(CatalogueFault::kTooManyEndpoints, spec.model);
  }
  kept.upstream_model = keep(spec.upstream_model);
  kept.overrides_begin = static_cast<std::uint32_t>(made_.overrides_.size());
  made_.overrides_.insert(made_.overrides_.end(), spec.overrides.begin(), spec.overrides.end());
  kept.overrides_end = static_cast<std::uint32_t>(made_.overrides_.size());
  // Stated none: not known, and dropping every parameter unasked would be the worse guess.
  if (kept.parameters.empty()) kept.parameters = kListedParameters;
  kept.parameters = kept.parameters - provider.rejects;
  if (!spec.has_data_policy) kept.data = provider.data;
  kept.is_free =
      costs_nothing(kept.prices) && std::ranges::all_of(spec.overrides, [](const PriceOverride& o) {
        return costs_nothing(o.prices);
      });
  made_.identities_.emplace(kept.identity, 0);
  ++endpoints_of_model_[model_id];
  made_.endpoints_.push_back(kept);
  return made_.endpoints_.size() - 1;
}

std::expected<void, CatalogueFault> CatalogueBuilder::check_facts(const EndpointSpec& spec,
                                                                  const Model& model) {
  const Endpoint& facts = spec.facts;
  const bool writes_text = model.output.empty() || model.output.has(Modality::kText);
  if (auto checked = check_prices(facts.prices, spec.declared_free, writes_text); !checked) {
    return checked;
  }
  for (const PriceOverride& item : spec.overrides) {
    if (auto checked = check_override(item); !checked) return checked;
  }
  if (facts.context != 0 &&
      (facts.completion_max > facts.context || facts.prompt_max > facts.context)) {
    return std::unexpected(CatalogueFault::kLimitContradicts);
  }
  return {};
}

CatalogueResult<TagId> CatalogueBuilder::intern_tag(const EndpointSpec& spec,
                                                    std::string_view provider_slug) {
  std::string own(spec.tag);
  if (own.empty()) {
    own = provider_slug;
    if (spec.facts.tier != ServiceTier::kDefault) {
      own += '/';
      own += name_of(spec.facts.tier);
    }
  }
  // A tag begins with its provider's slug, so that no slug means two things.
  const bool bare = own == provider_slug;
  const bool below = own.size() > provider_slug.size() + 1 && own.starts_with(provider_slug) &&
                     own[provider_slug.size()] == '/';
  if (!is_slug(own, true) || !(bare || below)) {
    return fault(CatalogueFault::kBadSlug, spec.tag.empty() ? provider_slug : spec.tag);
  }
  if (const auto found = made_.tags_.find(own); found != made_.tags_.end()) return found->second;
  const auto id = static_cast<TagId>(tag_names_.size());
  tag_names_.push_back(keep(own));
  made_.tags_.emplace(tag_names_.back(), id);
  return id;
}

CatalogueResult<RegionId> CatalogueBuilder::intern_region(std::string_view region) {
  if (const auto known = made_.find_region(region)) return *known;
  if (made_.regions_.size() == kRegionsMax) return fault(CatalogueFault::kTooManyRegions, region);
  made_.regions_.push_back(keep(region));
  return static_cast<RegionId>(made_.regions_.size() - 1);
}

CatalogueResult<std::size_t> CatalogueBuilder::add_alias(std::string_view name,
                                                         std::string_view target) {
  if (name.empty() || target.empty()) return fault(CatalogueFault::kEmptyName, name);
  if (!is_model_name(name)) return fault(CatalogueFault::kBadSlug, name);
  if (made_.model_names_.contains(name) || alias_names_.contains(name)) {
    return fault(CatalogueFault::kDuplicate, name);
  }
  aliases_.push_back({keep(name), keep(target)});
  alias_names_.emplace(aliases_.back().name, aliases_.size() - 1);
  return aliases_.size() - 1;
}

bool CatalogueBuilder::has_provider(std::string_view slug) const {
  return made_.find_provider(slug) != kNoId;
}
bool CatalogueBuilder::has_model(std::string_view id) const {
  return made_.find_model(id) != kNoId;
}

CatalogueResult<Catalogue> CatalogueBuilder::finish() {
  std::vector<Alias> resolved;
  resolved.reserve(aliases_.size());
  add_latest();
  for (std::size_t i = 0; i < aliases_.size(); ++i) {
    auto target = resolve_alias(i);
    if (!target) return std::unexpected(target.error());
    resolved.push_back({aliases_[i].name, *target, i >= given_aliases_});
  }
  for (const Alias& alias : resolved) made_.model_names_.emplace(alias.name, alias.target);
  // Last, so that an id or an alias comes before another model's dated name.
  for (ModelId id = 0; id < made_.models_.size(); ++id) {
    made_.model_names_.emplace(made_.models_[id].canonical_slug, id);
  }
  made_.aliases_ = std::move(resolved);
  for (ModelId id = 0; id < made_.models_.size(); ++id) {
    if (made_.models_[id].is_pattern()) made_.patterns_.push_back(id);
  }
  std::ranges::stable_sort(made_.patterns_, std::greater{},
                           [this](ModelId id) { return made_.models_[id].id.size(); });
  group_endpoints();
  return std::move(made_);
}

CatalogueResult<ModelId> CatalogueBuilder::resolve_alias(std::size_t index) const {
  std::string_view target = aliases_[index].target;
  for (std::size_t steps = 0; steps <= aliases_.size(); ++steps) {
    const auto model = made_.model_names_.find(target);
    if (model != made_.model_names_.end()) return model->second;
    const auto next = alias_names_.find(target);
    if (next == alias_names_.end()) {
      return fault(CatalogueFault::kUnknownModel, aliases_[index].name, index);
    }
    target = aliases_[next->second].target;
  }
  return fault(CatalogueFault::kAliasCycle, aliases_[index].name, index);
}

// `~author/family-latest` for the newest model of each family that is not hidden; a name that an
// operator gave away stays his.
void CatalogueBuilder::add_latest() {
  given_aliases_ = aliases_.size();
  std::unordered_map<std::string, ModelId> newest;
  std::vector<std::string> names;  // in the order of the models, so that a load is repeatable
  for (ModelId id = 0; id < made_.models_.size(); ++id) {
    const Model& model = made_.models_[id];
    const std::size_t slash = model.id.find('/');
    if (model.family.empty() || model.hidden || slash == std::string_view::npos) continue;
    std::string name = "~";
    name.append(model.id.substr(0, slash + 1)).append(model.family).append("-latest");
    const auto [place, is_new] = newest.emplace(name, id);
    if (is_new) {
      names.push_back(name);
    } else if (model.created > made_.models_[place->second].created) {
      place->second = id;
    }
  }
  for (const std::string& name : names) {
    if (made_.model_names_.contains(name) || alias_names_.contains(name)) continue;
    aliases_.push_back({keep(name), made_.models_[newest[name]].id});
    alias_names_.emplace(aliases_.back().name, aliases_.size() - 1);
  }
}

// By model, in the order added within each; fills what models say of their endpoints.
void CatalogueBuilder::group_endpoints() {
  std::ranges::stable_sort(made_.endpoints_, {}, &Endpoint::model);
  made_.endpoints_.shrink_to_fit();
  EndpointId next = 0;
  for (ModelId id = 0; id < made_.models_.size(); ++id) {
    Model& model = made_.models_[id];
    model.endpoints_begin = next;
    next += endpoints_of_model_[id];
    model.endpoints_end = next;
    for (const Endpoint& endpoint : made_.endpoints_of(model)) {
      model.parameters = model.parameters | endpoint.parameters;
      if (endpoint.variant) model.variants.add(*endpoint.variant);
      if (rewards_staying(endpoint.prices)) model.rewards_staying = true;
    }
  }
  for (EndpointId id = 0; id < made_.endpoints_.size(); ++id) {
    made_.identities_[made_.endpoints_[id].identity] = id;
  }
}

std::string_view CatalogueBuilder::keep(std::string_view text) {
  if (text.empty()) return {};
  if (text.size() > block_left_) {
    const std::size_t size = std::max(kBlock, text.size());
    made_.text_.push_back(std::make_unique_for_overwrite<char[]>(size));
    block_ = made_.text_.back().get();
    block_left_ = size;
  }
  char* const place = block_;
  std::memcpy(place, text.data(), text.size());
  block_ += text.size();
  block_left_ -= text.size();
  return {place, text.size()};
}

std::string_view CatalogueBuilder::keep_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return keep(lower);
}

std::span<const std::string_view> CatalogueBuilder::keep(std::span<const std::string_view> texts) {
  if (texts.empty()) return {};
  made_.lists_.push_back(std::make_unique<std::string_view[]>(texts.size()));
  std::string_view* const list = made_.lists_.back().get();
  for (std::size_t i = 0; i < texts.size(); ++i) list[i] = keep(texts[i]);
  return {list, texts.size()};
}

}  // namespace leat::policy
