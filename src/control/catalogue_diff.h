// SPDX-License-Identifier: Apache-2.0
// What is different between two catalogues, for people: one line for each model, provider and
// endpoint that came or went, and one for each price or limit that changed. Pure.
#pragma once

#include <string>

#include "control/catalogue_draft.h"

namespace leat::control {

// Lines in the order of names; empty if nothing that they show differs. `+` came, `-` went, `~`
// changed. Prices in the units in which catalogues state them (exact_price.h).
std::string catalogue_diff(const CatalogueDraft& before, const CatalogueDraft& after);

}  // namespace leat::control
