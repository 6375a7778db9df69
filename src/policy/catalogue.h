// SPDX-License-Identifier: Apache-2.0
// Catalogue: every model, provider and endpoint that requests may be routed to. Built by control
// (CatalogueBuilder), then immutable: shards read it through a plain reference and hold indices,
// not pointers. All text is the catalogue's own and lives as long as it does. No clock, no I/O;
// looking up allocates nothing. Facts and keys: openrouter-api.md 1.2, 2.3, 2.7.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/prices.h"
#include "policy/terms.h"

namespace leat::policy {

// Indices into one catalogue; meaningless in another. What must outlive a reload is keyed by
// Endpoint::identity.
using ModelId = std::uint32_t;
using ProviderId = std::uint32_t;
using EndpointId = std::uint32_t;
using TagId = std::uint32_t;     // of an endpoint's full slug, e.g. "google-vertex/us-east5"
using RegionId = std::uint32_t;  // 0 is "not stated"
inline constexpr std::uint32_t kNoId = 0xffff'ffff;

// Bounds that let a plan be made in a result of fixed size. The largest public catalogue has fewer
// than 60 endpoints for any model, tiers and quantizations included, and 147 providers.
inline constexpr std::size_t kModelEndpointsMax = 64;
inline constexpr std::size_t kProvidersMax = 1024;
inline constexpr std::size_t kSlugBytesMax = 256;  // of any id, slug, tag or display name
inline constexpr std::size_t kRegionsMax = 64;     // one bit each

// A set of regions, bit = RegionId.
using RegionSet = std::uint64_t;

// What becomes of prompts. Unknown is the worst (openrouter-api.md 4.14), hence the defaults.
struct DataPolicy {
  static constexpr std::int32_t kRetentionUnknown = -1;

  bool trains = true;                               // may train on what it is sent
  bool publishes = false;                           // may publish it
  std::int32_t retention_days = kRetentionUnknown;  // 0: nothing is kept

  // Eligible under `data_collection: "deny"`.
  constexpr bool collects() const { return trains || publishes; }
  // Eligible under `zdr`. A cache in memory is no retention.
  constexpr bool zero_retention() const { return !trains && !publishes && retention_days == 0; }
};

struct Provider {
  std::string_view slug;  // "google-vertex": lower case, no '/'
  std::string_view name;  // "Google Vertex"
  std::string_view privacy_policy_url;
  std::string_view terms_of_service_url;
  std::string_view status_page_url;
  std::string_view headquarters;                  // ISO 3166 code, or empty
  std::span<const std::string_view> datacenters;  // the same
  DataPolicy data;                                // of its endpoints that state none
  QuirkSet quirks;
  ParameterSet rejects;  // answers 400 to these: dropped whatever an endpoint claims
  // The field it takes the wish for reasoning in: "reasoning", "reasoning_effort", "none" (it is
  // left out), or anything else: as the client spelt it.
  std::string_view reasoning_in;
  // And the one it gives reasoning in, and takes it back in: "reasoning", "reasoning_content",
  // "none" (it takes none), or anything else: as the client spelt it.
  std::string_view reasoning_out;
};

// How a model reasons (the model object's `reasoning`). Efforts by name, strongest first.
struct ReasoningFacts {
  std::span<const std::string_view> efforts;
  std::string_view default_effort;
  bool default_enabled = false;
  bool supports_max_tokens = false;
  bool mandatory = false;
};

struct Model {
  std::string_view id;              // "author/slug"; routers and imports may lack the author
  std::string_view canonical_slug;  // the dated one; `id` if none is known
  std::string_view name;
  std::string_view description;
  std::string_view hugging_face_id;
  std::string_view family;  // for `~author/family-latest`; empty: of none
  std::string_view tokenizer;
  std::string_view instruct_type;
  std::string_view knowledge_cutoff;         // "2025-03-31", or empty
  std::string_view default_parameters_json;  // an object, or empty
  std::int64_t created = 0;                  // unix seconds
  std::int64_t expires = 0;                  // unix seconds; 0: not known to
  std::uint32_t context = 0;                 // tokens; 0: not known
  // The output cap when a request states none; it then goes upstream. 0: the endpoint's own.
  std::uint32_t output_default_max = 0;
  ModalitySet input;
  ModalitySet output;
  ParameterSet parameters;  // the union over its endpoints; set by the builder
  VariantSet variants;      // static ones that some endpoint serves; set by the builder
  ReasoningFacts reasoning;
  bool distillable = false;  // its author allows training on its text
  bool moderated = false;
  bool hidden = false;  // routable, but neither listed nor ever anyone's "latest"
  bool open_weights = false;
  // Its endpoints are asked in the order given, those that are well first: nobody said what they
  // cost, so there is nothing to balance by.
  bool keeps_order = false;
  // Some endpoint charges less for what its prompt cache has: a conversation is worth keeping
  // there. Set by the builder.
  bool rewards_staying = false;
  // Its endpoints, contiguous; set by the builder.
  EndpointId endpoints_begin = 0;
  EndpointId endpoints_end = 0;

