// SPDX-License-Identifier: Apache-2.0
// RoutedCatalogue: a catalogue, and how its providers are reached. Built at load, then immutable;
// every shard reads the same one.
#pragma once

#include <cstdint>
#include <vector>

#include "leat/options.h"
#include "policy/catalogue.h"

namespace leat::gateway {

struct RoutedCatalogue {
  static constexpr std::uint32_t kNoConnection = 0xffff'ffff;

  policy::Catalogue catalogue;
  // By policy::ProviderId: the index into Options::providers; kNoConnection: nobody said how.
  std::vector<std::uint32_t> connections;
};

// The catalogue of options that stand for themselves, without prices: every endpoint of every
// model, in the order given. For defaults, embedders and tests. REQUIRES: the options are sound.
RoutedCatalogue plain_catalogue(const Options& options);

}  // namespace leat::gateway
