// SPDX-License-Identifier: Apache-2.0
// `catalogue = [...]` and [aliases]: what is known of models and providers, from all files as one.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "control/catalogue_reader.h"
#include "control/config_sections.h"
#include "control/settings_reader.h"

namespace leat::control {
namespace {

constexpr std::size_t kFilesMax = 64;
constexpr std::int64_t kPathMax = 4'096;  // PATH_MAX

void read_file(Reading& reading, const TomlValue& value, std::vector<FaultList>& faults) {
  std::string path;
  store(value, {1, kPathMax}, "catalogue", path, reading.faults);
  if (path.empty()) return;
  path = resolved_path(reading, path);
  // Not filled with zeros: only the pages that the file needs are touched.
  const auto text = std::make_unique_for_overwrite<char[]>(kCatalogueBytesMax);
  const Result<std::size_t> size =
      reading.surroundings.read_file(path, {text.get(), kCatalogueBytesMax});
  if (!size) {
    reading.faults.add(value.line, "catalogue",
                       fmt::format("file {} {}", printable(path), size.error().what));
    return;
  }
  read_catalogue({text.get(), *size}, path, reading.catalogue, faults.emplace_back(path));
}

// Times that are written for a model which is not there would hold for nobody.
void check_timed_models(Reading& reading, const policy::Catalogue& catalogue) {
  for (const StatedName& stated : reading.timed_models) {
    const policy::ModelId found = catalogue.find_model(stated.name);
    if (found != policy::kNoId && catalogue.model(found).id == stated.name) continue;
    std::vector<std::string_view> known;
    for (const policy::Model& model : catalogue.models()) known.push_back(model.id);
    const std::string_view near =
        found != policy::kNoId ? catalogue.model(found).id : nearest(stated.name, known);
    reading.faults.add(
        stated.line, stated.key,
        fmt::format("\"{}\" has no endpoints, and no file of the catalogue has a model of that id; "
                    "{}",
                    printable(stated.name),
                    near.empty() ? std::string("write its endpoints")
                                 : fmt::format("did you mean \"{}\"?", near)));
  }
}

// What can be judged only of the configuration and its catalogue together.
void check_together(Reading& reading, const policy::Catalogue& catalogue, const TomlMember* files) {
  check_key_routing(reading, catalogue);
  check_timed_models(reading, catalogue);
  const auto endpoints = catalogue.endpoints();
  const bool is_any_reached =
      std::any_of(endpoints.begin(), endpoints.end(),
                  [](const policy::Endpoint& endpoint) { return !endpoint.disabled; });
  // With other faults a provider may be missing because of one of them.
  if (files == nullptr || is_any_reached || !reading.faults.empty()) return;
  reading.faults.add(files->line, "catalogue",
                     "none of its models is at a provider that is configured here; write a "
                     "[providers.NAME] of the same name with a base_url");
}

}  // namespace

std::shared_ptr<const gateway::RoutedCatalogue> read_catalogue_files(Reading& reading,
                                                                     const TomlValue& root,
                                                                     std::vector<Fault>& faults) {
  read_catalogue_aliases(root, 0, reading.catalogue, reading.faults);
  // The first is the configuration's, whose faults go to `reading`.
  std::vector<FaultList> lists;
  lists.reserve(kFilesMax + 1);
  lists.emplace_back(reading.catalogue.files.front());
  const TomlMember* files = root.find("catalogue");
  if (files != nullptr &&
      expect(files->value, TomlValue::Kind::kArray, "catalogue", reading.faults)) {
    if (files->value.items.size() > kFilesMax) {
      reading.faults.add(files->line, "catalogue", fmt::format("more than {}", kFilesMax));
      return nullptr;
    }
    for (const TomlValue& item : files->value.items) read_file(reading, item, lists);
  }
  const bool is_readable =
      std::all_of(lists.begin(), lists.end(), [](const FaultList& list) { return list.empty(); });
  auto built = build_catalogue(reading.catalogue, BuildFor::kConfigured, lists);
  // Names that the configuration's own readers found fault with have been told in their words.
  const bool has_own = !reading.faults.empty();
  for (const Fault& fault : lists.front().take()) {
    const bool is_about_name = fault.key.starts_with("providers.") ||
                               (fault.key.starts_with("models[") && fault.key.ends_with("]"));
    if (has_own && is_about_name) continue;
    reading.faults.add(fault.line, fault.key, fault.what);
  }
  for (std::size_t i = 1; i < lists.size(); ++i) {
    for (Fault& fault : lists[i].take()) faults.push_back(std::move(fault));
  }
  if (built && is_readable && faults.empty()) {
    check_together(reading, built->catalogue, files);
  }
  if (!built || !is_readable || !faults.empty() || !reading.faults.empty()) return nullptr;
  return std::make_shared<const gateway::RoutedCatalogue>(std::move(*built));
}

}  // namespace leat::control
