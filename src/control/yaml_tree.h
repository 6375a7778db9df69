// SPDX-License-Identifier: Apache-2.0
// YAML as the tree of json_tree.h: mappings are objects, sequences arrays, scalars what YAML 1.1
// takes them for (true, yes and on are booleans; ~ is null; quoted is text), numbers as they were
// written. It keeps libyaml, which does the parsing, out of all other files. For files that
// operators import; nothing on a shard. Nesting and size are bounded, aliases included: a file of
// aliases to aliases is refused, not expanded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/json_tree.h"

namespace leat::control {

// The first document. Nothing, with what is wrong and where in `why`, if the text is not YAML.
std::optional<JsonValue> parse_yaml(std::string_view text, std::string& why);

}  // namespace leat::control
