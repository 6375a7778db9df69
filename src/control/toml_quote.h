// SPDX-License-Identifier: Apache-2.0
// Text as a basic string of TOML, for those who write it.
#pragma once

#include <string>
#include <string_view>

namespace leat::control {

std::string toml_quoted(std::string_view text);

}  // namespace leat::control
