// SPDX-License-Identifier: Apache-2.0
// CatalogueDraft: a catalogue as people and imports write it, before anything of it was looked up
// or judged as a whole. Read from TOML (catalogue_reader.h), made by imports (catalogue_import.h),
// written back as TOML (catalogue_writer.h), compared (catalogue_diff.h), and built into the
// policy::Catalogue that shards read (catalogue_build.h). Plain values; owned by whoever holds it.
//
// A number that is 0 and a text that is empty were not stated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/catalogue.h"

namespace leat::control {

// Where a part was written: a file of CatalogueDraft::files and a line of it, from 1.
struct Place {
  std::uint32_t file = 0;
  std::uint32_t line = 0;
};

struct DraftProvider {
  std::string slug;
  std::string display_name;
  std::string privacy_policy_url;
  std::string terms_of_service_url;
  std::string status_page_url;
  std::string headquarters;
  std::vector<std::string> datacenters;
  std::optional<policy::DataPolicy> data;
  // None: not stated, as policy::facts_at() knows them of a well-known host.
  std::optional<policy::QuirkSet> quirks;
  std::optional<policy::ParameterSet> rejects;
  std::string reasoning_in;  // empty: not stated
  std::string reasoning_out;
  std::string host;  // of its base URL, if a configuration says how to reach it
  Place place;
  // A configuration says how to reach it; index into its Options::providers.
  std::optional<std::uint32_t> connection;
};

struct DraftOverride {
  policy::PriceOverride terms;
  Place place;
};

struct DraftEndpoint {
  std::string provider;  // a slug
  std::string model;     // the provider's own name for it
  std::string tag;       // empty: the provider's slug, with the tier where it has one
  std::string region;
  policy::Prices prices;
  std::vector<DraftOverride> overrides;
  // Classes that may cost nothing: somebody said so.
  policy::PriceClassSet free;
  // Stated, but not as a price: told already, so that nobody calls them missing too.
  policy::PriceClassSet unreadable;
  std::uint32_t context_tokens = 0;
  std::uint32_t prompt_tokens_max = 0;
  std::uint32_t completion_tokens_max = 0;
  std::optional<policy::ParameterSet> parameters;  // none: the model's
  policy::ToolChoiceSet tool_choices;
  std::optional<policy::DataPolicy> data;  // none: the provider's
  policy::ServiceTier tier = policy::ServiceTier::kDefault;
  policy::Quantization quantization = policy::Quantization::kUnknown;
  std::optional<policy::Variant> variant;
  bool implicit_caching = false;
  bool disabled = false;
  Place place;
};

// A second name: of a model, or of another name.
struct DraftAlias {
  std::string name;
  std::string target;
  Place place;
};

struct DraftReasoning {
  std::vector<std::string> efforts;  // strongest first
  std::string default_effort;
  bool default_enabled = false;
  bool supports_max_tokens = false;
  bool mandatory = false;

  bool operator==(const DraftReasoning&) const = default;
};

struct DraftModel {
  std::string id;
  std::string canonical_slug;
  std::string name;
  std::string description;
  std::string hugging_face_id;
  std::string family;
  std::string tokenizer;
  std::string instruct_type;
  std::string knowledge_cutoff;
  std::string default_parameters_json;
  std::int64_t created_unix_s = 0;
  std::int64_t expires_unix_s = 0;
  std::uint32_t context_tokens = 0;
  std::uint32_t output_default_max = 0;
  policy::ModalitySet input;
  policy::ModalitySet output;
  policy::ParameterSet parameters;  // of its endpoints that state none
  DraftReasoning reasoning;
  bool distillable = false;
  bool moderated = false;
  bool hidden = false;
  bool open_weights = false;
  // Its endpoints may leave prices out altogether: it stands in a configuration in the short form,
  // which knows nothing of prices.
  bool may_lack_prices = false;
  std::vector<DraftEndpoint> endpoints;
  Place place;
};

struct CatalogueDraft {
  std::vector<std::string> files;  // what faults call them
  std::vector<DraftProvider> providers;
  std::vector<DraftModel> models;
  std::vector<DraftAlias> aliases;

  const DraftProvider* find_provider(std::string_view slug) const;
};

}  // namespace leat::control
