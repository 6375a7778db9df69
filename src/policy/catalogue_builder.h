// SPDX-License-Identifier: Apache-2.0
// CatalogueBuilder: makes a Catalogue from the parts that a loader reads, and says what is wrong
// with a part as it is added, so that the loader can name file and line. Used by control at load;
// allocates freely, never runs on a shard. Order: providers, models, then endpoints and aliases.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/catalogue.h"

namespace leat::policy {

// IF YOU ADD A VALUE: add its text in text_of.
enum class CatalogueFault : std::uint8_t {
  kEmptyName,          // an id, slug or upstream name is empty
  kBadSlug,            // a slug or id with upper case, blanks or a '/' where none may be
  kDuplicate,          // the name, or the endpoint's tag within its model, is taken
  kUnknownProvider,    // the endpoint's provider was not added before
  kUnknownModel,       // the endpoint's model, or the alias's target, does not exist
  kPriceMissing,       // no price for a class that must have one, and not declared free
  kPriceZero,          // a price of 0, and not declared free
  kPriceRange,         // negative or above kPriceMax
  kOverrideEmpty,      // an override without a condition or without a price
  kOverrideTime,       // one end of a span of time alone, or past the day
  kAliasCycle,         // the alias leads back to itself
  kTooManyEndpoints,   // more than kModelEndpointsMax for one model
  kTooManyProviders,   // more than kProvidersMax
  kTooManyRegions,     // more than kRegionsMax
  kLimitContradicts,   // an output or prompt limit beyond the context
  kNotAStaticVariant,  // the endpoint's variant is one that only changes routing
};
inline constexpr std::size_t kCatalogueFaults = 16;
// One clause without a full stop; static.
std::string_view text_of(CatalogueFault fault);

// What was wrong and with which part: `name` is what the part was called, as it was given. Faults
// of aliases are found by finish() and carry the alias's index in the order added.
struct CatalogueError {
  CatalogueFault fault;
  std::string_view name;
  std::size_t alias_index = 0;
};
template <class T>
using CatalogueResult = std::expected<T, CatalogueError>;

// An endpoint as a loader knows it. Views need to live only through the call.
struct EndpointSpec {
  std::string_view model;     // an id that was added
  std::string_view provider;  // a slug that was added
  std::string_view tag;       // empty: the provider's slug, with the tier's name where it has one
  std::string_view upstream_model;
  std::string_view region;
  // Price classes that may be 0 or missing without being a mistake: the operator said so.
  PriceClassSet declared_free;
  std::span<const PriceOverride> overrides;
  // Whether facts.data was stated; else the provider's stands.
  bool has_data_policy = false;
  // Ids, views, identity, parameters' final form and is_free are set by the builder.
  Endpoint facts;
};
inline constexpr PriceClassSet kFreeOfAll =
    PriceClassSet::of_bits((std::uint64_t{1} << kPriceClasses) - 1);

class CatalogueBuilder {
 public:
  CatalogueBuilder();

  // Room for so many parts, so that a large load does not grow its tables step by step.
  void reserve(std::size_t models, std::size_t providers, std::size_t endpoints);

  // Each copies what the part's views point at.
  CatalogueResult<ProviderId> add_provider(const Provider& provider);
  CatalogueResult<ModelId> add_model(const Model& model);
  // The number of endpoints so far; the final EndpointId is known only after finish().
  CatalogueResult<std::size_t> add_endpoint(const EndpointSpec& spec);
  // `target` may be a model's id or another alias, added before or after.
  CatalogueResult<std::size_t> add_alias(std::string_view name, std::string_view target);

  bool has_provider(std::string_view slug) const;
  bool has_model(std::string_view id) const;

  // Resolves aliases, makes `~author/family-latest`, groups endpoints by model. The builder is
  // spent afterwards, whatever came out; names in errors still live with it.
  CatalogueResult<Catalogue> finish();

 private:
  struct PendingAlias {
    std::string_view name;
    std::string_view target;
  };
  // A copy that lives with the catalogue.
  std::string_view keep(std::string_view text);
  std::string_view keep_lower(std::string_view text);
  std::span<const std::string_view> keep(std::span<const std::string_view> texts);
  static std::expected<void, CatalogueFault> check_facts(const EndpointSpec& spec,
                                                         const Model& model);
  CatalogueResult<TagId> intern_tag(const EndpointSpec& spec, std::string_view provider_slug);
  CatalogueResult<RegionId> intern_region(std::string_view region);
  CatalogueResult<ModelId> resolve_alias(std::size_t index) const;
  void add_latest();
  void group_endpoints();

  Catalogue made_;
  std::vector<PendingAlias> aliases_;
  std::size_t given_aliases_ = 0;            // those before were added; the rest are "latest"
  std::vector<std::string_view> tag_names_;  // by TagId
  std::unordered_map<std::string_view, std::size_t> alias_names_;  // into aliases_
  std::vector<std::uint32_t> endpoints_of_model_;                  // counts
  std::size_t block_left_ = 0;
  char* block_ = nullptr;
};

}  // namespace leat::policy
