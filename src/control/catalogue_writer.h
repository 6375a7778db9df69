// SPDX-License-Identifier: Apache-2.0
// A CatalogueDraft as the TOML that read_catalogue() reads as the same draft again: for what an
// import made. Leaves out what stands at its default.
#pragma once

#include <string>

#include "control/catalogue_draft.h"

namespace leat::control {

std::string catalogue_toml(const CatalogueDraft& draft);

}  // namespace leat::control
