// SPDX-License-Identifier: Apache-2.0
// Which share of a model's requests each of its endpoints is due now, by the router's own plan of a
// plain request: what is shown beside the share that it really has. Pure but for the random draw,
// which the shares do not depend on.
#pragma once

#include <map>
#include <set>
#include <string>

#include "control/explain.h"

namespace leat::control {

// `models`: by the names that requests ask for. An endpoint that would be asked only if others
// failed has the share 0; one that would not be asked at all is not told of, and neither are models
// of which no plan can be made.
std::map<policy::EndpointId, double> planned_shares(const std::set<std::string>& models,
                                                    const ExplainInput& input, Rng& rng);

}  // namespace leat::control
