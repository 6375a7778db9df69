// SPDX-License-Identifier: Apache-2.0
#include "policy/catalogue.h"

#include <algorithm>
#include <array>

namespace leat::policy {
namespace {

// No slug, tag or name that a catalogue may hold is longer (see CatalogueBuilder).
using Folded = std::array<char, kSlugBytesMax>;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// In lower case; empty where it is too long to be known. The result is a view of `into`.
std::string_view fold(std::string_view text, Folded& into) {
  if (text.size() > into.size()) return {};
  std::ranges::transform(text, into.begin(), lower);
  return {into.data(), text.size()};
}

std::uint32_t find_in(const std::unordered_map<std::string_view, std::uint32_t>& names,
                      std::string_view name) {
  const auto found = names.find(name);
  return found == names.end() ? kNoId : found->second;
}

}  // namespace

ModelId Catalogue::find_model(std::string_view name) const {
  return find_in(model_names_, name);
}

ModelRef Catalogue::resolve(std::string_view reference) const {
  ModelRef ref;
  std::string_view name = reference;
  while (true) {
    ref.model = find_model(name);
    if (ref.model != kNoId && !models_[ref.model].is_pattern()) return ref;
    const std::size_t colon = name.rfind(':');
    if (colon == std::string_view::npos) return match_pattern(reference);
    const auto variant = value_of<Variant>(name.substr(colon + 1));
    if (!variant) return match_pattern(reference);
    ref.variants.add(*variant);
    name = name.substr(0, colon);
  }
}

ModelRef Catalogue::match_pattern(std::string_view reference) const {
  for (const ModelId id : patterns_) {
    const std::string_view prefix = models_[id].id.substr(0, models_[id].id.size() - 1);
    if (reference.size() > prefix.size() && reference.starts_with(prefix)) {
      return {id, {}, reference.substr(prefix.size())};
    }
  }
  return {};
}

ProviderId Catalogue::find_provider(std::string_view slug) const {
  Folded folded;
  return find_in(provider_slugs_, fold(slug, folded));
}

EndpointId Catalogue::find_endpoint(std::uint64_t identity) const {
  const auto found = identities_.find(identity);
  return found == identities_.end() ? kNoId : found->second;
}

SlugMatch Catalogue::find_slug(std::string_view slug) const {
  Folded buffer;
  const std::string_view folded = fold(slug, buffer);
  SlugMatch match;
  match.provider = find_in(provider_slugs_, folded);
  if (match.provider != kNoId) return match;
  match.tag_id = find_in(tags_, folded);
  if (match.tag_id == kNoId) match.provider = find_in(provider_names_, folded);
  return match;
}

RegionSet Catalogue::region_bit(std::string_view region) const {
  const auto id = find_region(region);
  return id && *id != 0 ? RegionSet{1} << *id : 0;
}

std::optional<RegionId> Catalogue::find_region(std::string_view region) const {
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    if (std::ranges::equal(regions_[i], region, {}, lower, lower)) return static_cast<RegionId>(i);
  }
  return std::nullopt;
}

}  // namespace leat::policy
