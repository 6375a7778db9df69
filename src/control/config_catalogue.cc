// SPDX-License-Identifier: Apache-2.0
// `catalogue = [...]` and [aliases]: what is known of models and providers, from all files as one.
#include <fmt/format.h>

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

// So that every model can be asked for, whichever file it stands in. A request that names no tier
// and no variant goes to none of them.
void add_models(Reading& reading, std::size_t first) {
  const Limits& limits = reading.options.limits;
  for (std::size_t i = first; i < reading.catalogue.models.size(); ++i) {
    const DraftModel& from = reading.catalogue.models[i];
    Model model;
    model.id = from.id;
    model.name = from.name.empty() ? from.id : from.name;
    model.created_unix_s = from.created_unix_s;
    model.context_tokens = from.context_tokens;
    model.first_byte_ms_max = limits.first_byte_ms_max;
    model.chunk_gap_ms_max = limits.chunk_gap_ms_max;
    model.request_ms_max = limits.request_ms_max;
    for (const DraftEndpoint& endpoint : from.endpoints) {
      constexpr std::size_t kEndpointsMax = 16;  // of Options
      const DraftProvider* provider = reading.catalogue.find_provider(endpoint.provider);
      if (provider == nullptr || !provider->connection || endpoint.disabled || endpoint.variant ||
          endpoint.tier != policy::ServiceTier::kDefault ||
          model.endpoints.size() == kEndpointsMax) {
        continue;
      }
      model.endpoints.push_back({.provider = *provider->connection, .model = endpoint.model});
    }
    if (!model.endpoints.empty()) reading.options.models.push_back(std::move(model));
  }
}

}  // namespace

std::shared_ptr<const gateway::RoutedCatalogue> read_catalogue_files(Reading& reading,
                                                                     const TomlValue& root,
                                                                     std::vector<Fault>& faults) {
  read_catalogue_aliases(root, 0, reading.catalogue, reading.faults);
  const std::size_t own_models = reading.catalogue.models.size();
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
  if (files != nullptr) {
    add_models(reading, own_models);
    if (reading.options.models.empty() && is_readable && reading.faults.empty()) {
      reading.faults.add(files->line, "catalogue",
                         "none of its models is at a provider that is configured here; write a "
                         "[providers.NAME] of the same name with a base_url");
    }
  }
  if (!built || !is_readable || !faults.empty() || !reading.faults.empty()) return nullptr;
  return std::make_shared<const gateway::RoutedCatalogue>(std::move(*built));
}

}  // namespace leat::control
