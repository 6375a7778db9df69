// SPDX-License-Identifier: Apache-2.0
// A catalogue of options whose endpoints have prices, so that plans balance by them.
#pragma once

#include <vector>

#include "gateway/routed_catalogue.h"
#include "leat/options.h"

namespace leat::sim {

// `dollars`: for a million tokens, in and out, by model and by endpoint of it; a model without any
// is one whose endpoints are asked in the order given. `carrying_on`: by provider, whether it
// carries a broken answer on, being asked with `prefix`; none does beyond its end. REQUIRES: the
// options are sound.
gateway::RoutedCatalogue priced_catalogue(const Options& options,
                                          const std::vector<std::vector<double>>& dollars,
                                          const std::vector<bool>& carrying_on = {});

}  // namespace leat::sim
