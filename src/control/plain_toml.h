// SPDX-License-Identifier: Apache-2.0
// Reads TOML in the plain form that people and our own writer use: comments, [tables], [[arrays of
// tables]], `key = value` with basic strings, whole numbers, true and false, arrays and inline
// tables. Anything else, mistakes included, is not judged here but left to the library. It is here
// for speed alone: a catalogue of 5,000 endpoints takes the library longer than a whole load may.
#pragma once

#include <optional>
#include <string_view>

#include "control/toml_tree.h"

namespace leat::control {

// Exactly what parse_toml_by_library() makes of the text; nothing if it is not in the plain form.
std::optional<TomlValue> parse_plain_toml(std::string_view text);

}  // namespace leat::control
