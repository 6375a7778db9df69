// SPDX-License-Identifier: Apache-2.0
// From a CatalogueDraft to the policy::Catalogue that shards read, whole or not at all: judges what
// the parts say about each other (duplicates, unknown providers, prices, limits, aliases) and tells
// all faults at once, each with the file and line of its part. Runs at load, off the shards.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/catalogue_draft.h"
#include "control/fault.h"
#include "policy/catalogue.h"

namespace leat::control {

struct BuiltCatalogue {
  static constexpr std::uint32_t kNoConnection = 0xffff'ffff;

  policy::Catalogue catalogue;
  // By policy::ProviderId: the index into Options::providers that says how to reach it.
  std::vector<std::uint32_t> connections;
};

// kConfigured: endpoints of providers that no configuration says how to reach are disabled.
// kAlone: there is no configuration; each endpoint stands as it is written.
enum class BuildFor : std::uint8_t { kConfigured, kAlone };

// `faults` has a list for each of the draft's files. Nothing if any fault was added.
std::optional<BuiltCatalogue> build_catalogue(const CatalogueDraft& draft, BuildFor purpose,
                                              std::vector<FaultList>& faults);

}  // namespace leat::control
