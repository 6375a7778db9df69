// SPDX-License-Identifier: Apache-2.0
// `leat import litellm FILE`: the config.yaml of a LiteLLM proxy as a configuration of ours, with
// comments. What has no counterpart is told, by its place in the file, on standard error and in the
// output's first lines; nothing is left out in silence. No value of that file that could be a
// secret is ever printed: keys become references to the environment.
//
// Reads the file through Surroundings; writing it where it belongs is main's.
#pragma once

#include <string>
#include <string_view>

#include "control/catalogue_command.h"
#include "control/surroundings.h"

namespace leat::control {

CatalogueOutcome import_litellm_config(const std::string& file, const Surroundings& surroundings);

// The same of a text.
CatalogueOutcome litellm_config_as_toml(std::string_view yaml, const Surroundings& surroundings);

}  // namespace leat::control
