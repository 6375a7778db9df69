// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue_command.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "control/catalogue_build.h"
#include "control/catalogue_diff.h"
#include "control/catalogue_import.h"
#include "control/catalogue_reader.h"
#include "control/catalogue_writer.h"
#include "control/command_line.h"
#include "control/listing.h"

namespace leat::control {
namespace {

// Nothing, with a message, if the file cannot be read.
std::optional<std::string> file_text(const std::string& file, const Surroundings& surroundings,
                                     std::string& messages) {
  // Not filled with zeros: only the pages that the file needs are touched.
  const auto text = std::make_unique_for_overwrite<char[]>(kCatalogueBytesMax);
  const Result<std::size_t> size = surroundings.read_file(file, {text.get(), kCatalogueBytesMax});
  if (size) return std::string(text.get(), *size);
  messages += fmt::format("{}: {}\n", file, size.error().what);
  return {};
}

// Adds the faults of all lists to the messages; whether there were any.
bool tell(std::vector<FaultList>& lists, std::string& messages) {
  bool has_any = false;
  for (FaultList& list : lists) {
    for (const Fault& fault : list.take()) {
      messages += fault.to_string() + "\n";
      has_any = true;
    }
  }
  return has_any;
}

// One of our files, judged by itself; nothing, with its faults in the messages, if it is not sound.
struct Loaded {
  CatalogueDraft draft;
  gateway::RoutedCatalogue built;
};
std::optional<Loaded> load(const std::string& file, std::string_view text, std::string& messages) {
  Loaded loaded;
  std::vector<FaultList> lists{FaultList(file)};
  read_catalogue(text, file, loaded.draft, lists.front());
  auto built = build_catalogue(loaded.draft, BuildFor::kAlone, lists);
  if (tell(lists, messages) || !built) return {};
  loaded.built = std::move(*built);
  return loaded;
}

std::optional<Loaded> load(const std::string& file, const Surroundings& surroundings,
                           std::string& messages) {
  const auto text = file_text(file, surroundings, messages);
  if (!text) return {};
  return load(file, *text, messages);
}

// The body for a path; nothing if there is no such thing.
std::optional<std::string> body_of(const Listing& listing, std::string_view path,
                                   const ListingQuery& query) {
  constexpr std::string_view kModels = "/models/";
  constexpr std::string_view kEndpoints = "/endpoints";
  constexpr std::string_view kModel = "/model/";
  if (path == "/models") return listing.models(query, "/api/v1/models");
  if (path == "/models/count") return listing.count(query);
  if (path == "/providers") return listing.providers();
  if (path == "/endpoints/zdr") return listing.zdr_endpoints();
  if (path.starts_with(kModel)) return listing.model(path.substr(kModel.size()));
  if (path.starts_with(kModels) && path.ends_with(kEndpoints)) {
    path.remove_prefix(kModels.size());
    path.remove_suffix(kEndpoints.size());
    return listing.endpoints(path);
  }
  return {};
}

}  // namespace

CatalogueOutcome import_catalogues(const std::vector<std::string>& files,
                                   const Surroundings& surroundings) {
  CatalogueOutcome outcome;
  CatalogueImport import;
  for (const std::string& file : files) {
    const auto text = file_text(file, surroundings, outcome.messages);
    const std::string why = text ? import.add(file, *text) : "";
    if (!why.empty()) outcome.messages += fmt::format("{}: {}\n", file, why);
    if (!text || !why.empty()) outcome.status = kExitConfig;
  }
  if (outcome.status != 0) return outcome;
  outcome.output = catalogue_toml(import.finish());
  outcome.messages += import.account();
  if (!load("the catalogue that was made", outcome.output, outcome.messages)) {
    outcome.status = kExitConfig;
  }
  return outcome;
}

CatalogueOutcome diff_catalogues(const std::string& before, const std::string& after,
                                 const Surroundings& surroundings) {
  CatalogueOutcome outcome;
  const auto first = load(before, surroundings, outcome.messages);
  const auto second = load(after, surroundings, outcome.messages);
  if (!first || !second) {
    outcome.status = kExitConfig;
    return outcome;
  }
  outcome.output = catalogue_diff(first->draft, second->draft);
  return outcome;
}

CatalogueOutcome show_catalogue(const std::string& file, std::string_view target,
                                const Surroundings& surroundings) {
  CatalogueOutcome outcome;
  outcome.status = kExitConfig;
  const auto loaded = load(file, surroundings, outcome.messages);
  if (!loaded) return outcome;
  const std::size_t mark = target.find('?');
  const auto query =
      parse_listing_query(mark == std::string_view::npos ? "" : target.substr(mark + 1));
  if (!query) {
    outcome.messages += query.error().message + "\n";
    return outcome;
  }
  const Listing listing(loaded->built.catalogue);
  const auto body = body_of(listing, target.substr(0, mark), *query);
  if (!body) {
    outcome.messages += fmt::format("there is nothing at {}\n", target);
    return outcome;
  }
  outcome.output = *body + "\n";
  outcome.status = 0;
  return outcome;
}

}  // namespace leat::control
