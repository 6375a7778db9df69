// SPDX-License-Identifier: Apache-2.0
// Digests and comparison for keys, without the library's headers.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace leat::tls {

std::array<std::uint8_t, 32> sha256(std::string_view bytes);

// In a time that does not depend on where they differ.
bool equal_constant_time(const std::array<std::uint8_t, 32>& a,
                         const std::array<std::uint8_t, 32>& b);

}  // namespace leat::tls
