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
#include "gateway/routed_catalogue.h"
#include "policy/catalogue.h"

namespace leat::control {

// kConfigured: endpoints of providers that no configuration says how to reach are disabled.
// kAlone: there is no configuration; each endpoint stands as it is written.
enum class BuildFor : std::uint8_t { kConfigured, kAlone };

// `faults` has a list for each of the draft's files. Nothing if any fault was added.
std::optional<gateway::RoutedCatalogue> build_catalogue(const CatalogueDraft& draft,
                                                        BuildFor purpose,
                                                        std::vector<FaultList>& faults);

}  // namespace leat::control
