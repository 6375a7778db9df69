// SPDX-License-Identifier: Apache-2.0
// CatalogueImport: from the JSON that others publish about models and prices to a CatalogueDraft,
// with an account of what was taken, what was changed to fit, and what found no place and why.
// Nothing is dropped in silence. Knows models.dev's api.json, OpenRouter's /models,
// /models/{author}/{slug}/endpoints and /providers, and LiteLLM's price file, each by its shape
// (provider-formats.md 5, openrouter-api.md 1.2). Reads text; opens nothing. For the command line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "control/catalogue_draft.h"

namespace leat::control {

struct JsonValue;

// What one file said about one endpoint and the model behind it.
struct ImportEntry {
  std::string name;  // as the file has it, for the account
  // "author/slug" or, of providers that name no author, a slug alone; may end in ":variant".
  std::string id;
  DraftModel model;  // facts; its id and endpoints are not used
  DraftEndpoint endpoint;
};

// One line of the account.
struct ImportNote {
  std::string subject;
  std::string reason;
};

class CatalogueImport {
 public:
  // Takes one file in. Empty if its shape was known; else why nothing of it was taken.
  std::string add(std::string_view file, std::string_view text);

  // All files together; the import is spent. Models that different providers offer under one name
  // become one model.
  CatalogueDraft finish();

  // Valid after finish().
  const std::vector<ImportNote>& changed() const { return changed_; }
  const std::vector<ImportNote>& unplaced() const { return unplaced_; }
  // Counts, then each change and each thing without a place on a line of its own.
  std::string account() const;

 private:
  void read_models_dev(const JsonValue& root);
  void read_openrouter_models(const JsonValue& data);
  void read_openrouter_endpoints(const JsonValue& data);
  void read_openrouter_providers(const JsonValue& data);
  void read_litellm(const JsonValue& root);

  DraftProvider& provider(std::string_view slug);
  void settle_model(DraftModel& model);
  bool settle_prices(const ImportEntry& entry, DraftEndpoint& endpoint);
  void settle_limits(const ImportEntry& entry, DraftEndpoint& endpoint);
  bool settle_tag(const DraftModel& model, const ImportEntry& entry, DraftEndpoint& endpoint);

  struct Counts {
    std::string file;
    std::string kind;
    std::size_t entries = 0;
  };

  CatalogueDraft draft_;
  std::vector<ImportEntry> entries_;
  std::vector<Counts> counts_;
  std::vector<ImportNote> changed_;
  std::vector<ImportNote> unplaced_;
};

}  // namespace leat::control
