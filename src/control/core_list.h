// SPDX-License-Identifier: Apache-2.0
// Sets of cores as the kernel writes them: lists ("0-3,8") and masks ("f0,00000001", words of 32
// bits, the highest first). Sorted numbers without doubles; what cannot be read is the empty set.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leat::control {

using CoreSet = std::vector<std::uint32_t>;

CoreSet parse_core_list(std::string_view text);
CoreSet parse_core_mask(std::string_view text);
// "0-3,8"; "none" of the empty set.
std::string core_list_text(const CoreSet& cores);
// As a mask of the kernel: "f0,00000001"; "0" of the empty set.
std::string core_mask_text(const CoreSet& cores);

}  // namespace leat::control