  // `id` is "prefix/*": it stands for every name of that prefix that is not another's.
  bool is_pattern() const { return id.ends_with("/*"); }
};

// One way to a model: provider x upstream name x region x tier x quantization.
struct Endpoint {
  ModelId model = kNoId;
  ProviderId provider = kNoId;
  // The full slug, unique among the endpoints of a model and variant: "deepinfra/turbo",
  // "openai/priority", or just the provider's slug.
  TagId tag_id = kNoId;
  RegionId region_id = 0;
  // The same in every catalogue that holds this endpoint (model, variant, tag): what
  // health and sticky conversations are kept by.
  std::uint64_t identity = 0;
  std::string_view tag;
  std::string_view region;          // a data region as ceilings name it ("eu", "us"), or empty
  std::string_view upstream_model;  // "*", of a pattern's endpoint: what the star stood for
  Prices prices;
  std::uint32_t overrides_begin = 0;  // into the catalogue's; see overrides_of
  std::uint32_t overrides_end = 0;
  std::uint32_t context = 0;         // prompt and output together; 0: not known
  std::uint32_t prompt_max = 0;      // tokens; 0: no limit but the context
  std::uint32_t completion_max = 0;  // tokens; 0: no limit but the context
  ParameterSet parameters;  // none stated: all; less what its provider rejects (the builder's work)
  ToolChoiceSet tool_choices;
  DataPolicy data;
  ServiceTier tier = ServiceTier::kDefault;
  Quantization quantization = Quantization::kUnknown;
  // The static variant that it serves; none: the plain model.
  std::optional<Variant> variant;
  bool is_free = false;           // every class costs nothing; set by the builder
  bool is_unpriced = false;       // ... but for want of a price: nobody said that it is free
  bool implicit_caching = false;  // its provider caches prompts unasked
  bool disabled = false;          // known, but not to be asked
};

// A second name of a model. `is_latest`: made by the builder for `~author/family-latest`.
struct Alias {
  std::string_view name;
  ModelId target = kNoId;
  bool is_latest = false;
};

// What one slug of `provider.order`, `only` or `ignore` stands for: a provider (all its endpoints
// but those of a service tier) or exactly the endpoints of one tag (openrouter-api.md 2.3).
struct SlugMatch {
  ProviderId provider = kNoId;
  TagId tag_id = kNoId;

  bool known() const { return provider != kNoId || tag_id != kNoId; }
  bool matches(const Endpoint& endpoint) const {
    if (endpoint.tag_id == tag_id) return true;
    return endpoint.provider == provider && endpoint.tier == ServiceTier::kDefault;
  }
};

// A model as a request names it: "author/slug:variant:variant". `model` kNoId: unknown.
struct ModelRef {
  ModelId model = kNoId;
  VariantSet variants;
  std::string_view rest;   // of a pattern: what its star stands for; a view of the reference
  bool is_closed = false;  // to the key that asks for it

  // The endpoint's own name for it.
  std::string_view upstream_name(const Endpoint& endpoint) const {
    return endpoint.upstream_model == "*" ? rest : endpoint.upstream_model;
  }
};

class Catalogue {
 public:
  Catalogue() = default;
  Catalogue(Catalogue&&) = default;
  Catalogue& operator=(Catalogue&&) = default;

  std::span<const Model> models() const { return models_; }
  std::span<const Provider> providers() const { return providers_; }
  std::span<const Endpoint> endpoints() const { return endpoints_; }
  std::span<const Alias> aliases() const { return aliases_; }
  const Model& model(ModelId id) const { return models_[id]; }
  const Provider& provider(ProviderId id) const { return providers_[id]; }
  const Endpoint& endpoint(EndpointId id) const { return endpoints_[id]; }

  std::span<const Endpoint> endpoints_of(const Model& model) const {
    return std::span(endpoints_)
        .subspan(model.endpoints_begin, model.endpoints_end - model.endpoints_begin);
  }
  std::span<const PriceOverride> overrides_of(const Endpoint& endpoint) const {
    return std::span(overrides_)
        .subspan(endpoint.overrides_begin, endpoint.overrides_end - endpoint.overrides_begin);
  }

  // An id, a canonical slug, an alias or `~author/family-latest`; no variants. kNoId: unknown.
  ModelId find_model(std::string_view name) const;
  // The same with `:variant` suffixes, which may stack. An id that itself has a colon is found
  // first; a suffix that is no variant makes the model unknown. What is unknown may be a pattern's:
  // that of the longest prefix, with all that follows it as its rest.
  ModelRef resolve(std::string_view reference) const;
  ProviderId find_provider(std::string_view slug) const;
  // An endpoint by its identity; kNoId: not in this catalogue.
  EndpointId find_endpoint(std::uint64_t identity) const;
  // A slug or a tag in any case; a provider's display name as well, since users send those.
  SlugMatch find_slug(std::string_view slug) const;
  // The bit of a region's name, in any case; 0: no endpoint is known to be there.
  RegionSet region_bit(std::string_view region) const;

 private:
  friend class CatalogueBuilder;
  using Names = std::unordered_map<std::string_view, std::uint32_t>;
  ModelRef match_pattern(std::string_view reference) const;
  std::optional<RegionId> find_region(std::string_view region) const;

  std::vector<Model> models_;
  std::vector<Provider> providers_;
  std::vector<Endpoint> endpoints_;  // by model
  std::vector<PriceOverride> overrides_;
  std::vector<Alias> aliases_;
  std::vector<ModelId> patterns_;          // longest prefix first
  std::vector<std::string_view> regions_;  // by RegionId; [0] is ""
  Names model_names_;                      // ids, canonical slugs and aliases
  Names provider_slugs_;                   // lower case
  Names provider_names_;                   // display names in lower case
  Names tags_;                             // lower case
  std::unordered_map<std::uint64_t, EndpointId> identities_;
  // All text and spans of text above. Blocks never move, so views survive a move of the catalogue.
  std::vector<std::unique_ptr<char[]>> text_;
  std::vector<std::unique_ptr<std::string_view[]>> lists_;
};

}  // namespace leat::policy
