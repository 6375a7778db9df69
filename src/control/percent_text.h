// SPDX-License-Identifier: Apache-2.0
// Percent-encoded text of a URL (RFC 3986 2.1) as the bytes that it stands for. Pure.
#pragma once

#include <string>
#include <string_view>

namespace leat::control {

// A percent sign that no two hexadecimal digits follow stands for itself.
std::string percent_decoded(std::string_view text);

}  // namespace leat::control
